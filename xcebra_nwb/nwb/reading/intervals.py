"""Read tables of time intervals, such as trials, epochs and invalid times."""

from __future__ import annotations

from textwrap import shorten

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type, unknown_path
from xcebra_nwb.nwb.reading.query import QueryError, rows_where
from xcebra_nwb.nwb.reading.table import data_frame, is_flat

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


def within_intervals(file: NwbFile, within: str | tuple[float, float] | None) -> np.ndarray | None:
    """Return the intervals that ``time.within`` allows, None for all times.

    Args:
        file: The open file.
        within: ``time.within`` of the config: start and stop in s, or a table and a query over its rows.

    Returns:
        Disjoint intervals in s, shape (interval, 2).

    Raises:
        UsageError: There is no such table, or the query does not work or selects no row.
    """
    if within is None:
        return None
    if not isinstance(within, str):
        if within[1] <= within[0]:
            raise UsageError(f"time.within: [{within[0]:g}, {within[1]:g}] is empty", "give [start, stop] in s")
        return np.array([within], dtype=np.float64)
    path, _, query = (part.strip() for part in within.partition(": "))
    if not path.startswith("/") or not query:
        raise UsageError(f"time.within: cannot read {within!r}", "write \"/intervals/epochs: label == 'run'\"")
    tables = interval_tables(file)
    if path not in tables:
        raise unknown_path("time.within", path, tables)
    table = tables[path]
    rows = select(data_frame(table), query, "time.within")
    if not rows.any():
        raise UsageError(f"time.within: no row of {path} where {query}", "change the query")
    return merged(read_intervals(table)[rows])


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
