"""The time and the memory that a command took, measured by the command itself.

Snakemake measures the process that it starts, which may have handed the command over to the warm process.
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil

from xcebra_nwb.core.files import write_text

FOLDER = "benchmarks"  # in the results
COLUMNS = ("s", "h:m:s", "max_rss", "mean_load", "cpu_time")  # as Snakemake names them


def save(path: Path) -> None:
    """Write seconds, the most memory (MB), per cent of a core, and CPU seconds of this process as a table.

    Args:
        path: The table, tab separated.
    """
    seconds = max(time.time() - psutil.Process().create_time(), 1e-3)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    memory = max(one.ru_maxrss for one in used) * unit / 1e6
    clock = str(timedelta(seconds=round(seconds)))
    row = (f"{seconds:.2f}", clock, f"{memory:.1f}", f"{100 * cpu / seconds:.1f}", f"{cpu:.2f}")
    write_text(path, "\t".join(COLUMNS) + "\n" + "\t".join(row) + "\n")
