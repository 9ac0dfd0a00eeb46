"""Download an asset into the cache, and verify every digest that the table states."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from xcebra_nwb.archive import cache
from xcebra_nwb.archive.connection import connected, explained, first_line, parsed
from xcebra_nwb.archive.patience import patience
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.folders import user_id
from xcebra_nwb.core.progress import progress
from xcebra_nwb.core.session_table import Session

PARTIAL = ".dandidownload"  # end of the name under which the client keeps an unfinished download
MEGABYTE = 1_000_000  # bytes
GAVE_UP = "download failed"
TOO_SHORT = "Not all part hashes submitted"  # the client's message if the end of a file is missing
TRIES = 2  # a wrong digest can be a transmission error once, but not twice
logger = logging.getLogger("xcebra_nwb")


def downloaded(row: Session) -> Path:
    """Return the file of an asset in the cache, downloaded if needed.

    It is a folder if the asset is a Zarr. An interrupted download is resumed. Parallel downloads of one asset wait for
    the first.

    Raises:
        UsageError: No digest is known, the asset is not in the archive, or a key is missing.
        Failure: The archive cannot be reached, the disk is full, or the digest was wrong twice.
    """
    target = cache.asset_path(row)
    with cache.locked(row):
        verified = cache.is_stamped(row)
        if not verified:
            _discard_wrong(row)
        names = cache.stored_files(row)
        if not names:
            _fetch(row, target)
        elif target not in names:
            cache.give_name(names[0], target)
        if not verified or target not in names:
            cache.stamp(row)
    return target


def _discard_wrong(row: Session) -> None:
    """Remove the stored files whose digests are wrong."""
    for path in cache.stored_files(row):
        if problem := _wrong(row, path):
            logger.warning("%s: %s has changed since it was verified (%s) and was removed", row.session, path, problem)
            cache.remove(path)


def _fetch(row: Session, target: Path) -> None:
    cache.check_space(row)
    fetched = _verified(row)
    _protect(fetched)
    cache.private_folder(target.parent)
    fetched.replace(target)
    cache.remove(cache.incoming(row))


def _verified(row: Session) -> Path:
    problem = ""
    for _ in range(TRIES):
        problem = _download(row)
        if not problem:
            (fetched,) = (path for path in cache.incoming(row).iterdir() if not path.name.endswith(PARTIAL))
            problem = _wrong(row, fetched)
            if not problem:
                return fetched
        if not problem.startswith(GAVE_UP):  # the part that arrived before the client gave up may be right
            cache.remove(cache.incoming(row))
            cache.private_folder(cache.incoming(row))
    raise Failure(f"{row.session}: {row.path}: {problem}, twice", "nothing of it was kept; run the same command again")


def _download(row: Session) -> str:
    """Let the client download an asset; return its problem, "" if there is none."""
    what = f"{row.session}: {row.path}"
    with explained(what), patience(what) as heard, _shown(what, row.size) as arrived:
        for report in _reports(row):
            heard()
            arrived(report.get("done", 0))
            if row.size is not None and report.get("done", 0) > row.size:
                return f"more than {row.size} bytes arrive"
            if report.get("checksum") == "differs":
                return first_line(report["message"])
            if report.get("status") == "error":
                return f"{GAVE_UP}: {first_line(report['message'])}"
    return ""


@contextmanager
def _shown(what: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show the progress of a download; yield a function that takes the number of bytes so far."""
    if not size or size < MEGABYTE:
        yield lambda done: None
        return
    shown = 0
    with progress(what, size // MEGABYTE, "MB") as advance:

        def arrived(done: int) -> None:
            nonlocal shown
            if done // MEGABYTE > shown:
                advance(done // MEGABYTE - shown)
                shown = done // MEGABYTE

        yield arrived


def _reports(row: Session) -> Iterator[dict[str, Any]]:
    """Yield the reports of the client during a download."""
    instance = parsed(row.source).instance
    from dandi.download import Downloader, DownloadExisting

    from xcebra_nwb.archive.client import OneAsset

    with connected(instance, row.dandiset) as client:
        asset = client.get_asset(row.asset_id)
    if row.size is not None and asset.size != row.size:
        raise Failure(f"{row.session}: {row.path}: {asset.size} bytes, not {row.size}", "run discover again")
    _remove_others(cache.incoming(row), PurePosixPath(asset.path).name)
    downloader = Downloader(
        url=OneAsset(instance=instance, asset_id=row.asset_id),
        output_dir=cache.incoming(row),
        existing=DownloadExisting.OVERWRITE,
        get_metadata=False,
        get_assets=True,
        preserve_tree=False,
        jobs_per_zarr=None,
        on_error="raise",
    )
    try:
        yield from downloader.download_generator()
    except ValueError as error:
        if TOO_SHORT not in str(error):
            raise
        yield {"checksum": "differs", "message": "another length than the archive states"}


def _remove_others(folder: Path, name: str) -> None:
    """Remove files that do not belong to this download.

    The same content may have been downloaded in part under another name, and a planted file may lead elsewhere.
    """
    for path in folder.iterdir():
        if path.name not in {name, f"{name}{PARTIAL}"} or _foreign(path):
            cache.remove(path)


def _wrong(row: Session, path: Path) -> str:
    """Return the difference between a file and the table, "" if there is none."""
    from dandi.support.digests import get_digest, get_zarr_checksum

    if problem := _foreign(path):
        return problem
    if path.is_dir():
        checksum = get_zarr_checksum(path)
        return "" if checksum == row.etag else f"Zarr checksum {checksum}, not {row.etag}"
    size = path.stat().st_size
    if row.size is not None and size != row.size:
        return f"{size} bytes, not {row.size}"
    if row.etag and (digest := get_digest(path, "dandi-etag")) != row.etag:
        return f"dandi-etag {digest}, not {row.etag}"
    if row.sha256 and (digest := sha256(path)) != row.sha256:
        return f"SHA-256 {digest}, not {row.sha256}"
    return ""


def _foreign(path: Path) -> str:
    """Return why a file or folder is not the user's alone, "" if it is.

    A link can lead elsewhere, and others can change their files.
    """
    for member, status in cache.entries(path):
        if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
            return f"{member} is a link or a special file"
        if user_id() is not None and status.st_uid != user_id():
            return f"{member} belongs to another user"
    return ""


def _protect(path: Path) -> None:
    """Make files read-only, because all projects share them."""
    for member, status in cache.entries(path):
        member.chmod(0o700 if stat.S_ISDIR(status.st_mode) else 0o444)
