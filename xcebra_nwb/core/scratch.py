"""Arrays that may not fit the memory: they are then in a file without a name, which goes when the process does.

The file is opened and unlinked at once (on Windows it is deleted on closing). Its space is free again when the array is
gone, and however the process ends, also by a kill.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import psutil
from numpy.typing import DTypeLike, NDArray

from xcebra_nwb.core.errors import Failure

VARIABLE = "TMPDIR"  # environment variable: folder of scratch files
IN_MEMORY = {"tmpfs", "ramfs"}  # file systems whose files are in memory
GIGABYTE = 1e9
REMEDY = f"free some space, or let {VARIABLE} name a folder on a disk that has some"
logger = logging.getLogger("xcebra_nwb")


class Rows(Protocol):
    """An array or a file that is read and written by slices of rows."""

    def __getitem__(self, rows: slice, /) -> NDArray: ...

    def __setitem__(self, rows: slice, values: NDArray, /) -> None: ...


def filled_array(
    title: str, shape: tuple[int, int], dtype: DTypeLike, fill: Callable[[Rows], None], folder: Path, most: float
) -> NDArray:
    """Return an array that ``fill`` writes, in memory or as a map of a scratch file.

    The file is in the folder that ``TMPDIR`` names, else in ``folder``. It is written as a file and only read as a map,
    since a disk that fills up under a map kills the process.

    Args:
        title: Name of the array in messages.
        shape: Numbers of rows and columns.
        dtype: Type of the array.
        fill: Writes the array by slices of rows.
        folder: For the scratch file, unless ``TMPDIR`` names a folder.
        most: Bytes that the array may take in memory.

    Raises:
        Failure: The array fits neither the memory nor a disk.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= most:
        array: NDArray = np.empty(shape, dtype)
        fill(array)
        return array
    scratch = _scratch_folder(title, size, folder, most)
    logger.info("%s: %.2f GB in a scratch file in %s", title, size / GIGABYTE, scratch)
    try:
        with tempfile.TemporaryFile(dir=scratch) as file:
            fill(_FileRows(file, shape, np.dtype(dtype)))
            file.flush()
            return np.memmap(file, dtype, "r+", shape=shape)  # writable, since torch warns of read-only arrays
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise Failure(f"{title}: other programs filled the disk of {scratch} meanwhile", REMEDY) from error


def _scratch_folder(title: str, size: int, folder: Path, most: float) -> Path:
    """Return the folder for a scratch file of ``size`` bytes."""
    named = os.environ.get(VARIABLE)
    folders = [Path(named)] if named and not _in_memory(Path(named)) else []
    folder.mkdir(parents=True, exist_ok=True)
    free = {path: shutil.disk_usage(path).free for path in [*folders, folder] if os.access(path, os.W_OK)}
    for path, free_bytes in free.items():
        if free_bytes >= size:
            return path
    left = ", ".join(f"{free_bytes / GIGABYTE:.1f} GB in {path}" for path, free_bytes in free.items())
    raise Failure(
        f"{title}: {size / GIGABYTE:.1f} GB fit neither the memory ({most / GIGABYTE:.1f} GB) nor the disk ({left})",
        REMEDY,
    )


def _in_memory(folder: Path) -> bool:
    """Return whether files in ``folder`` are kept in memory."""
    parents = {folder.resolve(), *folder.resolve().parents}
    mounted = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    nearest = max(parents & mounted.keys(), key=lambda path: len(path.parts), default=None)
    return nearest is not None and mounted[nearest] in IN_MEMORY


class _FileRows:
    """The rows of an array in a file."""

    def __init__(self, file: IO[bytes], shape: tuple[int, int], dtype: np.dtype) -> None:
        self._file, self._columns, self._dtype = file, shape[1], dtype
        self._row = shape[1] * dtype.itemsize  # bytes

    def __getitem__(self, rows: slice) -> NDArray:
        self._file.seek(rows.start * self._row)
        read = self._file.read((rows.stop - rows.start) * self._row)
        return np.frombuffer(read, self._dtype).reshape(-1, self._columns)

    def __setitem__(self, rows: slice, values: NDArray) -> None:
        self._file.seek(rows.start * self._row)
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)
