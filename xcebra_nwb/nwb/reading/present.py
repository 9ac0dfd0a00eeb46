"""Find values that an HDF5 file declares and does not hold.

They are chunks that were never written, parts of virtual datasets whose file is not there, and values behind the end of
the file in which they are stored. HDF5 reads them as the fill value, mostly 0, without an error. (In Zarr,
:mod:`xcebra_nwb.nwb.reading.zarr.array` says so itself.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.hdf5.leads import ITSELF, readable, shortened
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.foreign import storage_file, virtual_source

NUMBER = "%b"  # stands for the number of a block in the names of a virtual dataset's sources
DEEPEST = 8  # virtual datasets that consist of one another
LARGE = 100_000_000  # values of a dataset of which inspect counts the chunks only
MOST_BLOCKS = 10_000  # blocks of one such pattern

Axes = Sequence[np.ndarray]
"""The positions that are selected along each axis of a dataset."""


@dataclass(frozen=True)
class Absent:
    """Values that are not there.

    Attributes:
        where: True for values that are not there, in the shape of the selection.
        why: The reason in words, to follow "3 of 9 values".
        code: The code of a refusal for this reason.
    """

    where: np.ndarray
    why: str
    code: Code

    def words(self, what: str = "values", axis: int | None = None) -> str:
        """Return how many are not there and why.

        Args:
            what: Name of what is counted.
            axis: Count the positions along this axis; None counts the values.
        """
        others = () if axis is None else tuple(other for other in range(self.where.ndim) if other != axis)
        gone = self.where.any(axis=others)
        return f"of {gone.size} {what} {int(np.count_nonzero(gone))} {self.why}"


def absent(data: h5py.Dataset, selection: Any = (), depth: int = 0) -> Absent | None:
    """Return which of the selected values are not there, None if all are.

    No values are read, only the index of the chunks.

    Args:
        data: The dataset.
        selection: An index as h5py takes it; all values by default.
        depth: Number of virtual datasets that lead to this one.

    Raises:
        Refusal: The dataset declares far more values than it stores.
    """
    if not isinstance(data, h5py.Dataset) or not data.size or depth > DEEPEST:
        return None
    created = data.id.get_create_plist()
    layout = created.get_layout()
    if layout == h5d.CHUNKED:
        written = _written_chunks(data)
        if written is None:
            return None
        check_size(data)
        axes = [rows // length for rows, length in zip(_axes(selection, data.shape), data.chunks, strict=True)]
        return _absent(~written[np.ix_(*axes)], "were never written", Code.DAMAGED)
    if layout == h5d.VIRTUAL:
        return _absent_parts(data, selection, depth)
    if created.get_external_count():
        return _absent_outside(data, created, selection)
    if layout == h5d.CONTIGUOUS and data.id.get_storage_size() == 0:
        check_size(data)
        nothing = np.ones([len(rows) for rows in _axes(selection, data.shape)], dtype=bool)
        return _absent(nothing, "were never written", Code.DAMAGED)
    return None


def check_there(data: h5py.Dataset, selection: Any = ()) -> None:
    """Raise a refusal if any selected value is not there.

    Args:
        data: The dataset.
        selection: An index as h5py takes it; all values by default.
    """
    gone = absent(data, selection)
    if gone is not None:
        raise missing(data, gone)


def missing(data: h5py.Dataset, gone: Absent) -> Refusal:
    """Return the refusal of a dataset of which values are not there."""
    remedy = "copy or convert the recording again, or name other data"
    if gone.code is Code.LEADS_ELSEWHERE:
        remedy = "copy that file beside the recording, or name other data"
    return Refusal(gone.code, f"{data.name}: {gone.words()}; they would read as {_fill(data)}", remedy)


def remarks(group: h5py.Group) -> list[str]:
    """Return a line for each dataset of a group of which values are not there."""
    lines = []
    for name in group:
        try:
            data = group[name]
            if isinstance(data, h5py.Dataset) and data.size and data.size > LARGE:
                lines += _large_remark(data, name)
                continue
            gone = absent(data) if isinstance(data, h5py.Dataset) else None
        except (*UNREADABLE, Refusal):
            continue  # whoever reads this dataset says what is wrong with it
        if gone is not None:
            lines.append(gone.words("samples", _long_axis(data)) if name == "data" else f"{name}: {gone.words()}")
    return lines


def _large_remark(data: h5py.Dataset, name: str) -> list[str]:
    """Return a line on a dataset that is too large to count its values."""
    written = _written_chunks(data) if data.id.get_create_plist().get_layout() == h5d.CHUNKED else None
    if written is None:
        return []
    return [f"{name}: of {written.size} chunks {int(np.count_nonzero(~written))} were never written"]


def _long_axis(data: h5py.Dataset) -> int:
    return int(np.argmax(data.shape))


def _absent(where: np.ndarray, why: str, code: Code) -> Absent | None:
    return Absent(where, why, code) if where.any() else None


def _fill(data: h5py.Dataset) -> str:
    try:
        return f"{data.fillvalue}" or "empty texts"
    except UNREADABLE:
        return "other values"


def _axes(selection: Any, shape: tuple[int, ...]) -> Axes:
    parts = list(selection) if isinstance(selection, tuple) else [selection]
    parts = [part for part in parts if part is not Ellipsis]
    parts += [slice(None)] * (len(shape) - len(parts))
    return [np.atleast_1d(np.arange(length)[part]) for part, length in zip(parts, shape, strict=True)]


def _written_chunks(data: h5py.Dataset) -> np.ndarray | None:
    """Return which chunks were written, in the grid of chunks; None if all were."""
    grid = [-(-length // chunk) for length, chunk in zip(data.shape, data.chunks, strict=True)]
    if data.id.get_num_chunks() >= np.prod(grid, dtype=np.float64):
        return None
    written = np.zeros(grid, dtype=bool)

    def mark(chunk: Any) -> None:
        written[tuple(start // length for start, length in zip(chunk.chunk_offset, data.chunks, strict=True))] = True

    data.id.chunk_iter(mark)
    return None if written.all() else written


def _absent_outside(data: h5py.Dataset, created: h5p.PropDCID, selection: Any) -> Absent | None:
    """Return the values that lie behind the end of the files in which a dataset is stored."""
    check_size(data)
    gone, total, start, short = np.zeros(data.size, dtype=bool), data.size * data.dtype.itemsize, 0, list[str]()
    for number in range(created.get_external_count()):
        name, offset, size = created.get_external(number)
        stop = min(start + size, total)
        file = storage_file(readable(name))
        held = max(0, (file.stat().st_size if file.is_file() else 0) - offset)
        if start + held < stop:
            gone[(start + held) // data.dtype.itemsize : -(-stop // data.dtype.itemsize)] = True
            short.append(shortened(readable(name)))
        start = stop
    where = gone.reshape(data.shape)[np.ix_(*_axes(selection, data.shape))]
    return _absent(where, f"lie behind the end of {', '.join(short)}", Code.LEADS_ELSEWHERE)


def _absent_parts(data: h5py.Dataset, selection: Any, depth: int) -> Absent | None:
    """Return the values of a virtual dataset that no file holds."""
    check_size(data)
    axes = _axes(selection, data.shape)
    there = np.zeros([len(rows) for rows in axes], dtype=bool)
    lost: dict[str, None] = {}
    for file, name, region in _parts(data):
        covered = [np.isin(rows, wanted) for rows, wanted in zip(axes, region, strict=True)]
        if not all(rows.any() for rows in covered):
            continue
        gone = _of_source(data, file, name, depth + 1)
        part = np.ones([len(rows) for rows in region], dtype=bool)
        if isinstance(gone, str):
            lost[gone] = None
            continue
        if gone is not None:  # the source itself lacks values
            part = ~gone.where.reshape(part.shape) if gone.where.size == part.size else ~part
        inside = [np.searchsorted(wanted, rows[hit]) for rows, wanted, hit in zip(axes, region, covered, strict=True)]
        there[np.ix_(*covered)] |= part[np.ix_(*inside)]
    files = ", ".join(shortened(file) for file in lost)
    why = f"are stored in {files}, which is not there" if lost else "were never written"
    return _absent(~there, why, Code.LEADS_ELSEWHERE if lost else Code.DAMAGED)


def _parts(data: h5py.Dataset) -> Iterator[tuple[str, str, Axes]]:
    """Yield the file, the dataset and the region of each part of a virtual dataset."""
    created = data.id.get_create_plist()
    for number in range(created.get_virtual_count()):
        file, name = readable(created.get_virtual_filename(number)), readable(created.get_virtual_dsetname(number))
        space = created.get_virtual_vspace(number)
        if NUMBER not in file + name:
            yield file, name, _region(space, data.shape)
            continue
        for block in range(MOST_BLOCKS):
            region = _region(space, data.shape, block)
            if not all(map(len, region)):
                break
            yield file.replace(NUMBER, str(block)), name.replace(NUMBER, str(block)), region


def _region(space: h5s.SpaceID, shape: tuple[int, ...], block: int | None = None) -> Axes:
    """Return the positions along each axis that a selection covers.

    Args:
        space: The selection.
        shape: Shape of the dataset.
        block: Take only the block of this number along an axis without end; None takes all.
    """
    if space.get_select_type() == h5s.SEL_ALL:
        return [np.arange(length) for length in shape]
    if not space.is_regular_hyperslab():
        low, high = space.get_select_bounds()
        return [np.arange(first, last + 1) for first, last in zip(low, high, strict=True)]
    region = []
    for start, stride, count, length, whole in zip(*space.get_regular_hyperslab(), shape, strict=True):
        endless = count > whole
        first = min(start, whole) + stride * np.arange(0 if start >= whole else -(-(whole - start) // stride))
        first = first[:count] if not endless else first if block is None else first[block : block + 1]
        length = min(length, whole)
        positions = (first[:, None] + np.arange(length)).reshape(-1)
        region.append(np.unique(positions[positions < whole]))
    return region


def _of_source(data: h5py.Dataset, file: str, name: str, depth: int) -> Absent | str | None:
    """Return what a source lacks: values, nothing (None), or all, as the name of the file."""
    if file == ITSELF:
        return _of_dataset(data.file, name, ITSELF, depth)
    source = virtual_source(file, Path(str(data.file.filename)))
    if source is None:
        return file
    try:
        with h5py.File(source, "r") as h5:
            return _of_dataset(h5, name, file, depth)
    except OSError:
        return file


def _of_dataset(h5: h5py.File, name: str, file: str, depth: int) -> Absent | str | None:
    try:
        return absent(h5[name], (), depth)
    except UNREADABLE:
        return f"{name} of this file" if file == ITSELF else file
