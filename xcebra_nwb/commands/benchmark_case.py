"""benchmark_case: one job of a benchmark -> its scores."""

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
    """Do one ``job`` of the benchmark called ``name`` and write its scores to the CSV file ``scores``.

    ``file`` is what the benchmark is about, where it is about a file.

    Raises:
        UsageError: no such benchmark, size, file or job.
        Failure: the job is the check of the known-perfect encoder, and it fails.
    """
    jobs = cases(name, size, file)
    if job not in jobs:
        raise UsageError(f"no job {job} in the benchmark {name}", f"the first of its jobs: {', '.join(list(jobs)[:5])}")
    case = jobs[job]
    commands = Commands(simulate, extract, train, attribute, assess)
    with tempfile.TemporaryDirectory() as folder:
        found = case.work(JobContext(commands, Path(folder), threads))
    table = pd.DataFrame([{**case.columns, **score} for score in found])
    with atomic(scores) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan")
    return scores
