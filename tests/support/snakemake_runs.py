"""Start Snakemake and other programs from the root of the project, and read the plan of a dry run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from tests.support import nwb_builders
from tests.support.paths import ROOT

QUICK = {"training": {"steps": 30, "batch_size": 64, "seeds": 2, "nulls": 3}, "neural": {"min_spikes": 10}}

FILES = (
    "session.nc",
    "inventory.json",
    "sizes.json",
    "model.safetensors",
    "training.nc",
    "embedding.nc",
    "attribution.nc",
    "assessment.json",
    "check.json",
    "report.html",
    "atlas.json",
    "status.json",
)


def make_recordings(folder: Path, good: int = 1) -> Path:
    """Write ``sub-rat_ses-0.nwb``, which is refused, and from 1 on recordings that are not."""
    folder.mkdir()
    nwb_builders.without_behaviour(folder / "sub-rat_ses-0.nwb")
    for number in range(1, good + 1):
        nwb_builders.tiny(folder / f"sub-rat_ses-{number}.nwb", seed=number, only_position=True)
    return folder


def check_results(results: Path, done: list[str], refused: str) -> None:
    """Check that some sessions are done and one is refused, with all files of both."""
    for session in done:
        present = {path.name for path in (results / session).iterdir()}
        assert set(FILES) | {f"{session}_desc-xcebra.nwb"} <= present
        assert json.loads((results / session / "status.json").read_text())["state"] == "done"
    status = json.loads((results / refused / "status.json").read_text())
    assert status["state"] == "refused"
    assert "no behaviour" in status["reason"]
    assert status["remedy"]
    assert not (results / refused / "session.nc").exists()
    atlas = pd.read_parquet(results / "atlas.parquet")
    assert set(atlas["session"]) == set(done)
    assert (results / "summary.html").stat().st_size > 1000
    assert not list(results.rglob(".[0-9]*"))  # nothing half-written


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
    """Wait until something has happened, for five minutes at most: a busy machine takes its time."""
    deadline = time.monotonic() + 300
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)
