"""Read tables of time intervals, such as trials, epochs and invalid times."""

from __future__ import annotations

from itertools import pairwise
from textwrap import shorten

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type, text
from xcebra_nwb.nwb.reading.query import QueryError, rows_where
from xcebra_nwb.nwb.reading.table import bounds, is_flat
from xcebra_nwb.nwb.reading.values import is_text, values

TRIALS = "/intervals/trials"
INVALID = "/intervals/invalid_times"


def interval_tables(file: NwbFile) -> dict[str, h5py.Group]:
    """Return every table of intervals of a file, by path."""
    return {path: group for path, group in file.groups.items() if is_intervals(group)}


def is_intervals(group: h5py.Group) -> bool:
    """Return whether a group is a table with a start and a stop time per row."""
    start, stop = dataset(group, "start_time"), dataset(group, "stop_time")
    if start is None or stop is None or neurodata_type(group) == "Units":
        return False
    return is_flat(start) and is_flat(stop) and start.size == stop.size and start.dtype.kind in "iuf"


def read_intervals(table: h5py.Group) -> np.ndarray:
    """Return the start and stop of each row in s, shape (row, 2)."""
    return np.stack([clock.read(table[name]).reshape(-1) for name in ("start_time", "stop_time")], axis=1)


def proper(intervals: np.ndarray) -> np.ndarray:
    """Return which rows have finite times in the right order, shape (row,).

    >>> proper(np.array([[0.0, 1.0], [2.0, 1.0], [np.nan, 3.0]])).tolist()
    [True, False, False]
    """
    return np.isfinite(intervals).all(axis=1) & (intervals[:, 1] >= intervals[:, 0])


def merged(intervals: np.ndarray) -> np.ndarray:
    """Return the union of intervals as sorted, disjoint ones, shape (interval, 2).

    Rows without finite times in the right order are dropped.

    >>> merged(np.array([[2.0, 3.0], [0.0, 1.0], [0.5, 2.0]])).tolist()
    [[0.0, 3.0]]
    """
    intervals = intervals[proper(intervals)]
    if not len(intervals):
        return intervals
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.r_[True, intervals[1:, 0] > reach[:-1] + 1e-9]  # touching intervals are one
    last = np.r_[first[1:], True]
    return np.stack([intervals[first, 0], reach[last]], axis=1)


def covered(table: h5py.Group) -> float:
    """Return how much time the rows of a table cover together, in s."""
    union = merged(read_intervals(table))
    return float(np.sum(union[:, 1] - union[:, 0]))


def is_text_list(table: h5py.Group, name: str) -> bool:
    """Return whether a column of a table holds a list of texts per row, such as the tags of epochs."""
    data, index = dataset(table, name), dataset(table, f"{name}_index")
    return data is not None and index is not None and len(data.shape) == len(index.shape) == 1 and is_text(data)


def text_list(table: h5py.Group, name: str) -> list[str]:
    """Return the list of texts of each row as one text.

    Args:
        table: The table.
        name: Name of a column for which :func:`is_text_list` holds.
    """
    texts, ends = values(table[name]), bounds(table, name)
    assert ends is not None
    return [", ".join(map(text, texts[start:stop])) for start, stop in pairwise(ends)]


def select(frame: pd.DataFrame, query: str, key: str) -> np.ndarray:
    """Return which rows of a table a query selects, shape (row,).

    Args:
        frame: The table.
        query: The query (:mod:`xcebra_nwb.nwb.reading.query`).
        key: Key of the config that holds the query, for errors.

    Raises:
        UsageError: The query cannot be read, or does not fit the columns.

    >>> select(pd.DataFrame({"side": ["left", "right"]}), "side == 'left'", "time.within").tolist()
    [True, False]
    """
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    try:
        return rows_where(query, columns, len(frame))
    except QueryError as error:
        shown = shorten(", ".join(columns), 300, placeholder=" ...")
        raise UsageError(f"{key}: {shorten(query, 200, placeholder=' ...')!r} {error}", f"columns: {shown}") from None
