"""Run many tiny sessions on this machine, and print wall and CPU time by command.

``python benchmarks/scale.py FOLDER --sessions 1000``, from the root of the project, with nothing else at work.
One of the recordings has no behaviour and is refused. One is open for writing elsewhere and fails. The training of one
is killed. The run is then repeated, which makes these two, and repeated once more with nothing left to do.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import h5py
import pandas as pd
import psutil
import yaml

from tests.support import nwb_builders
from tests.support.paths import COMMAND
from tests.support.snakemake_runs import QUICK

ADOPT = 36  # PR_SET_CHILD_SUBREAPER of prctl: the CPU time of all descendants is counted
ONE_LABEL = {"labels": {"position": {"source": "/processing/behavior/Position/position", "kind": "continuous"}}}
REFUSED, FAILED, KILLED = 1, 2, 3  # numbers of the sessions


class Run(NamedTuple):
    """A run of all sessions: its exit code, seconds, and CPU seconds of all of its processes."""

    code: int
    wall: float
    cpu: float


def recordings(folder: Path, count: int) -> None:
    """Write ``count`` recordings that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"sub-rat{number}_ses-one.nwb"
        if not path.exists() and number == REFUSED:
            nwb_builders.without_behaviour(path)
        elif not path.exists():
            nwb_builders.tiny(path, seed=number)


def run(folder: Path, cores: int, log: str) -> Run:
    """Run all sessions of a folder, and wait for all processes."""
    command = [COMMAND, "run", folder / "data", "-o", folder / "results", "-c", folder / "quick.yaml", "--cores", cores]
    began, before = time.monotonic(), _cpu()
    with (folder / log).open("w") as said:
        code = subprocess.run([str(word) for word in command], stdout=said, stderr=said, check=False).returncode
    with suppress(ChildProcessError):
        while True:
            os.wait()
    return Run(code, time.monotonic() - began, _cpu() - before)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kill_training(session: str, done: threading.Event) -> None:
    """Kill the training of a session as soon as it is at work."""
    while not done.wait(0.1):
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if "train" in words and words[-1] == session:
                    process.kill()
                    return


def by_command(results: Path) -> pd.DataFrame:
    """Return the mean seconds, CPU seconds and largest memory of each command, over sessions."""
    rows: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for path in results.glob("benchmarks/*/*.tsv"):
        rows[path.stem].append(pd.read_csv(path, sep="\t"))
    tables = {command: pd.concat(tables) for command, tables in rows.items()}
    return pd.DataFrame(
        {
            command: {
                "sessions": len(table),
                "wall s": table["s"].mean(),
                "CPU s": table["cpu_time"].mean(),
                "most MB": table["max_rss"].max(),
            }
            for command, table in tables.items()
        }
    ).T


def not_done(results: Path) -> dict[str, str]:
    """Return the sessions that are not done, with state and reason."""
    found = {}
    for path in sorted(results.glob("*/status.json")):
        status = json.loads(path.read_text())
        if status["state"] != "done":
            found[path.parent.name] = f"{status['state']}: {status['reason']}"
    return found


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--one-label", action="store_true", help="position alone, not also head direction and speed")
    given = parser.parse_args()
    folder = given.folder.absolute()
    ctypes.CDLL(None).prctl(ADOPT, 1)
    recordings(folder / "data", given.sessions)
    (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK | (ONE_LABEL if given.one_label else {})))
    names = sorted(path for path in (folder / "data").iterdir())
    done = threading.Event()
    killer = threading.Thread(target=kill_training, args=(f"sub-rat{KILLED}_ses-one", done))
    killer.start()
    with h5py.File(folder / "data" / f"sub-rat{FAILED}_ses-one.nwb", "r+"):
        first = run(folder, given.cores, "first.log")
    done.set()
    killer.join()
    results = folder / "results"
    print(by_command(results).round(2).to_string())
    of_commands = sum(pd.read_csv(path, sep="\t")["cpu_time"][0] for path in results.glob("benchmarks/*/*.tsv"))
    print(f"\n{len(names)} sessions, {given.cores} cores: {first.wall:.0f} s, {first.cpu:.0f} CPU s, exit {first.code}")
    print(f"a session: {first.cpu / len(names):.1f} CPU s, of which {of_commands / len(names):.1f} in its commands")
    print(f"sessions an hour of {given.cores} free cores: {3600 * given.cores / (first.cpu / len(names)):.0f}")
    for session, why in not_done(results).items():
        print(f"{session}: {why}")
    for title in ("again, with what failed", "again, with nothing left"):
        again = run(folder, given.cores, "again.log")
        print(f"{title}: {again.wall:.0f} s, {again.cpu:.1f} CPU s, exit {again.code}")


if __name__ == "__main__":
    main()
