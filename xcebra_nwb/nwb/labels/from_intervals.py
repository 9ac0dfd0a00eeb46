"""Labels from intervals: a column's value from a row's start to its stop, time within a row, inside or outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.angles import in_radians
from xcebra_nwb.nwb.labels.from_events import event_label
from xcebra_nwb.nwb.labels.label import FEW_CLASSES, Label, check_classes, check_varies, encoded, named
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, text, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables, merged, proper, read_intervals
from xcebra_nwb.nwb.reading.series import read_times
from xcebra_nwb.nwb.reading.table import bounds, column_names, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import numbers
from xcebra_nwb.nwb.reading.values import values as stored

ELAPSED = ("time_within", "share_within", "time_from")


@dataclass(frozen=True, kw_only=True)
class IntervalLabel(Label):
    """A label from intervals: ``intervals`` (row, 2) in s and ``values`` (row,), codes or numbers.

    ``elapsed``: the value is that at the row's start and grows by ``elapsed`` (row,) a second. ``divides``: the rows
    are trials, which segments do not cross.
    """

    intervals: np.ndarray
    values: np.ndarray
    elapsed: np.ndarray | None = None
    divides: bool = True

    @property
    def range(self) -> Range:
        """Start of the first and stop of the last row, s."""
        return float(self.intervals[:, 0].min()), float(self.intervals[:, 1].max())

    @property
    def times(self) -> np.ndarray:
        """The starts and stops of the rows, s."""
        return self.intervals.reshape(-1)

    @property
    def borders(self) -> np.ndarray:
        """The starts and stops of the rows, s."""
        return self.times if self.divides else np.empty(0)

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label of the bins wholly inside one row, and no bin at which tracking was lost."""
        row = self._rows(grid)
        missing = -1 if self.kind == "discrete" else np.nan
        result = np.where(row >= 0, self.values[row], missing).astype(self.values.dtype)
        if self.elapsed is not None:
            result = result + (grid.centres - self.intervals[row, 0]) * self.elapsed[row]
        lost = np.zeros(grid.count, dtype=bool)
        return (result[:, None] if self.kind == "continuous" else result), lost

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the row of every bin, (time,), -1 outside; None where the label changes within rows."""
        return self._rows(grid) if self.divides and self.elapsed is None else None

    def _rows(self, grid: Grid) -> np.ndarray:
        """The row that each bin lies wholly inside, (time,); -1 where there is none, or more than one."""
        first, last = grid.whole(self.intervals)
        length = last - first
        offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        row = np.full(grid.count, -1, dtype=np.int64)
        row[np.repeat(first, length) + offset] = np.repeat(np.arange(len(length)), length)
        row[grid.tally(first, last) > 1] = -1
        return row


def interval_label(file: NwbFile, name: str, label: LabelConfig) -> Label:
    """Return the label ``name`` from "<path of an interval table>#<column>", or from the table without a column.

    Raises:
        UsageError: no such table or column, or a kind or derivation that does not fit.
        Refusal: nothing but missing values, or constant.
    """
    path, _, column = label.source.partition("#")
    tables = interval_tables(file)
    if path not in tables:
        known = [f"{table}#{c}" for table in tables for c in label_columns(file, table)]
        raise unknown_path(f"labels.{name}", label.source, known)
    table = tables[path]
    if label.derive not in (None, *ELAPSED):
        raise UsageError(
            f"labels.{name}: derive: {label.derive} is computed from a series, {path} is a table of intervals",
            f"name a series, or derive one of {', '.join(ELAPSED)}",
        )
    _check_keys(name, label, column)
    if column and column not in [*label_columns(file, path), *scalar_columns(table)]:
        raise unknown_path(f"labels.{name}", label.source, [f"{path}#{c}" for c in label_columns(file, path)])
    if label.derive == "time_from":
        return _time_from(name, label, table, column or "start_time")
    if label.derive:
        return _time_within(name, label, table)
    if not column:
        return inside_or_not(name, label.source, read_intervals(table))
    return _column_label(file, name, label, table, column)


def _check_keys(name: str, label: LabelConfig, column: str) -> None:
    """No key of the config is taken and then not read."""
    if label.columns is not None:
        raise UsageError(f"labels.{name}: columns are those of a series", "name one of a table after #")
    if label.unit is not None and label.kind != "circular":
        raise UsageError(f"labels.{name}: a unit is read for angles only", "set kind: circular, or leave unit out")
    if not column and not label.derive and label.kind not in ("auto", "discrete"):
        raise UsageError(
            f"labels.{name}: {label.source} is inside or outside, which cannot be {label.kind}", "name a column after #"
        )


def _column_label(file: NwbFile, name: str, label: LabelConfig, table: h5py.Group, column: str) -> IntervalLabel:
    values, intervals = column_values(file, table, column), read_intervals(table)
    chosen = automatic_kind(values) if label.kind == "auto" else label.kind
    if chosen != "discrete" and values.dtype.kind not in "iubf":
        raise UsageError(f"labels.{name}: {label.source} cannot be {chosen}", "set kind: discrete")
    codes, classes = encoded(values) if chosen == "discrete" else (values.astype(np.float64), ())
    present = codes >= 0 if chosen == "discrete" else np.isfinite(codes)
    result = replace(_rows_of(name, label.source, intervals, codes, present), kind=chosen, classes=classes)
    if chosen == "circular":
        angles, notes = in_radians(name, label.source, label.unit or "", result.values)
        result = replace(result, units="rad", values=np.angle(np.exp(1j * angles)), notes=notes)
    check_classes(result, classes)
    check_varies(result, result.values[:, None])
    return result


def _rows_of(name: str, source: str, intervals: np.ndarray, values: np.ndarray, present: np.ndarray) -> IntervalLabel:
    """The label of the rows with proper times whose value is ``present`` (row,)."""
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
    """Seconds since the start of the row, or the share of the row that has passed."""
    intervals = read_intervals(table)
    length = intervals[:, 1] - intervals[:, 0]
    result = _rows_of(name, label.source, intervals, np.zeros(len(intervals)), length > 0)
    share = label.derive == "share_within"
    length = result.intervals[:, 1] - result.intervals[:, 0]
    words = "share of the row that has passed" if share else "time since the start of the row"
    notes = (f"label {name}: {words}, of {len(result.intervals)} rows of {label.source}",)
    elapsed = 1 / length if share else np.ones(len(length))
    return replace(result, units="" if share else "s", elapsed=elapsed, notes=notes)


def _time_from(name: str, label: LabelConfig, table: h5py.Group, column: str) -> Label:
    """Time from a row's event, inside the row; with a window around the events, inside that."""
    events = read_column(table, column)
    if events.dtype.kind not in "iuf":
        raise UsageError(f"labels.{name}: {label.source} holds no times", "name a column of times")
    events = events.astype(np.float64)
    if label.window is not None:
        return event_label(name, label, np.sort(events[np.isfinite(events)]))
    intervals = read_intervals(table)
    result = _rows_of(name, label.source, intervals, intervals[:, 0] - events, np.isfinite(events))
    notes = (f"label {name}: time from {column}, inside the {len(result.intervals)} rows that have one",)
    return replace(result, units="s", elapsed=np.ones(len(result.values)), notes=notes)


