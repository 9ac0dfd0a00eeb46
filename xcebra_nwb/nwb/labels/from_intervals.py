"""Make labels from tables of intervals and their columns.

A label is the value of a column within each row, the time within a row, or inside and outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.angles import in_radians
from xcebra_nwb.nwb.labels.from_events import event_label
from xcebra_nwb.nwb.labels.label import Label, check_classes, check_varies, encoded, kind_of_values, named
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, text, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables, merged, proper, read_intervals
from xcebra_nwb.nwb.reading.series import read_times
from xcebra_nwb.nwb.reading.table import bounds, column_names, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import numbers
from xcebra_nwb.nwb.reading.values import values as stored

ELAPSED = ("time_within", "share_within", "time_from")


@dataclass(frozen=True, kw_only=True)
class IntervalLabel(Label):
    """A label that has one value, or one course of time, in each interval.

    Attributes:
        intervals: Start and stop of each row in s, shape (row, 2).
        values: Class code or number of each row, shape (row,).
        elapsed: Change of the value per second from the start of the row, shape (row,); None for a constant value.
        divides: Whether the rows are trials, which segments do not cross.
    """

    intervals: np.ndarray
    values: np.ndarray
    elapsed: np.ndarray | None = None
    divides: bool = True

    @property
    def range(self) -> Range:
        """The start of the first row and the stop of the last one in s."""
        return float(self.intervals[:, 0].min()), float(self.intervals[:, 1].max())

    @property
    def times(self) -> np.ndarray:
        """The starts and stops of the rows in s."""
        return self.intervals.reshape(-1)

    @property
    def borders(self) -> np.ndarray:
        """The starts and stops of the rows in s if they are trials, else nothing."""
        return self.times if self.divides else np.empty(0)

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label of each bin that lies completely inside one row.

        Args:
            grid: The bins.
            time: ``time`` of the config, which intervals do not need.

        Returns:
            The label, shape (time,) for classes and angles, else (time, 1); and False for every bin, because intervals
            have no tracking that can be lost.
        """
        row = self._rows(grid)
        missing = -1 if self.kind == "discrete" else np.nan
        result = np.where(row >= 0, self.values[row], missing).astype(self.values.dtype)
        if self.elapsed is not None:
            result = result + (grid.centres - self.intervals[row, 0]) * self.elapsed[row]
        lost = np.zeros(grid.count, dtype=bool)
        return (result[:, None] if self.kind == "continuous" else result), lost

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the row of each bin, -1 outside, shape (time,).

        It is None for a label that changes within its rows, and for rows that are no trials.
        """
        return self._rows(grid) if self.divides and self.elapsed is None else None

    def _rows(self, grid: Grid) -> np.ndarray:
        """Return the row that each bin lies completely inside, shape (time,).

        It is -1 where there is none, or more than one.
        """
        first, last = grid.whole(self.intervals)
        length = last - first
        offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        row = np.full(grid.count, -1, dtype=np.int64)
        row[np.repeat(first, length) + offset] = np.repeat(np.arange(len(length)), length)
        row[grid.tally(first, last) > 1] = -1
        return row


def interval_label(file: NwbFile, name: str, label: LabelConfig) -> Label:
    """Return a label from an interval table, or from one of its columns.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; ``source`` is ``path`` or ``path#column``.

    Raises:
        UsageError: There is no such table or column, or the kind or derivation does not fit it.
        Refusal: The label has no value, or is constant.
    """
    path, _, column = label.path.partition("#")
    tables = interval_tables(file)
    if path not in tables:
        known = [f"{table}#{c}" for table in tables for c in label_columns(file, table)]
        raise unknown_path(f"labels.{name}", label.path, known)
    table = tables[path]
    if label.derive not in (None, *ELAPSED):
        raise UsageError(
            f"labels.{name}: derive: {label.derive} is computed from a series, {path} is a table of intervals",
            f"name a series, or derive one of {', '.join(ELAPSED)}",
        )
    _check_keys(name, label, column)
    if column and column not in [*label_columns(file, path), *scalar_columns(table)]:
        raise unknown_path(f"labels.{name}", label.path, [f"{path}#{c}" for c in label_columns(file, path)])
    if label.window is not None and label.derive != "time_from":
        raise UsageError(f"labels.{name}: window is for derive: time_from here", "leave window out")
    if label.derive == "time_from":
        return _time_from(name, label, table, column or "start_time")
    if label.derive:
        return _time_within(name, label, table)
    if not column:
        return inside_or_not(name, label.path, read_intervals(table))
    return _column_label(file, name, label, table, column)


def _check_keys(name: str, label: LabelConfig, column: str) -> None:
    """Refuse keys of the config that would have no effect on this label."""
    if label.columns is not None:
        raise UsageError(f"labels.{name}: columns are those of a series", "name one of a table after #")
    if label.unit is not None and label.kind != "circular":
        raise UsageError(f"labels.{name}: a unit is read for angles only", "set kind: circular, or leave unit out")
    if not column and not label.derive and label.kind not in ("auto", "discrete"):
        raise UsageError(
            f"labels.{name}: {label.path} means inside or outside, which is discrete and cannot be {label.kind}",
            "name a column after #",
        )


def _column_label(file: NwbFile, name: str, label: LabelConfig, table: h5py.Group, column: str) -> IntervalLabel:
    values, intervals = column_values(file, table, column), read_intervals(table)
    chosen = kind_of_values(values) if label.kind == "auto" else label.kind
    if chosen != "discrete" and values.dtype.kind not in "iubf":
        raise UsageError(f"labels.{name}: {label.path} cannot be {chosen}", "set kind: discrete")
    codes, classes = encoded(values) if chosen == "discrete" else (values.astype(np.float64), ())
    present = codes >= 0 if chosen == "discrete" else np.isfinite(codes)
    result = replace(_rows_of(name, label.path, intervals, codes, present), kind=chosen, classes=classes)
    if chosen == "circular":
        angles, notes = in_radians(name, label.path, label.unit or "", result.values)
        result = replace(result, units="rad", values=np.angle(np.exp(1j * angles)), notes=notes)
    check_classes(result, classes)
    check_varies(result, result.values[:, None])
    return result


def _rows_of(name: str, source: str, intervals: np.ndarray, values: np.ndarray, present: np.ndarray) -> IntervalLabel:
    """Return the label of the rows that have a value, a start and a later stop."""
    rows = present & proper(intervals)
    if not rows.any():
        raise Refusal(
            Code.LABEL_EMPTY,
            f"label {name} ({source}): no row has a value, a start and a stop",
            "name another column in labels",
        )
    return IntervalLabel(
        name=name, kind="continuous", units="", source=source, intervals=intervals[rows], values=values[rows]
    )


def _time_within(name: str, label: LabelConfig, table: h5py.Group) -> IntervalLabel:
    """Return the time since the start of the row, or the fraction that has passed."""
    intervals = read_intervals(table)
    length = intervals[:, 1] - intervals[:, 0]
    result = _rows_of(name, label.path, intervals, np.zeros(len(intervals)), length > 0)
    share = label.derive == "share_within"
    length = result.intervals[:, 1] - result.intervals[:, 0]
    words = "share of the row that has passed" if share else "time since the start of the row"
    notes = (f"label {name}: {words}, of {len(result.intervals)} rows of {label.path}",)
    elapsed = 1 / length if share else np.ones(len(length))
    return replace(result, units="" if share else "s", elapsed=elapsed, notes=notes)


def _time_from(name: str, label: LabelConfig, table: h5py.Group, column: str) -> Label:
    """Return the time from the event of each row.

    It is defined inside the row, or inside the window around the events if the config has one.
    """
    events = read_column(table, column)
    if events.dtype.kind not in "iuf":
        raise UsageError(f"labels.{name}: {label.path} holds no times", "name a column of times")
    events = events.astype(np.float64)
    if label.window is not None:
        return event_label(name, label, np.sort(events[np.isfinite(events)]))
    intervals = read_intervals(table)
    result = _rows_of(name, label.path, intervals, intervals[:, 0] - events, np.isfinite(events))
    notes = (f"label {name}: time from {column}, inside the {len(result.intervals)} rows that have one",)
    return replace(result, units="s", elapsed=np.ones(len(result.values)), notes=notes)


def inside_or_not(name: str, source: str, intervals: np.ndarray, inside: str = "inside") -> IntervalLabel:
    """Return the label that says whether a time lies inside any interval.

    It is defined from the first start to the last stop.

    Args:
        name: Name of the label.
        source: Path of the table or series.
        intervals: Start and stop in s, shape (row, 2).
        inside: Name of the class inside the intervals.

    Raises:
        Refusal: There is no interval with finite times in order, or no time between two of them.
    """
    union = merged(intervals)
    between = np.stack([union[:-1, 1], union[1:, 0]], axis=1)
    every, codes = np.concatenate([union, between]), np.repeat([1, 0], [len(union), len(between)])
    result = _rows_of(name, source, every, codes, np.ones(len(every), dtype=bool))
    notes = (f"label {name}: inside the {len(union)} intervals of {source} or between them",)
    result = replace(result, kind="discrete", classes=("outside", inside), divides=False, notes=notes)
    check_varies(result, result.values[:, None])
    return result


def interval_series_label(file: NwbFile, name: str, label: LabelConfig) -> IntervalLabel:
    """Return the label of an IntervalSeries.

    Its data hold k where an interval of kind k starts and -k where it stops. With one kind, the label is inside or
    outside. With several kinds, the label is the kind, and missing outside of all intervals.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config.

    Raises:
        Refusal: No interval has a start and a stop.
    """
    group = file.groups[label.path]
    times, marks = read_times(group, label.path), numbers(group["data"]).reshape(-1)
    if len(times) != len(marks):
        what = f"{label.path}: {len(times)} timestamps for {len(marks)} marks"
        raise Refusal(Code.UNREADABLE_LAYOUT, what, "correct the series in the file")
    order = np.argsort(times, kind="stable")
    times, marks = times[order], marks[order]
    kinds = np.unique(np.abs(marks[np.isfinite(marks) & (marks != 0)]))
    by_kind = [_paired(times[marks == kind], times[marks == -kind]) for kind in kinds]
    intervals = np.concatenate([*by_kind, np.empty((0, 2))])
    if len(kinds) < 2:
        return inside_or_not(name, label.path, intervals, name_of(label.path))
    codes = np.repeat(np.arange(len(kinds)), [len(pairs) for pairs in by_kind])
    result = _rows_of(name, label.path, intervals, codes, np.ones(len(intervals), dtype=bool))
    result = replace(result, kind="discrete", classes=tuple(f"{kind:g}" for kind in kinds), divides=False)
    check_varies(result, result.values[:, None])
    return result


def _paired(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return each start with the first stop after it, shape (interval, 2).

    A start is dropped if another one comes before its stop.
    """
    after = np.searchsorted(stops, starts, side="right")
    pairs = np.array([[s, stops[a]] for s, a in zip(starts, after, strict=True) if a < len(stops)]).reshape(-1, 2)
    return pairs[np.r_[pairs[1:, 0] >= pairs[:-1, 1], True]] if len(pairs) else pairs


