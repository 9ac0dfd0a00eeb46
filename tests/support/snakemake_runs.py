"""Start Snakemake and other programs from the root of the project, and read the plan of a dry run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.paths import ROOT

QUICK = {"training": {"steps": 30, "batch_size": 64, "seeds": 2, "nulls": 3}, "neural": {"min_spikes": 10}}


def call(*command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [str(c) for c in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=500
    )


def snakemake(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Snakemake to its end."""
    return call(sys.executable, "-m", "snakemake", *arguments, cwd=cwd)


def jobs(planned: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return the number of jobs by rule, from the table that a dry run prints."""
    assert planned.returncode == 0, planned.stderr
    lines = (planned.stdout + planned.stderr).splitlines()
    table = [line.split() for line in lines[lines.index("Job stats:") :]]
    return {row[0]: int(row[1]) for row in table if len(row) == 2 and row[1].isdigit()}


def wait_for(happened: Callable[[], object]) -> None:
    """Wait until something has happened, for a minute at most."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)
