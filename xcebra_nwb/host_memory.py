"""How much memory the machine has left for us: what nobody uses, and what the limit of a job leaves of it."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # of the container or the job that we run in, where there is one
CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", ""),  # version 2
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_"),  # version 1
)
CACHED = ("active_file", "inactive_file")  # parts of files, counted as ours until somebody needs the room


def free_bytes() -> int:
    """Return how many bytes can be had now, whoever else uses memory."""
    return min([int(psutil.virtual_memory().available), *_left_to_the_job()])


def _left_to_the_job() -> list[int]:
    """What a control group leaves of its limit, if there is one."""
    for limit, usage, statistics, prefix in CGROUP_FILES:
        if (CGROUP / limit).exists() and (CGROUP / usage).exists():
            most = (CGROUP / limit).read_text().strip()
            if most == "max":
                return []
            used = int((CGROUP / usage).read_text()) - _cached(CGROUP / statistics, prefix)
            return [max(0, int(most) - max(0, used))]
    return []


def _cached(statistics: Path, prefix: str) -> int:
    """How many bytes of a control group's memory hold parts of files: they go when the room is needed."""
    if not statistics.exists():
        return 0
    values = dict(line.split() for line in statistics.read_text().splitlines())
    return sum(int(values.get(prefix + name, 0)) for name in CACHED)
