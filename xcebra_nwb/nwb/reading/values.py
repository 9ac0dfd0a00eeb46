"""Read values from a file, and refuse those that cannot be read as needed."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from xcebra_nwb.core import host_memory
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_CHUNK_BYTES, MOST_MEMORY, PLAUSIBLE, check_size, declared_bytes
from xcebra_nwb.core.hdf5.filters import check_filters
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.present import absent, check_there, missing


def values(data: h5py.Dataset, selection: Any = ()) -> np.ndarray:
    """Return values of a dataset, texts as ``str`` objects.

    Numbers with a decimal point that the file does not hold (:mod:`xcebra_nwb.nwb.reading.present`) are NaN, and such
    texts are empty.

    Args:
        data: The dataset.
        selection: An index as h5py takes it; all values by default.

    Raises:
        Refusal: They cannot be read, the file declares far more than it stores, or it lacks whole numbers.
    """
    read, gone = _read(data, selection), absent(data, selection)
    if gone is None:
        return read
    if read.dtype.kind not in "fO":
        raise missing(data, gone)
    read = read.copy() if read.ndim else np.array(read)
    read[gone.where.reshape(read.shape)] = np.nan if read.dtype.kind == "f" else ""
    return read


def _read(data: h5py.Dataset, selection: Any) -> np.ndarray:
    check_readable(data, selection)
    try:
        stored = data.asstr(errors="replace") if is_text(data) else data
        return np.asarray(stored[selection], dtype=object if is_text(data) else None)
    except (*UNREADABLE, MemoryError) as error:
        raise Refusal(
            Code.DAMAGED, f"{data.name}: damaged: {error}", "download or copy it again, or name other data"
        ) from error


def numbers(data: h5py.Dataset, selection: Any = (), checked: bool = False) -> np.ndarray:
    """Return values of a dataset as float64, in its own shape.

    Times and indices are read in this way, so that none of them may be missing.

    Args:
        data: The dataset.
        selection: An index as h5py takes it; all values by default.
        checked: Whether the caller has checked that no value is missing.

    Raises:
        Refusal: They are not real numbers, cannot be read, or the file does not hold all of them.
    """
    if data.dtype.kind not in "iufb" or data.shape is None:
        raise Refusal(
            Code.UNREADABLE_LAYOUT, f"{data.name}: {_content_text(data)} instead of numbers", "name another object"
        )
    if not checked:
        check_there(data, selection)
    return _read(data, selection).astype(np.float64)


def number(item: h5py.Dataset | h5py.Group, attribute: str, default: float) -> float:
    """Return a numeric attribute.

    Args:
        item: The group or dataset.
        attribute: Name of the attribute.
        default: Returned if there is no such attribute.

    Raises:
        Refusal: The attribute is no single number.
    """
    try:
        stored = np.asarray(item.attrs.get(attribute, default))
    except UNREADABLE:
        stored = np.empty(0)
    if stored.size != 1 or stored.dtype.kind not in "iufb":
        raise Refusal(Code.UNREADABLE_LAYOUT, f"{item.name}: its {attribute} is no number", "correct it in the file")
    return float(stored.reshape(-1)[0])


def is_text(data: h5py.Dataset) -> bool:
    """Return whether a dataset holds texts."""
    return h5py.check_string_dtype(data.dtype) is not None


def _content_text(data: h5py.Dataset) -> str:
    return "nothing" if data.shape is None else "texts" if is_text(data) else f"values of type {data.dtype}"


def check_readable(data: h5py.Dataset, selection: Any = ()) -> None:
    """Raise a refusal if values of a dataset cannot be read safely.

    Args:
        data: The dataset.
        selection: An index as h5py takes it; all values by default.

    Raises:
        Refusal: Their filter is unknown, or they are too large.
        Failure: Their filter is not installed.
    """
    if isinstance(data, h5py.Dataset):
        check_filters(data)
        chunk = declared_bytes(data.chunks or (), data)
        if chunk > MOST_CHUNK_BYTES:
            raise _too_large(f"{data.name}: a chunk of {chunk:.3g} bytes, more than {MOST_CHUNK_BYTES:.3g}")
    asked = declared_bytes(_selected(data.shape or (), selection), data)
    if asked > PLAUSIBLE:
        check_size(data)
        free = host_memory.free_bytes()
        if asked > MOST_MEMORY * free:
            raise _too_large(f"{data.name}: {asked:.3g} bytes, where {free:.3g} bytes of memory are free")


def _selected(shape: tuple[int, ...], selection: Any) -> tuple[int, ...]:
    """Return how many values a selection takes along each axis."""
    parts = selection if isinstance(selection, tuple) else (selection,)
    if Ellipsis in [part for part in parts if not isinstance(part, np.ndarray)]:
        return shape
    taken = [_count(part, length) for part, length in zip(parts, shape, strict=False)]
    return (*taken, *shape[len(taken) :])


def _count(part: Any, length: int) -> int:
    if isinstance(part, slice):
        return len(range(*part.indices(length)))
    return int(np.size(part))


def _too_large(what: str) -> Refusal:
    return Refusal(Code.OUT_OF_BOUNDS, what, "name other data, or write it in smaller pieces")
