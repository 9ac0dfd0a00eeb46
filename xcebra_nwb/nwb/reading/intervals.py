"""Tables of time intervals: trials, epochs, invalid times, and any other with start and stop times."""

from __future__ import annotations

from textwrap import shorten

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type, unknown_path
from xcebra_nwb.nwb.reading.query import QueryError, rows_where
from xcebra_nwb.nwb.reading.table import data_frame
from xcebra_nwb.nwb.reading.values import numbers

TRIALS = "/intervals/trials"
INVALID = "/intervals/invalid_times"


def interval_tables(file: NwbFile) -> dict[str, h5py.Group]:
    """Return every table of intervals of the file by path."""
    return {path: group for path, group in file.groups.items() if is_intervals(group)}


def is_intervals(group: h5py.Group) -> bool:
    """Return whether ``group`` is a table with a start and a stop time per row."""
    start, stop = dataset(group, "start_time"), dataset(group, "stop_time")
    if start is None or stop is None or neurodata_type(group) == "Units":
        return False
    return len(start.shape) == 1 and start.shape == stop.shape and start.dtype.kind in "iuf"


def read_intervals(table: h5py.Group) -> np.ndarray:
    """Return the start and stop time of every row, (row, 2) float64, as they stand in the file."""
    return np.stack([numbers(table[name]) for name in ("start_time", "stop_time")], axis=1)


def proper(intervals: np.ndarray) -> np.ndarray:
    """Return which rows (row,) have finite times in the right order."""
    return np.isfinite(intervals).all(axis=1) & (intervals[:, 1] >= intervals[:, 0])


def merged(intervals: np.ndarray) -> np.ndarray:
    """Return the union of intervals as sorted, disjoint ones, (interval, 2); improper rows are dropped."""
    intervals = intervals[proper(intervals)]
    if not len(intervals):
        return intervals
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    first = np.r_[True, intervals[1:, 0] > reach[:-1] + 1e-9]  # touching intervals are one
    last = np.r_[first[1:], True]
    return np.stack([intervals[first, 0], reach[last]], axis=1)


def within_intervals(file: NwbFile, within: str | tuple[float, float] | None) -> np.ndarray | None:
    """Return the times that ``time.within`` allows as disjoint intervals, (interval, 2); None for all.

    Raises:
        UsageError: no such table, or a query that does not work, with what there is.
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
    """Return which rows (row,) of ``frame`` a query picks (:mod:`xcebra_nwb.nwb.reading.query`).

    Raises:
        UsageError: the query, which the config has at ``key``, cannot be read or does not fit the columns.
    """
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    try:
        return rows_where(query, columns, len(frame))
    except QueryError as error:
        shown = shorten(", ".join(columns), 300, placeholder=" ...")
        raise UsageError(f"{key}: {shorten(query, 200, placeholder=' ...')!r} {error}", f"columns: {shown}") from None
