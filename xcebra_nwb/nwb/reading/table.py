"""Read dynamic tables column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.file import dataset
from xcebra_nwb.nwb.reading.present import check_there
from xcebra_nwb.nwb.reading.values import numbers, values

Read = Callable[[h5py.Dataset, Any], np.ndarray]


def length(table: h5py.Group) -> int:
    """Return the number of rows of a table."""
    identifiers = dataset(table, "id")
    if identifiers is not None:
        check_size(identifiers)
        return int(identifiers.size) if is_flat(identifiers) else int(identifiers.shape[0])
    first = next((table[name] for name in column_names(table) if _is_scalar(table, name, None)), None)
    return 0 if first is None else int(first.size)


def column_names(table: h5py.Group) -> list[str]:
    """Return the names of the columns in the file's order.

    Columns that ``colnames`` lacks come last.
    """
    listed = [n.decode() if isinstance(n, bytes) else str(n) for n in np.atleast_1d(table.attrs.get("colnames", []))]
    rest = [name for name in map(str, table) if name != "id" and not name.endswith("_index")]
    return [name for name in dict.fromkeys(listed + rest) if dataset(table, name) is not None]


def scalar_columns(table: h5py.Group) -> list[str]:
    """Return the columns that hold one number, truth value or text per row."""
    rows = length(table)
    return [name for name in column_names(table) if _is_scalar(table, name, rows)]


def _is_scalar(table: h5py.Group, name: str, rows: int | None) -> bool:
    data = dataset(table, name)
    if data is None or not is_flat(data) or dataset(table, f"{name}_index") is not None:
        return False
    if h5py.check_ref_dtype(data.dtype) is not None or (rows is not None and data.size != rows):
        return False
    return data.dtype.kind in "iufbSU" or h5py.check_string_dtype(data.dtype) is not None


def read_column(table: h5py.Group, name: str) -> np.ndarray:
    """Return the values of a scalar column, texts as ``str``, shape (row,)."""
    return values(table[name]).reshape(-1)


def is_flat(data: h5py.Dataset) -> bool:
    """Return whether a dataset is a list, also if it is stored as one column or one row.

    MATLAB knows no other lists.
    """
    return len(data.shape) == 1 or (len(data.shape) == 2 and 1 in data.shape)


def data_frame(table: h5py.Group) -> pd.DataFrame:
    """Return the scalar columns of a table as a data frame."""
    return pd.DataFrame({name: read_column(table, name) for name in scalar_columns(table)}, index=range(length(table)))


def bounds(table: h5py.Group, name: str) -> np.ndarray | None:
    """Return where each row of a ragged column ends, None for a plain column.

    Args:
        table: The table.
        name: Name of the column.

    Returns:
        The ends with a leading 0, shape (row + 1,).

    Raises:
        Refusal: The index cannot be one of ends: it runs back, leads beyond the data, or holds the starts of rows.
    """
    index = dataset(table, f"{name}_index")
    if index is None:
        return None
    stored = numbers(index).reshape(-1)
    fault = _index_fault(stored, _held(table[name]), _largest(index))
    if fault:
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{index.name}: {fault}",
            "write for each row where it ends, as whole numbers that are large enough, or name other data",
        )
    return np.r_[0, stored].astype(np.int64)


def _held(data: h5py.Dataset) -> int:
    """Return how many values the rows of a ragged column share."""
    return int(data.size if _is_row(data) else data.shape[0])


def _is_row(data: h5py.Dataset) -> bool:
    """Return whether a list is stored as a single row, as MATLAB may do."""
    return len(data.shape) == 2 and data.shape[0] == 1 < data.shape[1]


def _largest(index: h5py.Dataset) -> float:
    return float(np.iinfo(index.dtype).max) if index.dtype.kind in "iu" else np.inf


def _index_fault(ends: np.ndarray, held: int, largest: float) -> str:
    """Return why an index cannot be right, "" if it can.

    Args:
        ends: Where each row ends, as stored.
        held: Number of values that the rows share.
        largest: Largest number that the type of the index can hold.
    """
    if not len(ends):
        return ""
    if not np.all(np.isfinite(ends)) or np.any(ends != np.round(ends)) or ends.min() < 0:
        return "not all ends of its rows are whole numbers of values"
    if ends.max() > held:
        return f"leads to row {ends.max():.0f} of {held}"
    back = np.flatnonzero(np.diff(ends) < 0)
    if len(back):
        before, after = ends[back[0]], ends[back[0] + 1]
        wrapped = f", as its type holds numbers up to {largest:.0f} and begins again at 0" if largest < held else ""
        return f"runs back from {before:.0f} to {after:.0f} at row {back[0] + 1}{wrapped}"
    if ends[-1] == held:
        return ""
    if ends[-1] == largest:
        return f"ends at {largest:.0f}, the largest number of its type, of {held} values"
    if len(ends) > 1 and ends[0] <= 1:
        return (
            f"begins at {ends[0]:.0f} and leaves out the last {held - ends[-1]:.0f} of {held} values: starts of rows?"
        )
    return ""


def left_over(table: h5py.Group, name: str) -> list[str]:
    """Return a line on values of a ragged column that belong to no row, if there are any.

    Args:
        table: The table.
        name: Name of the column.
    """
    ends, held = bounds(table, name), _held(table[name])
    if ends is None or ends[-1] == held:
        return []
    return [f"the last {held - ends[-1]} of {held} {name} belong to no row by {name}_index"]


def ragged(table: h5py.Group, name: str, step: int = 1, read: Read | None = None) -> Iterator[np.ndarray]:
    """Yield the part of a numeric column that belongs to each row, as float64.

    Args:
        table: The table.
        name: Name of the column.
        step: Read every ``step``-th row only.
        read: Reads a part, if it is to be converted.
    """
    data, ends = table[name], bounds(table, name)
    check_size(data)
    check_there(data)
    if ends is None:
        ends = np.arange(_held(data) + 1)
    for start, stop in list(pairwise(ends))[::step]:
        yield (read or _checked)(data, (0, slice(start, stop)) if _is_row(data) else slice(start, stop))


def _checked(data: h5py.Dataset, selection: Any) -> np.ndarray:
    return numbers(data, selection, checked=True)
