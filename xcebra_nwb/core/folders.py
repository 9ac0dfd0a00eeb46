"""Folders that can be trusted: results that no link leads out of, and folders of this user alone.

Results are written beside their names and renamed, which replaces a link. Logs and the like are opened by name, so a
link or a pipe of that name, in results from somebody else, would redirect them.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from xcebra_nwb.core.errors import Failure, UsageError

FORESEEABLE = ("logs", "benchmarks", ".snakemake")  # a run opens files of predictable names in them
ENVIRONMENTS = {"conda", "conda-archive", "singularity"}  # of Snakemake, full of links that lead out
PROGRAM = "xcebra-nwb"
CACHE_VARIABLE = "XCEBRA_NWB_CACHE"
CACHE_REMEDY = f"let {CACHE_VARIABLE} name a folder of your own"
BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
LINKS = 40  # followed in a row, as many as Linux follows


def check_run(folder: Path, sessions: Iterable[str] = ()) -> None:
    """Check that no link or pipe in a folder of results redirects what a run writes.

    Args:
        folder: Folder of the results.
        sessions: Names of the sessions whose folders are checked too.

    Raises:
        UsageError: Something leads out of the folder, or is neither a file nor a folder.
    """
    check_inside(folder, (path for name in FORESEEABLE for path in _below(folder, name)))
    check_inside(folder, (path for session in sessions for path in (session, f"{session}/receipts")))


def check_inside(folder: Path, names: Iterable[str]) -> None:
    """Check that paths of ``folder`` stay inside it and are files or folders.

    Args:
        folder: The folder.
        names: Paths relative to it; they need not exist.

    Raises:
        UsageError: A path leads out of the folder, or is a pipe or a device.
    """
    home = Path(os.path.realpath(folder))
    for name in names:
        path = folder / name
        if not Path(os.path.realpath(path)).is_relative_to(home):
            raise UsageError(f"{path}: a link out of {folder}", "replace the link by its target, or remove it")
        if path.exists() and not _is_ordinary(path):
            raise UsageError(f"{path}: neither a file nor a folder", "remove it")


def check_writable(folder: Path, remedy: str = "check its permissions and its disk") -> None:
    """Check that files can be written into a folder, before work begins; create it if needed.

    Args:
        folder: The folder.
        remedy: What would help.

    Raises:
        Failure: They cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Failure(f"{folder}: cannot be written to: {error.strerror}", remedy) from None


def nearest(folder: Path) -> Path:
    """Return a folder if it is there, else the nearest of its parents that is."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _is_ordinary(path: Path) -> bool:
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _below(folder: Path, name: str) -> Iterator[str]:
    """Yield a name, and the names below it that may be wrong: links, and what is neither a file nor a folder.

    Links are not followed. A file or a folder is inside if all folders above it are; a thousand sessions have ten
    thousands of them.
    """
    yield name
    waiting = [folder / name]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting += [Path(entry.path)] if entry.name not in ENVIRONMENTS else []
                    elif not entry.is_file(follow_symlinks=False):
                        linked_environment = entry.name in ENVIRONMENTS and entry.is_dir()
                        yield from [] if linked_environment else [os.path.relpath(entry.path, folder)]
        except OSError:  # not there, no folder, or not to be read
            continue


def user_id() -> int | None:
    """Return the number of this user; None on Windows, which keeps users apart itself."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def base_folder(variable: str, default: str) -> Path:
    """Return the folder that an environment variable names, or a default one.

    Args:
        variable: Name of the variable; it counts only if it holds an absolute path.
        default: Path of the default folder, relative to the user's home.

    Raises:
        UsageError: The user has no home folder.
    """
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / default
    except RuntimeError:
        raise UsageError("this user has no home folder", f"set HOME or {variable}") from None


def cache_folder() -> Path:
    """Return the folder of this user's cache, whether it exists or not.

    It is $XCEBRA_NWB_CACHE, or ``xcebra-nwb`` in the user's folder for caches.

    Raises:
        UsageError: The user has no known home folder.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if not named:
        return base_folder("XDG_CACHE_HOME", ".cache") / PROGRAM
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError:
        raise UsageError(f"{CACHE_VARIABLE}: {named}: no such user", CACHE_REMEDY) from None


def user_folder(path: Path, remedy: str) -> Path:
    """Return a folder that only this user may write to; create it if needed.

    Args:
        path: The folder. Links that lead there are followed if this user or root made them.
        remedy: What would help if the folder belongs to somebody else.

    Raises:
        UsageError: It cannot be created or is no folder; or others own it, may write to it, or made a link to it.
    """
    try:
        folder = _through_own_links(path, remedy)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise UsageError(f"{path}: this folder cannot be used: {error.strerror}", remedy) from None
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path}: not a folder", remedy)
    if user_id() is not None and status.st_uid != user_id():
        raise UsageError(f"{path}: this folder belongs to another user", remedy)
    if user_id() is not None and status.st_mode & BY_OTHERS:
        raise UsageError(f"{path}: others may write to this folder", f"chmod -R go-w {folder}, or {remedy}")
    return path


def _through_own_links(path: Path, remedy: str) -> Path:
    """Return the target of a path; a link of another user could change at any moment."""
    path = path.absolute()
    for _ in range(LINKS):
        link = next((part for part in (*reversed(path.parents), path) if part.is_symlink()), None)
        if link is None:
            return path
        if user_id() is not None and link.lstat().st_uid not in {0, user_id()}:
            raise UsageError(f"{path}: {link} is a link of another user", remedy)
        path = link.parent / link.readlink() / path.relative_to(link)
    raise UsageError(f"{path}: too many links", remedy)


def runtime_folder() -> Path:
    """Return the folder of this user for files of the login session, such as locks.

    Raises:
        UsageError: Others made a folder of that name, and no other can be used.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if named and Path(named).is_dir():
        try:
            return user_folder(user_folder(Path(named), "") / PROGRAM, "")
        except UsageError:  # left over from another user, by `su` or `sudo`
            pass
    name = f"{PROGRAM}-{user_id()}" if user_id() is not None else PROGRAM
    return user_folder(Path(tempfile.gettempdir()) / name, "let TMPDIR name a folder of your own")
