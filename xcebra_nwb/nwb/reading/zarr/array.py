"""Read the values of a Zarr array, decoding only the chunks that are needed."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from xcebra_nwb.core.hdf5.bounds import MOST_COMPRESSED, PLAUSIBLE
from xcebra_nwb.nwb.reading.zarr.bounds import MOST_CHUNK, MOST_TEXTS
from xcebra_nwb.nwb.reading.zarr.codecs import OBJECTS, Codec, decoded, objects
from xcebra_nwb.nwb.reading.zarr.files import Files
from xcebra_nwb.nwb.reading.zarr.layout import Layout

logger = logging.getLogger(__name__)

NOT_STORED = (2**64 - 1, 2**64 - 1)  # the entry of a missing chunk in a shard's index
CRC32C = Codec("crc32c")
HEADERS = 2**12  # bytes that codecs may add
GROWTH = 8  # most that filters shrink a chunk, by packing truth values into bits
ChunkIndex = tuple[int, ...]
Piece = tuple[int, Any, Any]
"""A chunk along one axis; what is taken of it; where that goes."""


class ZarrArray:
    """An array in files.

    Args:
        files: The files of the recording.
        path: Path of the array from the root.
        layout: How the array is stored.
    """

    def __init__(self, files: Files, path: str, layout: Layout) -> None:
        self._files, self._path, self._layout = files, path, layout
        self._warned = False

    def read(self, selection: Any) -> Any:
        """Return the values of a selection.

        Args:
            selection: Numbers, slices, and up to one list of numbers or truth values.

        Raises:
            OSError: The values cannot be read, or expand more than real data do.
            IndexError: The selection lies outside the array.
            TypeError: The selection has lists along several axes.
        """
        axes = _axes(selection, self._layout.shape)
        pieces = [list(_pieces(wanted, length)) for (wanted, _), length in zip(axes, self._layout.chunks, strict=True)]
        taken = np.empty([len(wanted) for wanted, _ in axes], self._layout.dtype)
        chunks, missing = _Chunks(self._files, self._path, self._layout), 0
        for parts in itertools.product(*pieces):
            chunk = chunks.at(tuple(number for number, _, _ in parts))
            missing += chunk is None
            values = self._layout.fill if chunk is None else chunk[tuple(inside for _, inside, _ in parts)]
            taken[tuple(outside for _, _, outside in parts)] = values
        self._warn_of_missing(missing, math.prod(map(len, pieces)))
        return taken[tuple(0 if single else slice(None) for _, single in axes)]

    def stored(self) -> int | None:
        """Return how many bytes the chunks take, None if that is unknown."""
        return self._files.stored(self._path)

    def _warn_of_missing(self, missing: int, number: int) -> None:
        """Warn of chunks that are not stored.

        Format 3 leaves out chunks that hold only the fill value, but an interrupted copy looks the same.
        """
        if 0 < missing < number and not self._warned:
            self._warned = True
            logger.warning(
                "/%s: %d of %d chunks are not stored, and read as %r", self._path, missing, number, self._layout.fill
            )


class _Chunks:
    """The chunks for one selection; their total expansion is bounded."""

    def __init__(self, files: Files, path: str, layout: Layout) -> None:
        self._files, self._path, self._layout = files, path, layout
        self._stored = self._made = 0
        longest = MOST_TEXTS if layout.dtype.hasobject else GROWTH * layout.chunk_bytes
        self._most = min(MOST_CHUNK, longest + HEADERS)  # bytes of a chunk, stored or half decoded
        self._indexes: dict[str, np.ndarray | None] = {}

    def at(self, index: ChunkIndex) -> np.ndarray | None:
        """Return a chunk, None if it is not stored and holds the fill value."""
        raw = self._raw(index)
        self._made += self._layout.chunk_bytes if raw is None or not self._layout.dtype.hasobject else 0
        self._stored += 0 if raw is None else len(raw)
        self._check()
        if raw is None:
            return None
        chunk = self._decoded(raw)
        self._check()
        return chunk

    def _check(self) -> None:
        if self._made > PLAUSIBLE and self._made > MOST_COMPRESSED * self._stored:
            raise OSError(f"it expands from {self._stored:.3g} bytes to more than {self._made:.3g}")

    def _raw(self, chunk: ChunkIndex) -> bytes | None:
        shard = self._layout.shard
        if shard is None:
            return self._file(self._layout.key(chunk), self._most)
        outer = tuple(number // count for number, count in zip(chunk, shard.chunks, strict=True))
        inner = tuple(number % count for number, count in zip(chunk, shard.chunks, strict=True))
        key = self._layout.key(outer)
        if key not in self._indexes:
            self._indexes[key] = self._index(key)
        index = self._indexes[key]
        start, length = NOT_STORED if index is None else map(int, index[inner])
        return None if (start, length) == NOT_STORED else self._file(key, self._most, start, length)

    def _index(self, key: str) -> np.ndarray | None:
        """Return start and length of each chunk in a shard, None without a shard."""
        shard = self._layout.shard
        assert shard is not None
        start, length = 0 if shard.index_first else -shard.index_bytes, shard.index_bytes
        raw = self._file(key, length, start, length)
        if raw is None:
            return None
        if shard.index_checked:
            raw = decoded(CRC32C, raw, len(raw))
        return np.frombuffer(raw, "<u8").reshape(*shard.chunks, 2)

    def _file(self, key: str, most: int, start: int = 0, length: int | None = None) -> bytes | None:
        try:
            return self._files.read(f"{self._path}/{key}", most, start, length)
        except KeyError:
            if self._layout.fill is None:
                raise OSError(f"{key}: this chunk is missing") from None
            return None

    def _decoded(self, raw: Any) -> np.ndarray:
        layout = self._layout
        count = math.prod(layout.chunks)
        for codec in layout.codecs:
            if codec.name in OBJECTS:
                self._made += memoryview(raw).nbytes
                values = objects(codec, raw, count)
            else:
                raw = decoded(codec, raw, self._most)
        if not layout.dtype.hasobject:
            if memoryview(raw).nbytes != layout.chunk_bytes:
                raise OSError(f"a chunk of {memoryview(raw).nbytes} bytes, not {layout.chunk_bytes}")
            values = np.frombuffer(raw, layout.dtype)
        return _turned(values, layout)


def _turned(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the values in the shape of a chunk, before its axes were transposed."""
    shape = list(layout.chunks)
    for turn in reversed(layout.turns):
        shape = [shape[axis] for axis in turn]
    values = values.reshape(shape)
    for turn in layout.turns:
        values = values.transpose(np.argsort(turn))
    return values


