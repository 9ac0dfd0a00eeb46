"""Make labels from tables of intervals and their columns.

A label is the value of a column within each row, the time within a row, inside and outside, or which table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels.angles import in_radians
from xcebra_nwb.nwb.labels.from_events import event_label
from xcebra_nwb.nwb.labels.interval_rows import IntervalLabel, label_of_rows
from xcebra_nwb.nwb.labels.label import Label, check_classes, check_varies, encoded
from xcebra_nwb.nwb.labels.table_columns import automatic_kind
from xcebra_nwb.nwb.labels.table_rows import Rows, table_rows, windows
from xcebra_nwb.nwb.reading.file import NwbFile, name_of
from xcebra_nwb.nwb.reading.interval_series import read_interval_series
from xcebra_nwb.nwb.reading.intervals import merged, proper

ELAPSED = ("time_within", "share_within", "time_from")
TOUCHING = 1e-3  # s; rows of one table that lie closer are one presentation, as the frames of a film


def interval_label(file: NwbFile, name: str, label: LabelConfig, written: str = "") -> Label:
    """Return a label from interval tables, or from a column of them.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; each source is ``path`` or ``path#column``.
        written: Its source as the config gives it; "" for the paths.

    Raises:
        UsageError: There is no such table or column, or the kind, window or derivation does not fit it.
        Refusal: The label has no value, or is constant.
    """
    rows = table_rows(file, name, label, written or ", ".join(label.sources))
    if label.derive not in (None, *ELAPSED):
        raise UsageError(
            f"labels.{name}: derive: {label.derive} is computed from a series, {rows.source} is a table of intervals",
            f"name a series, or derive one of {', '.join(ELAPSED)}",
        )
    _check_keys(rows, label)
    if label.derive == "time_from":
        return _time_from(rows, label)
    intervals, notes = windows(rows, label)
    if label.derive:
        return _time_within(rows, intervals, notes, share=label.derive == "share_within")
    if rows.with_values:
        return _column_label(rows, label, intervals, notes)
    if len(rows.tables) > 1:
        return _which_table(rows, intervals, notes)
    if "*" in rows.source:
        raise Refusal(
            Code.LABEL_CONSTANT,
            f"label {name} ({rows.source}): a single table fits, {next(iter(rows.tables))}, so it does not tell which",
            "name that table without * for inside and outside of its rows",
        )
    return inside_or_not(name, rows.source, intervals, notes=notes)


def _check_keys(rows: Rows, label: LabelConfig) -> None:
    """Refuse keys of the config that would have no effect on this label."""
    name = rows.name
    if label.columns is not None:
        raise UsageError(f"labels.{name}: columns are those of a series", "name one of a table after #")
    if label.unit is not None and label.kind != "circular":
        raise UsageError(f"labels.{name}: a unit is read for angles only", "set kind: circular, or leave unit out")
    if not rows.with_values and not label.derive and label.kind not in ("auto", "discrete"):
        what = "inside or outside" if len(rows.tables) == 1 else "which table"
        raise UsageError(
            f"labels.{name}: {rows.source} means {what}, which is discrete and cannot be {label.kind}",
            "name a column after #",
        )


def _column_label(rows: Rows, label: LabelConfig, intervals: np.ndarray, notes: list[str]) -> IntervalLabel:
    values, left_out, suspicious = rows.values()
    chosen = automatic_kind(values, rows.columns[0]) if label.kind == "auto" else label.kind
    if chosen != "discrete" and values.dtype.kind not in "iubf":
        raise UsageError(f"labels.{rows.name}: {rows.source} cannot be {chosen}", "set kind: discrete")
    codes, classes = encoded(values) if chosen == "discrete" else (values.astype(np.float64), ())
    present = codes >= 0 if chosen == "discrete" else np.isfinite(codes)
    notes = [*notes, *left_out, *suspicious]
    said = np.nan_to_num(codes.astype(np.float64))
    keys = None if label.window else np.stack([rows.table, said], axis=1)
    result = label_of_rows(rows.name, rows.source, intervals, codes, present, keys, notes=notes)
    result = replace(result, kind=chosen, classes=classes, suspicious=suspicious)
    if chosen == "circular":
        angles, said_of_unit = in_radians(rows.name, rows.source, label.unit or "", result.values)
        notes_now = (*result.notes, *said_of_unit)
        result = replace(result, units="rad", values=np.angle(np.exp(1j * angles)), notes=notes_now)
    check_classes(result, classes)
    check_varies(result, result.values[:, None])
    return result


def _time_within(rows: Rows, intervals: np.ndarray, notes: list[str], share: bool) -> IntervalLabel:
    """Return the time since the start of the row, or the fraction that has passed."""
    length = intervals[:, 1] - intervals[:, 0]
    with np.errstate(divide="ignore"):
        elapsed = 1 / length if share else np.ones(len(length))
    every = np.ones(len(length), dtype=bool)
    result = label_of_rows(
        rows.name, rows.source, intervals, np.zeros(len(length)), every, elapsed=elapsed, notes=notes
    )
    part = "row" if not notes else "window of the row"
    words = f"share of the {part} that has passed" if share else f"time since the start of the {part}"
    used = len(np.unique(result.row))
    line = f"label {rows.name}: {words}, of {used} rows of {rows.source}"
    return replace(result, units="" if share else "s", notes=(line, *result.notes))


def _time_from(rows: Rows, label: LabelConfig) -> Label:
    """Return the time from the event of each row.

    It is defined inside the row, or inside the window around the events if the config has one.
    """
    parts = [column or "start_time" for column in rows.columns]
    if len(set(parts)) > 1:
        raise UsageError(f"labels.{rows.name}: {rows.source} names several columns", "name the same one of every table")
    column = parts[0]
    events, notes = rows.times(column, "source")
    if label.window is not None:
        around = event_label(rows.name, rows.source, np.sort(events[np.isfinite(events)]), label.window_seconds)
        return replace(around, notes=(*around.notes, *notes))
    at_start, ones = rows.intervals[:, 0] - events, np.ones(len(events))
    result = label_of_rows(
        rows.name, rows.source, rows.intervals, at_start, np.isfinite(events), elapsed=ones, notes=notes
    )
    used = len(np.unique(result.row))
    line = f"label {rows.name}: time from {column}, inside the {used} rows that have one"
    return replace(result, units="s", notes=(line, *result.notes))


def _which_table(rows: Rows, intervals: np.ndarray, notes: list[str]) -> IntervalLabel:
    """Return the label that says in which table a time lies, such as which stimulus is shown."""
    names = rows.names()
    blocks, owners = [], []
    for number in range(len(names)):
        touching = merged(intervals[rows.table == number] + np.array([0.0, TOUCHING])) - np.array([0.0, TOUCHING])
        blocks.append(touching)
        owners.append(np.full(len(touching), number))
    every, codes = np.concatenate(blocks), np.concatenate(owners)
    held = [f"{name} ({np.sum(rows.table == number)} rows)" for number, name in enumerate(names)]
    notes = [f"label {rows.name}: which of {len(names)} tables a time lies in: {', '.join(held)}", *notes]
    if odd := int(np.sum(~proper(intervals))):
        notes.append(_left_out(rows.name, rows.source, len(intervals), odd))
    every_row = np.ones(len(every), dtype=bool)
    result = label_of_rows(rows.name, rows.source, every, codes, every_row, keys=codes, notes=notes)
    kept = np.unique(result.values)
    classes = tuple(names[code] for code in kept)
    result = replace(
        result, kind="discrete", classes=classes, values=np.searchsorted(kept, result.values), divides=False
    )
    check_classes(result, classes)
    check_varies(result, result.values[:, None])
    return result


def _left_out(name: str, source: str, rows: int, odd: int) -> str:
    return f"label {name} ({source}): rows left out of {rows}: {odd} without a start and a later stop"


def inside_or_not(
    name: str, source: str, intervals: np.ndarray, inside: str = "inside", notes: list[str] | None = None
) -> IntervalLabel:
    """Return the label that says whether a time lies inside any interval.

    It is defined from the first start to the last stop.

    Args:
        name: Name of the label.
        source: Path of the table or series.
        intervals: Start and stop in s, shape (row, 2).
        inside: Name of the class inside the intervals.
        notes: Lines on how the intervals were made.

    Raises:
        Refusal: There is no interval with finite times in order, or no time between two of them.
    """
    union = merged(intervals)
    between = np.stack([union[:-1, 1], union[1:, 0]], axis=1)
    every, codes = np.concatenate([union, between]), np.repeat([1, 0], [len(union), len(between)])
    said = [f"label {name}: inside the {len(union)} intervals of {source} or between them", *(notes or [])]
    if odd := int(np.sum(~proper(intervals))):
        said.append(_left_out(name, source, len(intervals), odd))
    result = label_of_rows(name, source, every, codes, np.ones(len(every), dtype=bool), keys=codes, notes=said)
    result = replace(result, kind="discrete", classes=("outside", inside), divides=False)
    check_varies(result, result.values[:, None])
    return result


def interval_series_label(file: NwbFile, name: str, label: LabelConfig) -> IntervalLabel:
    """Return the label of an IntervalSeries.

    With one kind of interval, the label is inside or outside. With several kinds, the label is the kind, and missing
    outside of all intervals, and where intervals of two kinds overlap.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config.

    Raises:
        Refusal: No interval has a start and a stop.
    """
    intervals, kinds = read_interval_series(file.groups[label.path], label.path)
    known, codes = np.unique(kinds, return_inverse=True)
    if len(known) < 2:
        return inside_or_not(name, label.path, intervals, name_of(label.path))
    result = label_of_rows(name, label.path, intervals, codes, np.ones(len(codes), dtype=bool), keys=codes)
    result = replace(result, kind="discrete", classes=tuple(f"{kind:g}" for kind in known), divides=False)
    check_varies(result, result.values[:, None])
    return result
