"""Arrays that may not fit the memory: they are then in a file without a name, which goes when the process does.

The file is opened and unlinked at once (on Windows: deleted on closing): its room is free again when the array is gone,
and however the process ends. A kill leaves nothing behind.
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

VARIABLE = "TMPDIR"  # the variable that says where scratch files go
IN_MEMORY = {"tmpfs", "ramfs"}  # file systems whose files take the memory that they are to save
GIGABYTE = 1e9
REMEDY = f"make room, or let {VARIABLE} name a folder on a disk that has some"
logger = logging.getLogger("xcebra_nwb")


class Rows(Protocol):
    """What is filled by slices of rows, and can be read back by them: an array, or a file."""

    def __getitem__(self, rows: slice, /) -> NDArray: ...

    def __setitem__(self, rows: slice, values: NDArray, /) -> None: ...


def filled_array(
    what: str, shape: tuple[int, int], dtype: DTypeLike, fill: Callable[[Rows], None], folder: Path, most: float
) -> NDArray:
    """Return an array (row, column) that ``fill`` has filled: in memory, or on disk where it takes over ``most`` bytes.

    The file is in the folder that the environment names in ``TMPDIR``, else in ``folder``. It is written as a file and
    only read as a map, since a disk that fills up under a map kills the process.

    Raises:
        Failure: no disk has room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= most:
        array: NDArray = np.empty(shape, dtype)
        fill(array)
        return array
    place = _scratch_folder(what, size, folder, most)
    logger.info("%s: %.2f GB in a scratch file in %s", what, size / GIGABYTE, place)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            fill(_FileRows(file, shape, np.dtype(dtype)))
            file.flush()
            return np.memmap(file, dtype, "r+", shape=shape)  # writable: torch warns of what is not
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise Failure(f"{what}: others filled the disk of {place} meanwhile", REMEDY) from error


def _scratch_folder(what: str, size: int, folder: Path, most: float) -> Path:
    """The folder for a scratch file of ``size`` bytes."""
    named = os.environ.get(VARIABLE)
    folders = [Path(named)] if named and not _in_memory(Path(named)) else []
    folder.mkdir(parents=True, exist_ok=True)
    free = {place: shutil.disk_usage(place).free for place in [*folders, folder] if os.access(place, os.W_OK)}
    for place, room in free.items():
        if room >= size:
            return place
    left = ", ".join(f"{room / GIGABYTE:.1f} GB in {place}" for place, room in free.items())
    raise Failure(
        f"{what}: {size / GIGABYTE:.1f} GB fit neither the memory ({most / GIGABYTE:.1f} GB) nor the disk ({left})",
        REMEDY,
    )


def _in_memory(place: Path) -> bool:
    """Whether what is written to ``place`` stays in memory."""
    above = {place.resolve(), *place.resolve().parents}
    mounted = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    nearest = max(above & mounted.keys(), key=lambda path: len(path.parts), default=None)
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
