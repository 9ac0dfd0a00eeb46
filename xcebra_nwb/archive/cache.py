"""The cache that all projects on a machine share: an asset by its digest, whole or not there, fetched by one at a time.

- ``objects/<digest>/<name>``: whole files, verified, never changed; a name for every asset of that content
- ``incoming/<digest>/``: what a download has so far; it goes on from there
- ``ranges/<digest>/``: blocks of files that were streamed
- ``locks/<digest>``: held while something is made; a killed process lets go of it
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock

from xcebra_nwb.archive.sessions import Session
from xcebra_nwb.errors import Failure, UsageError

VARIABLE = "XCEBRA_NWB_CACHE"
SPARE = 1.05  # of an asset's size that must be free
UNFIT = re.compile(r"[^A-Za-z0-9_.+-]+")
PLAIN = re.compile(r"[0-9a-zA-Z-]+")


def root() -> Path:
    """Return the folder of the cache: $XCEBRA_NWB_CACHE, else xcebra-nwb in the user's folder for caches."""
    named = os.environ.get(VARIABLE)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named).expanduser().absolute() if named else Path(home) / "xcebra-nwb"


def key(row: Session) -> str:
    """Return the digest that an asset is kept by.

    Raises:
        UsageError: the table states none, or one that is no digest.
    """
    digest = row.etag or row.sha256
    if not digest:
        raise UsageError(f"{row.session}: no digest of {row.path} is known", "wait for the archive to compute it")
    if not PLAIN.fullmatch(digest):
        raise UsageError(f"{row.session}: {digest!r} is no digest", "make the table with `xcebra-nwb discover`")
    return digest


def place(row: Session) -> Path:
    """Return where an asset is, or will be, whole, under its own name."""
    return root() / "objects" / key(row) / (UNFIT.sub("-", PurePosixPath(row.path).name).strip("-.") or "asset.nwb")


def named(row: Session) -> bool:
    """Return whether an asset is there; where its content is, under another name, it gets its own name, too."""
    wanted = place(row)
    held = sorted(p for p in wanted.parent.iterdir() if p.exists()) if wanted.parent.is_dir() else []
    if held and wanted not in held:
        wanted.unlink(missing_ok=True)  # a link whose file is gone
        wanted.symlink_to(held[0].name)
    return bool(held)


def incoming(row: Session) -> Path:
    """Return the folder of an asset that is on its way."""
    return root() / "incoming" / key(row)


def ranges(row: Session) -> Path:
    """Return the folder of an asset's parts."""
    return root() / "ranges" / key(row)


@contextmanager
def alone(row: Session) -> Iterator[None]:
    """Wait until no other process makes the asset, and keep the others waiting."""
    lock = root() / "locks" / key(row)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def check_space(row: Session) -> None:
    """Raise :class:`Failure` when the cache's disk has no room for an asset."""
    folder = incoming(row)
    folder.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(folder).free, int((row.size or 0) * SPARE)
    if free < needed:
        problem = f"{row.session}: {needed / 1e9:.1f} GB needed in {root()}, {free / 1e9:.1f} GB free"
        raise Failure(problem, f"make room, set {VARIABLE} to another disk, or set access: stream")


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
