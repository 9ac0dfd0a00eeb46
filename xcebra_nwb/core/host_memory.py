"""How much memory the machine has left for us: what nobody uses, and what the limit of a job leaves of it."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # of the machine, or of the container that we run in
OWN_GROUPS = Path("/proc/self/cgroup")  # the control group of this process
CGROUP_FILES = (  # folder of the memory's groups, controller as OWN_GROUPS names it, and names
    ("", "", "memory.max", "memory.current", ""),  # version 2
    ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),  # version 1
)
CACHED = ("active_file", "inactive_file")  # parts of files, counted as ours until somebody needs the room


def free_bytes() -> int:
    """Return how many bytes can be had now, whoever else uses memory."""
    return min([int(psutil.virtual_memory().available), *_left_to_the_job()])


def _left_to_the_job() -> list[int]:
    """What our control group and each of those above it leave of their limits."""
    left = []
    for folder, controller, limit, usage, prefix in CGROUP_FILES:
        own = _control_group(controller)
        for group in [CGROUP / folder / above for above in (own, *own.parents)]:
            if (group / limit).exists() and (group / usage).exists():
                most = (group / limit).read_text().strip()
                if most != "max":
                    used = int((group / usage).read_text()) - _cached(group / "memory.stat", prefix)
                    left.append(max(0, int(most) - max(0, used)))
    return left


def _control_group(controller: str) -> Path:
    """Our group of a controller, from the folder of its groups on; that folder where the system does not say it."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:  # another system
        return Path()
    return next((Path(where.lstrip("/")) for _, names, where in lines if controller in names.split(",")), Path())


def _cached(statistics: Path, prefix: str) -> int:
    """How many bytes of a control group's memory hold parts of files: they go when the room is needed."""
    if not statistics.exists():
        return 0
    values = dict(line.split() for line in statistics.read_text().splitlines())
    return sum(int(values.get(prefix + name, 0)) for name in CACHED)
