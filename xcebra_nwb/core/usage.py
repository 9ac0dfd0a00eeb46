"""The time and the memory that a command took, measured by the command itself.

Snakemake measures the process that it starts, which may have handed the command over to the warm process.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil

from xcebra_nwb.core.files import write_text

FOLDER = "benchmarks"  # in the results
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss
STATUS = Path("/proc/self/status")
COLUMNS = ("s", "h:m:s", "max_rss", "mean_load", "cpu_time")  # as Snakemake names them


def save(path: Path) -> None:
    """Write seconds, the most memory (MB), per cent of a core, and CPU seconds of this process as a table.

    Args:
        path: The table, tab separated.
    """
    seconds = max(time.time() - psutil.Process().create_time(), 1e-3)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    memory = max(_most_memory(), used[1].ru_maxrss * UNIT) / 1e6
    clock = str(timedelta(seconds=round(seconds)))
    row = (f"{seconds:.2f}", clock, f"{memory:.1f}", f"{100 * cpu / seconds:.1f}", f"{cpu:.2f}")
    write_text(path, "\t".join(COLUMNS) + "\n" + "\t".join(row) + "\n")


def _most_memory() -> float:
    """The most bytes that this process held.

    On Linux, ru_maxrss has those of the process that started this one, too.
    """
    if STATUS.exists():
        for line in STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