def label_columns(file: NwbFile, path: str) -> list[str]:
    """Return the columns of an interval table that can be labels.

    They hold one value or a list of texts per row, and no times.

    Args:
        file: The open file.
        path: Path of the table.
    """
    table = interval_tables(file)[path]
    columns = set(scalar_columns(table)) | {name for name in column_names(table) if _is_text_list(table, name)}
    return [n for n in column_names(table) if n in columns and n != "id" and not n.endswith(("_time", "_times"))]


def _is_text_list(table: h5py.Group, name: str) -> bool:
    data, index = dataset(table, name), dataset(table, f"{name}_index")
    if data is None or index is None or len(data.shape) != 1 or len(index.shape) != 1:
        return False
    return h5py.check_string_dtype(data.dtype) is not None


def column_values(file: NwbFile, table: h5py.Group, column: str) -> np.ndarray:
    """Return the value of a column in each row, shape (row,).

    Class codes become names if the file has names for them. A list of texts becomes one text.

    Args:
        file: The open file.
        table: The table.
        column: Name of the column.
    """
    if _is_text_list(table, column):
        texts, ends = stored(table[column]), bounds(table, column)
        assert ends is not None
        return np.array([", ".join(map(text, texts[start:stop])) for start, stop in pairwise(ends)], dtype=object)
    values = read_column(table, column)
    try:
        names = stored(file.referred(table[column].attrs["elements"])) if "elements" in table[column].attrs else ()
    except (*UNREADABLE, Refusal):
        return values  # the reference leads nowhere, so the codes have no names
    return named(values, [text(name) for name in names])
