"""benchmark: run all jobs of a benchmark and write its tables and figure."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from xcebra_nwb.benchmark.catalogue import SPEED, cases
from xcebra_nwb.commands.run_folder import sole_run
from xcebra_nwb.commands.run_snakemake import last_line, launch
from xcebra_nwb.core.errors import Exit, Failure, UsageError
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.installation import packaged_path

logger = logging.getLogger("xcebra_nwb")
SHORT = ". Measured by `--quick`, which only shows that it runs: the runs are too short for rates and scores"


def benchmark(name: str, size: str, output: Path, cores: int, file: Path | None = None, device: str = "cpu") -> int:
    """Run a benchmark; all its files go into the folder ``output``.

    The benchmark ``speed`` measures by itself, on ``cores`` threads or on a GPU
    (:mod:`xcebra_nwb.benchmark.speed.run`). The others run as a workflow. Their folder then holds scores.csv (a row for
    each dataset, training, label and method), table.csv and table.md (means with intervals), rivals.csv and figure.png.
    The same command does only the missing jobs when it is run again, also after an interruption.

    Args:
        name: Name of the benchmark.
        size: ``quick``, ``reduced`` or ``full``.
        output: Folder of its files.
        cores: CPU cores.
        file: NWB file, for the benchmark of a file.
        device: ``cpu`` or ``cuda``, for the benchmark ``speed``.

    Returns:
        0 if every job is done, 130 if interrupted.

    Raises:
        UsageError: There is no such benchmark, size or file.
        Failure: Another run uses ``output``, or a job failed; the check of the known-perfect encoder is one of them.
    """
    if name == SPEED:
        if file is not None:
            raise UsageError(f"benchmark {name} reads no file", f"leave {file} out")
        return _speed(size, Path(output).absolute(), cores, device)
    file = file.absolute() if file else None
    jobs = cases(name, size, file)
    output = Path(output).absolute()
    settings, log = output / "benchmark.yaml", output / "logs" / "workflow.log"
    reported: set[str] = set()

    def poll() -> None:
        for job in jobs:
            if job not in reported and _scores(output, job).exists():
                reported.add(job)
                logger.info("%d of %d: %s", len(reported), len(jobs), job)

    with sole_run(output) as begun:
        write_text(settings, yaml.safe_dump({"benchmark": name, "size": size, "file": str(file) if file else None}))
        logger.info("%d jobs in %s; the workflow's own log is %s", len(jobs), output, log)
        code = launch(packaged_path("benchmarks/Snakefile"), settings, cores, log, poll, begun=begun)
    if code == Exit.INTERRUPTED:
        return code
    if code != 0:
        raise Failure(_what_failed(output, list(jobs), log), "the same command resumes the benchmark")
    return int(Exit.DONE)


def _speed(size: str, output: Path, threads: int, name: str) -> int:
    """Measure the speed, with nothing beside it, and write the tables and the figure."""
    from xcebra_nwb.benchmark.speed import page, run
    from xcebra_nwb.training.device import device

    with device(name, threads) as torch_device:
        rows, methods, top = run.measure(size, torch_device)
        machine = run.machine(torch_device, top) + (SHORT if size == "quick" else "")
    for table, name in ((rows, "speed.csv"), (methods, "methods.csv")):
        write_text(output / name, table.to_csv(index=False))
    write_text(output / "table.md", page.markdown(rows, methods, machine))
    page.save_figure(rows, methods, output / "figure.png")
    return int(Exit.DONE)


def as_json(name: str, size: str, output: Path) -> dict[str, Any]:
    """Return the table of a benchmark that is done, for JSON."""
    table = pd.read_csv(output / ("speed.csv" if name == SPEED else "table.csv"))
    return {"benchmark": name, "size": size, "folder": str(output), "rows": table.to_dict("records")}


def _scores(output: Path, job: str) -> Path:
    return output / "cases" / f"{job}.csv"


def _what_failed(output: Path, jobs: list[str], log: Path) -> str:
    """Return the last line of the first job that began and did not end, else of the workflow."""
    for job in jobs:
        job_log = output / "logs" / f"{job}.log"
        if job_log.exists() and not _scores(output, job).exists():
            return f"{job}: {last_line(job_log)}"
    return last_line(log)
