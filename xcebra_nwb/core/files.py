"""Files that are whole or absent: everything is written beside its name and renamed into place."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.outputs import command_writing
from xcebra_nwb.core.printable import printable_lines

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what a system says when there is none for more bytes
BESIDE = 1_000_000  # bytes that HDF5 takes beside values
LARGEST_JSON = 200_000_000  # bytes: far more than any verb writes
TRIED = 64_000_000  # bytes that are set aside to see; some systems write them out


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` on success, remove it on any error.

    What was written is on the disk before it gets its name: no power cut leaves the name with half of the content.
    The temporary name keeps the ending of ``path``, which libraries read the format from. Nobody can foresee it: in a
    folder that others write to, too, a link of that name would lead what is written elsewhere.

    Raises:
        OSError: as it came; where there is no room (:data:`NO_ROOM`) it names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.randbits(64)}-{path.name}")
    try:
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
        with suppress(OSError):  # of a system that does so by files only
            _to_disk(path.parent)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Have the system write out what it still holds of a file, or of the names in a folder.

    Windows does so for who may write the file, and for no folder.
    """
    windows = os.name == "nt"
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_room(directory: Path, size: int) -> None:
    """Raise :class:`OSError` if ``directory`` has no room for ``size`` bytes of values: a full disk, a quota used up.

    HDF5 is not to find out: where a disk fills up under a file that it writes it may end the process, and with it all
    that other files were to hold. Systems that cannot set bytes aside are believed to have them.
    """
    size += BESIDE
    if shutil.disk_usage(directory).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
    with tempfile.TemporaryFile(dir=directory) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, min(size, TRIED))


def unfinished(name: str) -> str:
    """Return a pattern for the temporary names of :func:`atomic` for files called ``name``, which a kill leaves."""
    return f".[0-9]*-{name}"


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` (UTF-8; what that cannot hold, as its escape) to ``path``, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as indented, strict JSON (NaN is refused: say ``None`` and why)."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Any) -> str:
    """Return ``content`` as indented, strict JSON that can be shown on a terminal as it stands."""
    return printable_lines(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file.

    Raises:
        UsageError: the file is missing, not JSON, or larger than any that is written here.
    """
    check_file(path)
    try:
        if Path(path).stat().st_size > LARGEST_JSON:
            raise UsageError(f"{path}: over {LARGEST_JSON:,} bytes", f"delete it and run {command_writing(path)} again")
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", f"run {command_writing(path)} first") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}", f"delete it and run {command_writing(path)} again") from None


def check_file(path: Path | str) -> None:
    """Raise :class:`UsageError` for what is no file: a pipe or a device in results would be read for ever."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: not a file", f"delete it and run {command_writing(path)} again")


def sha256(path: Path | str) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal; of a folder, that of its files' names and digests."""
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = (f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
