"""Damaged files through ``inspect`` and ``extract``.

``python -m tests.support.fuzzing.run 0 1000`` runs the seeds 0 to 999.

Every file ends in a session that keeps its contract or in one line. Each runs in a process of its own, so that a crash,
a hang and the memory it takes are seen.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numcodecs.blosc
import numpy as np
import psutil

from tests.support import nwb_builders as build
from tests.support.fuzzing.damage import damage, damage_zarr
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.inspect import inspect, render
from xcebra_nwb.core.config.schema import Config, validate
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.nwb.reading.zarr import store  # noqa: F401  imported once, before the processes part

numcodecs.blosc.use_threads = False  # they would not live on in the processes, which would wait for them
LONGEST = 20  # s of the processor, or s asleep; a busy machine that lets a process wait for its turn is no hang
MOST_MEMORY = 2**30  # bytes beyond those of the process that starts the others, which they begin with
EVERY = 25  # seeds between two lines of progress
BASES = ("spikes", "rates", "traces", "rois", "zarr")
NAMED: dict[str, dict[str, Any]] = {  # named in the config, so that damage is met and not skipped
    "spikes": {"neural": {"source": "/units", "where": "n_spikes > 0"}, "labels": {
        "place": {"source": "/processing/behavior/Position/position"}, "side": {"source": "/intervals/trials#side"}}},
    "rates": {"neural": {"source": "/processing/ecephys/firing_rates"}, "labels": {
        "speed": {"source": "/processing/behavior/BehavioralTimeSeries/speed"}}},
    "traces": {"neural": {"source": "/acquisition/Activity_*"}},
    "rois": {"neural": {"source": "/processing/ophys/DfOverF/dff", "where": "is_cell >= 0"}},
    "zarr": {"neural": {"source": "/units"}, "time": {"within": "/intervals/trials: side == 'left'"}},
}  # fmt: skip


def make_bases(folder: Path) -> dict[str, Path]:
    """Write one small whole file per layout into ``folder``, one of them as Zarr, and return them by name."""
    times, place = build.circling(30.0)
    values = np.random.default_rng(0).normal(size=(len(times), 12))
    made = {}
    for name in BASES:
        nwb = build.new(name)
        build.add_position(nwb, times, place)
        build.add_behaviour(nwb, "speed", times, 1 + np.sin(times))
        build.add_intervals(nwb, "trials", [[i * 3, i * 3 + 2.5] for i in range(10)], side=["left", "right"] * 5)
        if name in {"spikes", "zarr"}:
            build.add_units(nwb, build.steady_spikes(5, stop=30.0), [[[0, 30]]] * 5, location=["CA1"] * 5)
        elif name == "rates":
            build.add_rates(nwb, None, values, rate=20.0)
        elif name == "traces":
            build.add_traces(nwb, times, values)
        else:
            build.add_rois(nwb, times, values)
        path = build.save(nwb, folder / f"{name}.nwb")
        made[name] = build.as_zarr(path) if name == "zarr" else path
    return made


def damaged(bases: dict[str, Path], seed: int, folder: Path) -> tuple[Path, str, list[str]]:
    """Return a damaged copy, the name of the file of which it is a copy, and the damage."""
    name = BASES[seed % len(BASES)]
    path = folder / f"{seed}-{bases[name].name}"
    if name == "zarr":
        return Path(shutil.copytree(bases[name], path)), name, damage_zarr(path, seed)
    shutil.copy(bases[name], path)
    return path, name, damage(path, seed)


def configs(name: str) -> list[Config]:
    """Return the configs that a file is extracted with: ``auto``, and one that names its sources."""
    common = {"training": {"batch_size": 16}}
    return [validate(common), validate(common | NAMED[name])]


def endings(path: Path, name: str, folder: Path) -> list[str]:
    """Return how ``inspect`` and each ``extract`` ended: "done", or the class of an error of one line.

    Raises:
        Exception: any other error.
    """
    ended = []
    for work in (lambda: render(inspect(path)), *(lambda c=c: extract(path, folder, c, "one") for c in configs(name))):
        try:
            work()
            ended.append("done")
        except XcebraError as error:
            assert "\n" not in str(error) and len(str(error)) < 3000, str(error)
            ended.append(type(error).__name__)
    return ended


def run_apart(bases: dict[str, Path], seed: int, folder: Path) -> str:
    """Run the file of ``seed`` in a process of its own, and return what went wrong, or "" if it ended well."""
    path, name, done = damaged(bases, seed, folder)
    report, before = folder / f"{seed}.txt", psutil.Process().memory_info().rss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads of fsspec wait in the parent, and have no part in the child
        child = os.fork()
    if not child:
        code = 1
        try:
            warnings.simplefilter("ignore")
            report.write_text(",".join(endings(path, name, folder / f"{seed}")))
            code = 0
        except BaseException:
            report.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    problem, most = _wait(child)
    grown = most - before
    told = report.read_text() if report.exists() else ""
    memory = f"{grown / 2**20:.0f} MB" if grown > MOST_MEMORY else ""
    if not problem and not memory:
        return ""
    last = [line.strip() for line in told.splitlines() if line.strip()]
    where = " <- ".join(line for line in reversed(last) if line.startswith("File") and "xcebra_nwb/" in line)[:300]
    return f"{seed} {name} {done}: {problem} {memory} {last[-1] if last else ''} {where}"


def _wait(child: int) -> tuple[str, int]:
    """Return how a process ended, or "" if well, and the most memory that it had, in bytes."""
    process, awake = psutil.Process(child), time.monotonic()
    while True:
        finished, status, usage = os.wait4(child, os.WNOHANG)
        if finished:
            break
        used = sum(process.cpu_times()[:2])
        if process.status() != psutil.STATUS_SLEEPING:
            awake = time.monotonic()
        if used > LONGEST or time.monotonic() - awake > LONGEST:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return (f"takes over {LONGEST} s" if used > LONGEST else "hangs"), 0
        time.sleep(0.01)
    code = os.waitstatus_to_exitcode(status)
    return (f"exit {code}" if code else ""), usage.ru_maxrss * 1024


def _progress(done: int, bad: list[int], started: float) -> str:
    return f"{done} seeds in {time.monotonic() - started:.0f} s, {len(bad)} ended badly: {bad}"


def main(first: int, last: int) -> int:
    """Run the seeds, print those that end badly, and return how many did."""
    bad: list[int] = []
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bases = make_bases(Path(name))
        for seed in range(first, last):
            with tempfile.TemporaryDirectory() as folder:
                problem = run_apart(bases, seed, Path(folder))
                counts["bad" if problem else (Path(folder) / f"{seed}.txt").read_text()] += 1
            if problem:
                bad.append(seed)
                print(problem, flush=True)
            if (seed + 1 - first) % EVERY == 0:
                print(_progress(seed + 1 - first, bad, started), file=sys.stderr, flush=True)
    for ended, count in counts.most_common():
        print(f"{count:5d} {ended}")
    print(_progress(last - first, bad, started))
    return len(bad)


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
