"""A run writes below its folder: no link and no pipe that lies there, in results of a stranger, takes it elsewhere.

Results are written beside their names and renamed, which replaces a link. Logs and the like are opened by their names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from xcebra_nwb.core.errors import UsageError

OPENED = ("logs", "benchmarks", ".snakemake")  # in which a run opens files whose names can be foreseen
ENVIRONMENTS = {"conda", "conda-archive", "singularity"}  # of Snakemake, full of links that lead out


def check_run(folder: Path, sessions: Iterable[str] = ()) -> None:
    """Raise :class:`UsageError` if something in a folder of results takes elsewhere what a run writes there."""
    check_inside(folder, (found for name in OPENED for found in _below(folder, name)))
    check_inside(folder, (found for session in sessions for found in (session, f"{session}/receipts")))


def check_inside(folder: Path, names: Iterable[str]) -> None:
    """Raise :class:`UsageError` if a file or folder of ``folder`` leads out of it, or is a pipe or a device."""
    home = Path(os.path.realpath(folder))
    for name in names:
        path = folder / name
        if not Path(os.path.realpath(path)).is_relative_to(home):
            raise UsageError(f"{path}: a link out of {folder}", "put what it leads to in its place, or remove it")
        if path.exists() and not _is_ordinary(path):
            raise UsageError(f"{path}: neither a file nor a folder", "remove it")


def _is_ordinary(path: Path) -> bool:
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _below(folder: Path, name: str) -> Iterator[str]:
    """A name and all names below it; into no link."""
    yield name
    for where, folders, files in os.walk(folder / name):
        folders[:] = [one for one in folders if one not in ENVIRONMENTS]
        yield from (os.path.relpath(Path(where, one), folder) for one in (*folders, *files))
