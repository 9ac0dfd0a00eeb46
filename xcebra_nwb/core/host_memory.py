"""Free memory of the machine, within the limit of the job."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # of the machine or the container
OWN_GROUPS = Path("/proc/self/cgroup")  # the control group of this process
CGROUP_FILES = (  # folder of the memory's groups, controller as OWN_GROUPS names it, and names
    ("", "", "memory.max", "memory.current", ""),  # version 2
    ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),  # version 1
)
CACHED = ("active_file", "inactive_file")  # cached parts of files, which count as used


def free_bytes() -> int:
    """Return the number of bytes that this process can still allocate."""
    return min([int(psutil.virtual_memory().available), *_left_to_the_job()])


def _left_to_the_job() -> list[int]:
    """Return the bytes left within the limits of our control group and of its parents."""
    free = []
    for folder, controller, limit, usage, prefix in CGROUP_FILES:
        innermost = _control_group(controller)
        for group in [CGROUP / folder / path for path in (innermost, *innermost.parents)]:
            if (group / limit).exists() and (group / usage).exists():
                most = (group / limit).read_text().strip()
                if most != "max":
                    used = int((group / usage).read_text()) - _cached(group / "memory.stat", prefix)
                    free.append(max(0, int(most) - max(0, used)))
    return free


def _control_group(controller: str) -> Path:
    """Return our control group, relative to the folder of the controller's groups."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:  # another system
        return Path()
    return next((Path(path.lstrip("/")) for _, names, path in lines if controller in names.split(",")), Path())


def _cached(statistics: Path, prefix: str) -> int:
    """Return the bytes of a control group that cache files; they are freed on demand."""
    if not statistics.exists():
        return 0
    values = dict(line.split() for line in statistics.read_text().splitlines())
    return sum(int(values.get(prefix + name, 0)) for name in CACHED)
