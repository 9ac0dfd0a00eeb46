"""Kill a run at random moments, or lose its files one by one, run it again, and compare the results with a whole run.

``python -m tests.support.faults kill FOLDER --times 30`` kills the whole process group of ``xcebra-nwb run`` with -9,
over and over; the same command goes on each time. ``python -m tests.support.faults lose FOLDER`` deletes or cuts every
result file in turn. Both print a table, and end with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import psutil
import yaml

from tests.support import nwb_builders
from tests.support.paths import COMMAND
from tests.support.snakemake_runs import QUICK
from xcebra_nwb.core import receipts

SESSIONS = 3
SHARE = 0.6  # of the seconds of an undisturbed run, after which it is killed at the latest
DIGEST = re.compile(r"[0-9a-f]{64}")  # of the export, which has the date of its writing
SUMMARY_FILES = (
    *("summary.html", "atlas.parquet", "atlas.csv", "sessions.csv", "estimates.csv", "reproducibility.csv"),
)
FRESH = 0.15  # share of the kills after which all results are removed


def contents(results: Path) -> dict[str, str]:
    """Return a digest of the contents of every result file, by path; dates of writing do not count."""
    return {path.relative_to(results).as_posix(): _digest(path) for path in _result_files(results)}


def _result_files(results: Path) -> Iterator[Path]:
    """Yield the files of every session, their receipts, and the files of the summary."""
    for folder in sorted(results.glob(f"*/{receipts.FOLDER}")):
        for path in sorted([*folder.parent.iterdir(), *folder.iterdir()]):
            if path.is_file() and not path.name.startswith("."):
                yield path
    for name in SUMMARY_FILES:
        if (results / name).exists():
            yield results / name


def _digest(path: Path) -> str:
    if path.suffix == ".nwb":
        digest = hashlib.sha256()
        with h5py.File(path) as file:
            for line in _lines(file):
                digest.update(line)
        return digest.hexdigest()
    if path.suffix in (".html", ".json"):
        return hashlib.sha256(DIGEST.sub("", path.read_text(encoding="utf-8")).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines(file: h5py.File) -> Iterator[bytes]:
    """Return what an NWB file holds, without the dates of its writing and without random identifiers."""
    names: list[str] = []
    file.visit(names.append)
    for name in sorted(names):
        if name == "file_create_date":
            continue
        thing = file[name]
        yield name.encode()
        for attribute, value in sorted(thing.attrs.items()):
            if attribute not in ("object_id", ".specloc") and not isinstance(value, h5py.Reference):
                yield f"{attribute}={np.asarray(value).tolist()}".encode()
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind != "O":
            yield np.asarray(thing[()]).tobytes()
        elif isinstance(thing, h5py.Dataset) and h5py.check_string_dtype(thing.dtype) is not None:
            yield repr(thing.asstr()[()]).encode()


def differences(results: Path, whole: dict[str, str]) -> list[str]:
    """Return the result files that are not as in a whole run, and what a kill has left."""
    now = contents(results)
    wrong = [f"{name} differs" for name in now if name in whole and now[name] != whole[name]]
    wrong += [f"{name} is missing" for name in whole if name not in now]
    wrong += [f"{path.relative_to(results)} is left" for path in results.rglob(".[0-9]*-*")]
    return wrong


class Subject:
    """A folder with recordings, a config, and a run of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        for seed in range(SESSIONS):
            path = data / f"sub-rat{seed}_ses-1.nwb"
            if not path.exists():
                nwb_builders.tiny(path, seed=seed)
        (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))
        self._command = [str(COMMAND), "run", str(data), "-c", str(folder / "quick.yaml"), "--cores", "2", "-o"]

    def start(self, results: Path | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [*self._command, str(results or self.results)], start_new_session=True, stdout=said, stderr=said
            )

    def whole(self) -> tuple[dict[str, str], float]:
        """Return the contents of the results of a run that nobody disturbs, and its seconds (of the first time)."""
        reference, lasted, began = self.folder / "whole", self.folder / "seconds", time.monotonic()
        if self.start(reference).wait() != 0:
            raise SystemExit(f"the undisturbed run failed: {self.folder / 'said.txt'}")
        if not lasted.exists():
            lasted.write_text(str(time.monotonic() - began))
        return contents(reference), float(lasted.read_text())


