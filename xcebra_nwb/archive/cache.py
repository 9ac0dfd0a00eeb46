"""Keep the assets of archives in a cache that all projects of a user share.

An asset is found by its digest. It is either whole or absent, and only one process fetches it.

- ``objects/<digest>/<name>``: whole files, verified and never changed, under a name for each asset of that content
- ``stamps/<digest>``: the signature of the verified files: their sizes, times and inodes
- ``incoming/<digest>/``: an unfinished download, which is resumed
- ``ranges/<digest>/``: blocks of files that were streamed, each with its signature
- ``locks/<digest>``: locked while an asset is fetched; the lock of a killed process ends with it

Only the user can enter these folders. A file is used if its signature is right, or else its digest.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock

from xcebra_nwb.archive.signing import is_signed, signature
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.folders import PROGRAM, base_folder, user_folder
from xcebra_nwb.core.session_table import Session

VARIABLE = "XCEBRA_NWB_CACHE"
REMEDY = f"let {VARIABLE} or XDG_CACHE_HOME name a folder of your own"
SPARE = 1.05  # free space needed, relative to an asset's size
UNFIT = re.compile(r"[^A-Za-z0-9_.+-]+")
PLAIN = re.compile(r"[0-9a-zA-Z-]+")


def root() -> Path:
    """Return the folder of the cache.

    It is $XCEBRA_NWB_CACHE, or ``xcebra-nwb`` in the user's folder for caches.

    Raises:
        UsageError: The user has no known home folder.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return base_folder("XDG_CACHE_HOME", ".cache") / PROGRAM
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError:
        raise UsageError(f"{VARIABLE}: {named}: no such user", REMEDY) from None


def private_folder(path: Path) -> Path:
    """Create a folder of the cache if needed, and return it.

    Only the user may enter it and the folders above it in the cache.

    Raises:
        UsageError: Others can enter one of the folders, or one cannot be created.
    """
    folder = user_folder(root(), REMEDY)
    for part in path.relative_to(folder).parts:
        folder = folder / part
        if folder.is_symlink():
            raise UsageError(f"{folder}: a link in the cache", f"remove it, or {REMEDY}")
        user_folder(folder, REMEDY)
    return path


def key(row: Session) -> str:
    """Return the digest by which an asset is kept.

    Raises:
        UsageError: The table has no digest, or an invalid one.
    """
    digest = row.etag or row.sha256
    if not digest:
        raise UsageError(f"{row.session}: no digest of {row.path} is known", "wait for the archive to compute it")
    if not PLAIN.fullmatch(digest):
        raise UsageError(f"{row.session}: {digest!r} is no digest", "make the table with `xcebra-nwb discover`")
    return digest


def asset_path(row: Session) -> Path:
    """Return the path of a whole asset in the cache, whether it exists or not."""
    return root() / "objects" / key(row) / (UNFIT.sub("-", PurePosixPath(row.path).name).strip("-.") or "asset.nwb")


def stored_files(row: Session) -> list[Path]:
    """Return the files of an asset's content under any name, verified or not."""
    folder = asset_path(row).parent
    return sorted(private_folder(folder).iterdir()) if os.path.lexists(folder) else []


def is_stamped(row: Session) -> bool:
    """Return whether the stored files were verified and have not changed since."""
    try:
        stored = _stamp(row).read_bytes()
    except FileNotFoundError:
        return False
    return bool(stored_files(row)) and is_signed(stored, *_seen(row))


def stamp(row: Session) -> None:
    """Sign the stored files as verified by the digests of ``row``."""
    private_folder(_stamp(row).parent)
    with atomic(_stamp(row)) as temporary:
        temporary.write_bytes(signature(*_seen(row)))


def _stamp(row: Session) -> Path:
    return root() / "stamps" / key(row)


def _seen(row: Session) -> tuple[str, ...]:
    """Return what a stamp signs: the digests, and the state of every file."""
    lines, folder = [], asset_path(row).parent
    for path, status in entries(folder):
        lines += [str(path.relative_to(folder)), f"{status.st_mode} {status.st_uid}"]
        if not stat.S_ISDIR(status.st_mode):
            lines += [f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {status.st_dev}"]
    return ("object", row.etag, row.sha256, str(row.size), *lines)


def entries(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield a path and all paths below it with their status; follow no link."""
    status = path.lstat()
    yield path, status
    if stat.S_ISDIR(status.st_mode):
        for member in sorted(path.iterdir()):
            yield from entries(member)


def give_name(path: Path, wanted: Path) -> None:
    """Give files a second name by hard links, or by copies where links fail.

    Args:
        path: The file or folder.
        wanted: The second name.
    """
    if path.is_dir():
        shutil.copytree(path, wanted, copy_function=_link)
    else:
        _link(path, wanted)


def _link(path: Path | str, wanted: Path | str) -> None:
    try:
        os.link(path, wanted, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(path, wanted, follow_symlinks=False)


def incoming(row: Session) -> Path:
    """Return the folder of an asset's unfinished download."""
    return root() / "incoming" / key(row)


def ranges(row: Session) -> Path:
    """Return the folder of an asset's streamed blocks."""
    return root() / "ranges" / key(row)


@contextmanager
def locked(row: Session) -> Iterator[None]:
    """Hold the exclusive lock of an asset; wait until no other process has it."""
    with FileLock(private_folder(root() / "locks") / key(row)):
        yield


def check_space(row: Session) -> None:
    """Raise a failure if the disk of the cache has no room for an asset."""
    folder = private_folder(incoming(row))
    free, needed = shutil.disk_usage(folder).free, int((row.size or 0) * SPARE)
    if free < needed:
        problem = f"{row.session}: {needed / 1e9:.1f} GB needed in {root()}, {free / 1e9:.1f} GB free"
        raise Failure(problem, f"make room, set {VARIABLE} to another disk, or set access: stream")


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