def inside_or_not(name: str, source: str, intervals: np.ndarray, inside: str = "inside") -> IntervalLabel:
    """Return the label of being inside any of ``intervals`` (row, 2), from the first start to the last stop.

    Raises:
        Refusal: there is no proper interval, or nothing between them.
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
    """Return the label of an IntervalSeries: its data are k where an interval of kind k starts and -k where it stops.

    With one kind the label is inside or outside; with several it is the kind, and missing outside of all.

    Raises:
        Refusal: no interval has a start and a stop.
    """
    group = file.groups[label.source]
    times, marks = read_times(group, label.source), numbers(group["data"]).reshape(-1)
    if len(times) != len(marks):
        what = f"{label.source}: {len(times)} timestamps for {len(marks)} marks"
        raise Refusal(Code.UNREADABLE_LAYOUT, what, "mend the series in the file")
    order = np.argsort(times, kind="stable")
    times, marks = times[order], marks[order]
    kinds = np.unique(np.abs(marks[np.isfinite(marks) & (marks != 0)]))
    by_kind = [_paired(times[marks == kind], times[marks == -kind]) for kind in kinds]
    intervals = np.concatenate([*by_kind, np.empty((0, 2))])
    if len(kinds) < 2:
        return inside_or_not(name, label.source, intervals, name_of(label.source))
    codes = np.repeat(np.arange(len(kinds)), [len(pairs) for pairs in by_kind])
    result = _rows_of(name, label.source, intervals, codes, np.ones(len(intervals), dtype=bool))
    result = replace(result, kind="discrete", classes=tuple(f"{kind:g}" for kind in kinds), divides=False)
    check_varies(result, result.values[:, None])
    return result


def _paired(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Every start with the first stop after it, (interval, 2); starts without one before the next are dropped."""
    after = np.searchsorted(stops, starts, side="right")
    pairs = np.array([[s, stops[a]] for s, a in zip(starts, after, strict=True) if a < len(stops)]).reshape(-1, 2)
    return pairs[np.r_[pairs[1:, 0] >= pairs[:-1, 1], True]] if len(pairs) else pairs


def label_columns(file: NwbFile, path: str) -> list[str]:
    """Return the columns of an interval table that could be labels: one value or a list of texts a row, and no time."""
    table = interval_tables(file)[path]
    columns = set(scalar_columns(table)) | {name for name in column_names(table) if _is_text_list(table, name)}
    return [n for n in column_names(table) if n in columns and n != "id" and not n.endswith(("_time", "_times"))]


def _is_text_list(table: h5py.Group, name: str) -> bool:
    data, index = dataset(table, name), dataset(table, f"{name}_index")
    if data is None or index is None or len(data.shape) != 1 or len(index.shape) != 1:
        return False
    return h5py.check_string_dtype(data.dtype) is not None


def column_values(file: NwbFile, table: h5py.Group, column: str) -> np.ndarray:
    """Return a column's value in every row, (row,): codes by their names where the file has some, lists joined."""
    if _is_text_list(table, column):
        texts, ends = stored(table[column]), bounds(table, column)
        assert ends is not None
        return np.array([", ".join(map(text, texts[start:stop])) for start, stop in pairwise(ends)], dtype=object)
    values = read_column(table, column)
    try:
        names = stored(file.referred(table[column].attrs["elements"])) if "elements" in table[column].attrs else ()
    except (*UNREADABLE, Refusal):
        return values  # the reference leads nowhere: codes without names
    return named(values, [text(name) for name in names])


def automatic_kind(values: np.ndarray) -> Kind:
    """Return discrete for texts, truth values and few whole numbers, else continuous."""
    if values.dtype.kind not in "iuf":
        return "discrete"
    finite = np.unique(values[np.isfinite(values)])
    return "discrete" if len(finite) <= FEW_CLASSES and np.all(finite == np.round(finite)) else "continuous"
