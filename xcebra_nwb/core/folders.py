"""Folders that can be trusted: results that no link leads out of, and folders of this user alone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from xcebra_nwb.core.errors import UsageError

FORESEEABLE = ("logs", "benchmarks", ".snakemake")  # in which a run opens files whose names can be foreseen
ENVIRONMENTS = {"conda", "conda-archive", "singularity"}  # of Snakemake, full of links that lead out
PROGRAM = "xcebra-nwb"
BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
LINKS = 40  # in a row, as many as Linux follows


def check_run(folder: Path, sessions: Iterable[str] = ()) -> None:
    """Raise :class:`UsageError` if something in a folder of results takes elsewhere what a run writes there."""
    check_inside(folder, (found for name in FORESEEABLE for found in _below(folder, name)))
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


def user_id() -> int | None:
    """Return the number of this user; None on a system that has none, where folders of users are apart anyway."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def base_folder(variable: str, default: str) -> Path:
    """Return the folder that ``variable`` names, if absolute, else ``default`` in the user's home.

    Raises:
        UsageError: no home is known.
    """
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / default
    except RuntimeError:
        raise UsageError("this user has no home folder", f"set HOME or {variable}") from None


def user_folder(path: Path, remedy: str) -> Path:
    """Return a folder that only this user may write to, made with mode 0700 if it is not there.

    Args:
        path: the folder. Links that lead there are followed where this user or root made them.
        remedy: what would help where the folder is another's.

    Raises:
        UsageError: it cannot be made, is no folder, or others own it, may write to it, or made a link to it.
    """
    try:
        folder = _through_own_links(path, remedy)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise UsageError(f"{path}: this folder cannot be used: {error.strerror}", remedy) from None
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{path}: no folder", remedy)
    if user_id() is not None and found.st_uid != user_id():
        raise UsageError(f"{path}: this folder belongs to another user", remedy)
    if user_id() is not None and found.st_mode & BY_OTHERS:
        raise UsageError(f"{path}: others may write to this folder", f"chmod -R go-w {folder}, or {remedy}")
    return path


def _through_own_links(path: Path, remedy: str) -> Path:
    """Where a path leads to; a link of another user could lead elsewhere at any moment."""
    path = path.absolute()
    for _ in range(LINKS):
        link = next((one for one in (*reversed(path.parents), path) if one.is_symlink()), None)
        if link is None:
            return path
        if user_id() is not None and link.lstat().st_uid not in {0, user_id()}:
            raise UsageError(f"{path}: {link} is a link of another user", remedy)
        path = link.parent / link.readlink() / path.relative_to(link)
    raise UsageError(f"{path}: too many links", remedy)


def runtime_folder() -> Path:
    """Return the folder of this user for what ends with the session on this machine, such as locks.

    Raises:
        UsageError: others made a folder of that name, and nothing else can be used.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if named and Path(named).is_dir():
        try:
            own = user_folder(Path(named), "")
            return user_folder(own / PROGRAM, "")
        except UsageError:  # left over from another user, by `su` or `sudo`
            pass
    mine = f"{PROGRAM}-{user_id()}" if user_id() is not None else PROGRAM
    return user_folder(Path(tempfile.gettempdir()) / mine, "let TMPDIR name a folder of your own")
