"""Labels from a column of an interval table: the same value from a row's start to its stop, missing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xcebra_nwb.config import Auto, Kind, Time
from xcebra_nwb.errors import Refusal, UsageError
from xcebra_nwb.nwb.file import NwbFile, unknown_path
from xcebra_nwb.nwb.grid import Grid, Range
from xcebra_nwb.nwb.intervals import interval_tables, proper, read_intervals
from xcebra_nwb.nwb.labels import FEW_CLASSES, Label, check_classes, check_varies, encoded
from xcebra_nwb.nwb.table import read_column, scalar_columns
from xcebra_nwb.refusals import Code


@dataclass(frozen=True, kw_only=True)
class IntervalLabel(Label):
    """A label from an interval table: ``intervals`` (row, 2) in s and ``values`` (row,), codes or numbers."""

    intervals: np.ndarray
    values: np.ndarray

    @property
    def range(self) -> Range:
        """Start of the first and stop of the last row, s."""
        return float(self.intervals[:, 0].min()), float(self.intervals[:, 1].max())

    @property
    def times(self) -> np.ndarray:
        """The starts and stops of the rows, s."""
        return self.intervals.reshape(-1)

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label of the bins wholly inside one row, and no bin at which tracking was lost."""
        trial = self.trials(grid)
        missing = -1 if self.kind == "discrete" else np.nan
        result = np.where(trial >= 0, self.values[trial], missing).astype(self.values.dtype)
        lost = np.zeros(grid.count, dtype=bool)
        return (result if self.kind == "discrete" else result[:, None]), lost

    def trials(self, grid: Grid) -> np.ndarray:
        """Return the row that each bin lies wholly inside, (time,); -1 where there is none, or more than one."""
        first, last = grid.whole(self.intervals)
        length = last - first
        offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        row = np.full(grid.count, -1, dtype=np.int64)
        row[np.repeat(first, length) + offset] = np.repeat(np.arange(len(length)), length)
        row[grid.tally(first, last) > 1] = -1
        return row


def interval_label(file: NwbFile, name: str, source: str, kind: Kind | Auto = "auto") -> IntervalLabel:
    """Return the label ``name`` from ``source``, "<path of an interval table>#<column>".

    Raises:
        UsageError: no such table or column, or a kind that does not fit.
        Refusal: nothing but missing values, or constant.
    """
    path, column = source.split("#", 1)
    tables = interval_tables(file)
    if path not in tables:
        known = [f"{table}#{c}" for table in tables for c in label_columns(file, table)]
        raise unknown_path(f"labels.{name}", source, known)
    if column not in scalar_columns(tables[path]):
        raise unknown_path(f"labels.{name}", source, [f"{path}#{c}" for c in label_columns(file, path)])
    values, intervals = read_column(tables[path], column), read_intervals(tables[path])
    numeric = values.dtype.kind in "iubf"
    chosen = _automatic_kind(values) if kind == "auto" else kind
    if chosen == "circular" or (chosen == "continuous" and not numeric):
        raise UsageError(f"labels.{name}: {source} cannot be {chosen}", "set kind: discrete")
    if chosen == "discrete":
        codes, classes = encoded(values)
        present = codes >= 0
    else:
        codes, classes = values.astype(np.float64), ()
        present = np.isfinite(codes)
    rows = present & proper(intervals)
    if not rows.any():
        raise Refusal(
            Code.LABEL_EMPTY,
            f"label {name} ({source}): no row has a value, a start and a stop",
            "name another column in labels",
        )
    label = IntervalLabel(
        name=name, kind=chosen, units="", source=source, classes=classes, intervals=intervals[rows], values=codes[rows]
    )
    check_classes(label, classes)
    check_varies(label, label.values[:, None])
    return label


def label_columns(file: NwbFile, path: str) -> list[str]:
    """Return the columns of an interval table that could be labels: one value a row, and no time."""
    columns = scalar_columns(interval_tables(file)[path])
    return [name for name in columns if name != "id" and not name.endswith(("_time", "_times"))]


def _automatic_kind(values: np.ndarray) -> Kind:
    """Texts, truth values and few whole numbers are classes."""
    if values.dtype.kind not in "iuf":
        return "discrete"
    finite = np.unique(values[np.isfinite(values)])
    return "discrete" if len(finite) <= FEW_CLASSES and np.all(finite == np.round(finite)) else "continuous"
