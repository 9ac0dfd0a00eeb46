"""Files that are whole or absent: everything is written beside its name and renamed into place."""

from __future__ import annotations

import errno
import hashlib
import json
import math
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
from xcebra_nwb.core.safe_text import printable_lines

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # errors of a full disk
HDF5_OVERHEAD = 1_000_000  # bytes of a file beside its values
LARGEST_JSON = 200_000_000  # bytes, far more than any command writes
LARGEST_RESERVATION = 64_000_000  # bytes reserved as a test; some systems write them


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` on success.

    On an error the temporary file is removed. The content is on the disk before the file gets its name, so a power cut
    never leaves half a file. The temporary name keeps the suffix of ``path``, from which libraries read the format. It
    is random: in a folder that others can write to, a link of a known name would redirect the output.

    Raises:
        OSError: As it came; if there is no space (:data:`NO_ROOM`), or no right to write, it names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.randbits(64)}-{path.name}")
    try:
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
        with suppress(OSError):  # some systems sync files only
            _to_disk(path.parent)
    except OSError as error:
        named = error.filename == str(temporary) or (
            error.errno and temporary.name in str(error)
        )  # pyarrow's has no name
        if error.errno not in NO_ROOM and not named:
            raise
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Make the system write a file, or the names in a folder, to the disk.

    Windows needs write access to the file, and offers no such call for folders.
    """
    windows = os.name == "nt"
    if windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_disk_space(directory: Path, size: int) -> None:
    """Check that ``directory`` has space for ``size`` bytes of values.

    HDF5 must not meet a full disk while it writes: it may end the process. A system that cannot reserve bytes is
    assumed to have them.

    Raises:
        OSError: The disk is full, or the quota is used up.
    """
    size += HDF5_OVERHEAD
    if shutil.disk_usage(directory).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
    with tempfile.TemporaryFile(dir=directory) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, min(size, LARGEST_RESERVATION))


def temporary_pattern(name: str) -> str:
    """Return a glob pattern of the temporary files of :func:`atomic` for ``name``.

    A kill leaves such files behind.

    >>> temporary_pattern("training.nc")
    '.[0-9]*-training.nc'
    """
    return f".[0-9]*-{name}"


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, whole or not at all.

    Characters that UTF-8 cannot encode are written as escapes.
    """
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path | str, content: Any) -> None:
    """Write ``content`` as indented JSON; NaN is refused, use None instead."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Any) -> str:
    """Return ``content`` as indented JSON that is safe to show in a terminal.

    >>> print(json_text({"a": [1, None]}))
    {
      "a": [
        1,
        null
      ]
    }
    """
    return printable_lines(json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False))


def without_nan(content: Any) -> Any:
    """Return ``content`` with None for NaN and infinities, which JSON does not have.

    >>> without_nan({"p": [0.5, float("nan")]})
    {'p': [0.5, None]}
    """
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file.

    Raises:
        UsageError: The file is missing, not JSON, or larger than any file that a command writes.
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
    """Check that a path is a file, if it exists.

    Reading a pipe or a device in a results folder would never end.

    Raises:
        UsageError: The path is not a file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: not a file", f"delete it and run {command_writing(path)} again")


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    For a folder it is the digest of the names and digests of its files.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = (f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