def kill(folder: Path, times: int, seed: int) -> int:
    """Kill runs ``times`` times; return the number of kills after which something was wrong."""
    subject, chance = Subject(folder), random.Random(seed)
    whole, seconds = subject.whole()
    print(f"undisturbed: {len(whole)} files, {seconds:.0f} s\nkill  after  receipts  wrong")
    wrong, receipts_before = 0, -1
    for number in range(1, times + 1):
        if chance.random() < FRESH:
            shutil.rmtree(subject.results, ignore_errors=True)
        run = subject.start()
        moment = chance.uniform(0.5, seconds * SHARE)
        try:
            code, after = run.wait(timeout=moment), "ended"
        except subprocess.TimeoutExpired:
            _kill_group(run.pid)
            code, after = run.wait(), f"{moment:.0f} s"
        made = len([*subject.results.glob(f"*/{receipts.FOLDER}/*.json")])
        found = _half_written(subject.results, whole) if after != "ended" else differences(subject.results, whole)
        found += [f"it ended with {code}"] if code not in (0, -signal.SIGKILL) else []
        wrong += bool(found)
        print(f"{number:4d}  {after:>5}  {made:8d}  {'; '.join(found) or '-'}", flush=True)
        if after == "ended" or (made == receipts_before and chance.random() < FRESH):
            shutil.rmtree(subject.results, ignore_errors=True)
        receipts_before = made
    code = subject.start().wait()
    found = differences(subject.results, whole) + ([f"it ended with {code}"] if code else [])
    print(f" end  ended  {'':8}  {'; '.join(found) or '-'}")
    return wrong + bool(found)


def _half_written(results: Path, whole: dict[str, str]) -> list[str]:
    """Return the files of final names that a kill has left, and that are not whole."""
    try:
        now = contents(results) if results.exists() else {}
    except Exception as error:  # a file that cannot even be read
        return [f"{type(error).__name__}: {error}"]
    late = ("status.json", *SUMMARY_FILES)  # of the sessions so far
    return [f"{name} is half-written" for name in now if not name.endswith(late) and now[name] != whole[name]]


def _kill_group(group: int) -> None:
    members = [process for process in psutil.process_iter() if _group(process.pid) == group]
    os.killpg(group, signal.SIGKILL)
    psutil.wait_procs(members, timeout=30)


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except OSError:
        return 0


def lose(folder: Path) -> int:
    """Delete or cut every result file in turn, one of each session at a time, and run again after each.

    Returns:
        The number of times that a file was not made again, or that any result was not as before.
    """
    subject = Subject(folder)
    whole, _ = subject.whole()
    results = folder / "whole"
    sessions = sorted(path.parent.name for path in results.glob(f"*/{receipts.FOLDER}"))
    own = f"{sessions[0]}/"
    names = [name.removeprefix(own) for name in whole if name.startswith(own)]
    losses = [(session, name, how) for name, session in zip(names, sessions * len(names), strict=False) for how in HOW]
    losses += [("", name, how) for name in SUMMARY_FILES for how in HOW]
    wrong = 0
    print("lost  made again  wrong")
    while losses:
        now = {session: (session, name, how) for session, name, how in reversed(losses)}
        losses = [loss for loss in losses if loss not in now.values()]
        paths = []
        for session, name, how in now.values():
            path = results / session / name.replace(sessions[0], session or sessions[0])
            HOW[how](path)
            paths.append((path, f"{path.relative_to(results)} {how}"))
        code = subject.start(results).wait()
        found = differences(results, whole) + ([f"it ended with {code}"] if code else [])
        found += [f"{what}, and not made again" for path, what in paths if not path.exists()]
        wrong += bool(found)
        for path, what in paths:
            print(f"{what}  {'yes' if path.exists() else 'no'}  {'; '.join(found) or '-'}", flush=True)
    print(f"{wrong} of the runs went wrong")
    return wrong


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


HOW = {"deleted": Path.unlink, "cut": _cut}


def main() -> None:
    """Run the chosen check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kill", "lose"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = given.folder.absolute()
    sys.exit(1 if (kill(folder, given.times, given.seed) if given.what == "kill" else lose(folder)) else 0)


if __name__ == "__main__":
    main()