def _axes(selection: Any, shape: Sequence[int]) -> list[tuple[Any, bool]]:
    """Return the selected positions along each axis, and whether it is a single one."""
    parts = list(selection) if isinstance(selection, tuple) else [selection]
    ellipses = [index for index, part in enumerate(parts) if part is Ellipsis] or [len(parts)]
    rest = len(shape) - len([part for part in parts if part is not Ellipsis])
    if rest < 0 or len(ellipses) > 1:
        raise IndexError(f"a selection of {len(parts)} axes from {len(shape)}")
    parts[ellipses[0] : ellipses[0] + 1] = [slice(None)] * rest
    axes = [_axis(part, length) for part, length in zip(parts, shape, strict=True)]
    if sum(isinstance(wanted, np.ndarray) for wanted, _ in axes) > 1:
        raise TypeError("lists along more than one axis")
    return axes


def _axis(part: Any, length: int) -> tuple[Any, bool]:
    if isinstance(part, slice):
        return range(*part.indices(length)), False
    if isinstance(part, list | np.ndarray):
        rows = np.asarray(part)
        rows = np.flatnonzero(rows) if rows.dtype == bool and len(rows) == length else rows
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise TypeError("no list of rows")
        rows = rows.astype(np.int64)
        _check_within(rows.min(initial=0), rows.max(initial=-1), length)
        return np.where(rows < 0, rows + length, rows), False
    number = int(part.__index__())
    _check_within(number, number, length)
    return range(number % length, number % length + 1), True


def _check_within(least: int, greatest: int, length: int) -> None:
    if least < -length or greatest >= length:
        raise IndexError(f"row {greatest if greatest >= length else least} of {length}")


def _pieces(wanted: Any, length: int) -> Iterator[Piece]:
    """Yield the chunks along one axis that hold selected positions.

    ``length`` is the length of a chunk.
    """
    if isinstance(wanted, range) and wanted.step == 1:
        for chunk in range(wanted.start // length, -(-wanted.stop // length)) if len(wanted) else ():
            start, stop = max(wanted.start, chunk * length), min(wanted.stop, (chunk + 1) * length)
            inside = slice(start - chunk * length, stop - chunk * length)
            yield chunk, inside, slice(start - wanted.start, stop - wanted.start)
        return
    rows = np.asarray(wanted, dtype=np.int64)
    chunks = rows // length
    for chunk in np.unique(chunks):
        positions = np.flatnonzero(chunks == chunk)
        yield int(chunk), rows[positions] - chunk * length, positions
