"""benchmark_case: run one job of a benchmark and write its scores."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from xcebra_nwb.benchmark.case import Commands, JobContext
from xcebra_nwb.benchmark.catalogue import cases
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.simulate import simulate
from xcebra_nwb.commands.train import train
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic


def benchmark_case(name: str, job: str, size: str, scores: Path, threads: int = 1, file: Path | None = None) -> Path:
    """Run one job of a benchmark and write its scores.

    Args:
        name: Name of the benchmark.
        job: Name of the job.
        size: ``quick``, ``reduced`` or ``full``.
        scores: CSV file to write.
        threads: CPU threads.
        file: NWB file, for the benchmark of a file.

    Raises:
        UsageError: There is no such benchmark, size, file or job.
        Failure: The job checks the known-perfect encoder, and the check fails.
    """
    jobs = cases(name, size, file)
    if job not in jobs:
        raise UsageError(f"no job {job} in the benchmark {name}", f"the first of its jobs: {', '.join(list(jobs)[:5])}")
    case = jobs[job]
    commands = Commands(simulate, extract, train, attribute, assess)
    with tempfile.TemporaryDirectory() as folder:
        rows = case.work(JobContext(commands, Path(folder), threads))
    table = pd.DataFrame([{**case.columns, **score} for score in rows])
    with atomic(scores) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan")
    return scores
