"""Read which times ``time.within`` allows: a range, or rows of any table of intervals or intervals of a series."""

from __future__ import annotations

from textwrap import shorten

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading.file import NwbFile, neurodata_type, unknown_path
from xcebra_nwb.nwb.reading.interval_series import read_interval_series
from xcebra_nwb.nwb.reading.intervals import interval_tables, is_text_list, merged, read_intervals, select, text_list
from xcebra_nwb.nwb.reading.table import column_names, data_frame, scalar_columns

EXAMPLE = "write \"/intervals/epochs: label == 'run'\""
SHOWN = 300  # characters of a list of columns or values


def within_intervals(file: NwbFile, within: str | tuple[float, float] | None) -> np.ndarray | None:
    """Return the intervals that ``time.within`` allows, None for all times.

    Args:
        file: The open file.
        within: ``time.within`` of the config: start and stop in s; the path of a table of intervals or of an
            IntervalSeries; or such a path and a query over its rows.

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
    path, colon, query = (part.strip() for part in within.partition(": "))
    if not path.startswith("/") or path.endswith(":") or (colon and not query):
        raise UsageError(f"time.within: cannot read {within!r}", EXAMPLE)
    frame, intervals = queried(file, path)
    rows = select(frame, query, "time.within") if query else np.ones(len(intervals), dtype=bool)
    if not rows.any():
        raise UsageError(f"time.within: no row of {path} where {query}", f"change the query; {_held(frame)}")
    found = merged(intervals[rows])
    if not len(found):
        raise UsageError(f"time.within: no row of {within} has a start and a later stop", "change the query")
    return found


def queried(file: NwbFile, path: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return what a query may ask of the rows of a table or of the intervals of a series, and their times.

    A list of texts is one text, such as ``'run, novel'``. Blanks round texts are cut. An IntervalSeries has the column
    ``kind``.

    Args:
        file: The open file.
        path: Path of the table or series.

    Returns:
        The columns, and the start and stop of each row in s, shape (row, 2).

    Raises:
        UsageError: There is neither at this path.
    """
    path = file.canonical_path(path.rstrip("/"))
    tables = interval_tables(file)
    if path in tables:
        return _frame(tables[path]), read_intervals(tables[path])
    if path in interval_series(file):
        intervals, kinds = read_interval_series(file.groups[path], path)
        return pd.DataFrame({"kind": kinds}), intervals
    error = unknown_path("time.within", path, [*tables, *interval_series(file)])
    if not tables:
        raise error
    raise type(error)(error.message, f"{error.remedy}; columns: {_columns(tables)}")


def interval_series(file: NwbFile) -> list[str]:
    """Return the paths of all IntervalSeries."""
    return [path for path, group in file.series.items() if neurodata_type(group) == "IntervalSeries"]


def _frame(table: h5py.Group) -> pd.DataFrame:
    frame = data_frame(table)
    for name in column_names(table):
        if name not in frame and is_text_list(table, name):
            frame[name] = text_list(table, name)
    for name in _text_columns(frame):
        frame[name] = [str(value).strip() for value in frame[name]]
    return frame


def _text_columns(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if frame[name].to_numpy().dtype.kind == "O"]


def _columns(tables: dict[str, h5py.Group]) -> str:
    listed = []
    for path, table in tables.items():
        scalar = set(scalar_columns(table))
        names = [name for name in column_names(table) if name in scalar or is_text_list(table, name)]
        listed.append(f"{path} ({', '.join(names)})")
    return shorten("; ".join(listed), SHOWN, placeholder=" ...")


def _held(frame: pd.DataFrame) -> str:
    """Return the values of the text columns of a table, in words."""
    held = [f"{name}: {', '.join(sorted(set(map(str, frame[name]))))}" for name in _text_columns(frame)]
    return shorten("; ".join(held) or f"columns: {', '.join(map(str, frame.columns))}", SHOWN, placeholder=" ...")
