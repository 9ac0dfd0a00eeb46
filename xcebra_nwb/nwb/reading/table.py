"""Read dynamic tables column by column."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.file import dataset
from xcebra_nwb.nwb.reading.present import check_there
from xcebra_nwb.nwb.reading.values import numbers, values


def length(table: h5py.Group) -> int:
    """Return the number of rows of a table."""
    identifiers = dataset(table, "id")
    if identifiers is not None:
        check_size(identifiers)
        return int(identifiers.shape[0])
    first = next((table[name] for name in column_names(table) if _is_scalar(table, name, None)), None)
    return 0 if first is None else int(first.shape[0])


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
    if data is None or len(data.shape) != 1 or dataset(table, f"{name}_index") is not None:
        return False
    if h5py.check_ref_dtype(data.dtype) is not None or (rows is not None and data.shape[0] != rows):
        return False
    return data.dtype.kind in "iufbSU" or h5py.check_string_dtype(data.dtype) is not None


def read_column(table: h5py.Group, name: str) -> np.ndarray:
    """Return the values of a scalar column, texts as ``str``, shape (row,)."""
    return values(table[name])


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
        Refusal: The index does not rise from row to row, or leads beyond the data.
    """
    index = dataset(table, f"{name}_index")
    if index is None:
        return None
    ends = np.r_[0, numbers(index).reshape(-1)].astype(np.int64)
    if np.any(np.diff(ends) < 0) or ends[-1] > table[name].shape[0]:
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{index.name}: leads to row {ends.max()} of {table[name].shape[0]}, or back",
            "correct the table, or name other data",
        )
    return ends


def ragged(table: h5py.Group, name: str, step: int = 1) -> Iterator[np.ndarray]:
    """Yield the part of a numeric column that belongs to each row, as float64.

    Args:
        table: The table.
        name: Name of the column.
        step: Read every ``step``-th row only.
    """
    data, ends = table[name], bounds(table, name)
    check_size(data)
    check_there(data)
    if ends is None:
        ends = np.arange(data.shape[0] + 1)
    for start, stop in list(pairwise(ends))[::step]:
        yield numbers(data, slice(start, stop), checked=True)
