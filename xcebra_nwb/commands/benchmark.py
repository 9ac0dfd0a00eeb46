"""benchmark: all jobs of a benchmark, its table and its figure."""

from __future__ import annotations

import logging
from pathlib import Path

import yaml

from xcebra_nwb.benchmark.catalogue import SPEED, cases
from xcebra_nwb.commands.run_snakemake import last_line, launch
from xcebra_nwb.core.errors import Exit, Failure, UsageError
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.installation import packaged_path

logger = logging.getLogger("xcebra_nwb")
SHORT = ". Measured by `--quick`: it runs; rates of a moment and scores of a hardly trained encoder say nothing more"


def benchmark(name: str, size: str, output: Path, cores: int, file: Path | None = None, device: str = "cpu") -> int:
    """Run the benchmark called ``name``, of ``file`` if it is about one; everything goes into the folder ``output``.

    The benchmark ``speed`` is no workflow: it runs by itself, on ``cores`` threads or on a card, the ``device``
    (:mod:`xcebra_nwb.benchmark.speed.run`).
    ``output`` of the others then holds scores.csv (one row for each dataset, training, label and method), table.csv and
    table.md (means with intervals), rivals.csv and figure.png. Run again, it does what is missing, also after an
    interruption.

    Returns:
        0 when every job is done, 130 when interrupted.

    Raises:
        UsageError: no such benchmark, size or file, or another run is using ``output``.
        Failure: a job failed, the known-perfect encoder's check among them.
    """
    if name == SPEED:
        if file is not None:
            raise UsageError(f"benchmark {name} reads no file", f"leave {file} out")
        return _speed(size, Path(output).absolute(), cores, device)
    file = file.absolute() if file else None
    jobs = cases(name, size, file)
    output = Path(output).absolute()
    settings, log = output / "benchmark.yaml", output / "logs" / "workflow.log"
    write_text(settings, yaml.safe_dump({"benchmark": name, "size": size, "file": str(file) if file else None}))
    logger.info("%d jobs in %s; the workflow's own log is %s", len(jobs), output, log)
    said: set[str] = set()

    def poll() -> None:
        for job in jobs:
            if job not in said and _scores(output, job).exists():
                said.add(job)
                logger.info("%d of %d: %s", len(said), len(jobs), job)

    code = launch(packaged_path("benchmarks/Snakefile"), settings, cores, log, poll)
    if code == Exit.INTERRUPTED:
        return code
    if code != 0:
        raise Failure(_what_failed(output, list(jobs), log), "the same command goes on from here")
    return int(Exit.DONE)


def _speed(size: str, output: Path, threads: int, name: str) -> int:
    """Measure here and now, nothing beside it: speed.csv, methods.csv, table.md and figure.png in ``output``."""
    from xcebra_nwb.benchmark.speed import page, run
    from xcebra_nwb.training.device import device

    with device(name, threads) as place:
        rows, methods, top = run.measure(size, place)
        machine = run.machine(place, top) + (SHORT if size == "quick" else "")
    for table, name in ((rows, "speed.csv"), (methods, "methods.csv")):
        write_text(output / name, table.to_csv(index=False))
    write_text(output / "table.md", page.markdown(rows, methods, machine))
    page.save_figure(rows, methods, output / "figure.png")
    return int(Exit.DONE)


def _scores(output: Path, job: str) -> Path:
    return output / "cases" / f"{job}.csv"


def _what_failed(output: Path, jobs: list[str], log: Path) -> str:
    """The last words of the first job that began and did not end; those of the workflow if there is none."""
    for job in jobs:
        own = output / "logs" / f"{job}.log"
        if own.exists() and not _scores(output, job).exists():
            return f"{job}: {last_line(own)}"
    return last_line(log)
