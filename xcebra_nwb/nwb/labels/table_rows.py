"""The rows of one table of intervals, or of several, and the part of each row that a label uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.labels.table_columns import Column, clean_column, joined, label_columns
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables, read_intervals
from xcebra_nwb.nwb.reading.table import read_column, scalar_columns

NEAR = 10.0  # s round a row in which an event of the row may lie, at least
MOST_WRONG = 0.5  # share of rows with a time elsewhere, from which on a column holds no times of the recording
SPACINGS = 3  # between the starts of rows, in which it may lie
STIMULUS = "stimulus_name"


@dataclass(frozen=True)
class Rows:
    """The rows that a label is made from.

    Attributes:
        file: The open file.
        name: Name of the label.
        source: Its source, for messages.
        tables: The tables by path.
        columns: Column of each table that holds the values, "" for none.
        intervals: Start and stop of each row in s, as stored, shape (row, 2).
        table: Number of the table of each row, shape (row,).
    """

    file: NwbFile
    name: str
    source: str
    tables: dict[str, h5py.Group]
    columns: tuple[str, ...]
    intervals: np.ndarray
    table: np.ndarray

    @property
    def with_values(self) -> bool:
        """Whether the label is a column of the tables."""
        return bool(self.columns[0])

    def values(self) -> Column:
        """Return the values of the column."""
        held = []
        for (path, table), column in zip(self.tables.items(), self.columns, strict=True):
            values, left_out, suspicious = clean_column(self.file, table, column)
            what = f"label {self.name} ({path}#{column})"
            held.append(
                Column(
                    values,
                    tuple(f"{what}: {line}" for line in left_out),
                    tuple(f"{what}: {line}" for line in suspicious),
                )
            )
        return joined(held)

    def times(self, column: str, key: str) -> tuple[np.ndarray, list[str]]:
        """Return a column of times in s, NaN where a row has none, shape (row,), and notes.

        A time far from its row, such as -999, is none. So is the same number in every other row.

        Args:
            column: Name of the column, which every table has.
            key: Key of the config that names it, for errors.

        Raises:
            UsageError: A table lacks it, or it holds no times, or times that do not lie near their rows.
        """
        parts = []
        for path, table in self.tables.items():
            data = dataset(table, column)
            if data is None or (column not in ("start_time", "stop_time") and column not in scalar_columns(table)):
                known = [name for name in scalar_columns(table) if read_kind(table, name) == "f"]
                raise unknown_path(
                    f"labels.{self.name}.{key}", f"{path}#{column}", [f"{path}#{name}" for name in known]
                )
            if data.dtype.kind not in "iuf":
                raise UsageError(f"labels.{self.name}: {path}#{column} holds no times", "name a column of times")
            parts.append(read_column(table, column).reshape(-1).astype(np.float64))
        return self._near(np.concatenate(parts), column)

    def _near(self, times: np.ndarray, column: str) -> tuple[np.ndarray, list[str]]:
        """Return the times that lie near their rows, and a note on the others.

        Numbers that are no times of the recording, such as times since the start of the row, are refused.
        """
        starts = self.intervals[:, 0]
        stops = np.where(np.isfinite(self.intervals[:, 1]), self.intervals[:, 1], starts)
        known = np.isfinite(times) & np.isfinite(starts)
        if not known.any():
            return times, []
        spacing = float(np.median(np.diff(np.sort(starts[known])))) if known.sum() > 1 else 0.0
        reach = max(NEAR, SPACINGS * spacing, float(np.median((stops - starts)[known])))
        away = known & ((times < starts - reach) | (times > stops + reach))
        codes, counts = np.unique(times[away], return_counts=True)
        wrong = away | np.isin(times, codes[counts > 1])
        low, high = (f"{bound:.6g}" for bound in (times[known].min(), times[known].max()))
        if wrong[known].mean() > MOST_WRONG and not (len(codes) == 1 and (known & ~wrong).any()):
            raise UsageError(
                f"labels.{self.name}: {column} is {low} to {high} s, while the rows of {self.source} last from "
                f"{starts[known].min():.6g} to {stops[known].max():.6g} s: it holds no times of the recording",
                "name a column of times that count from the same zero as start_time",
            )
        if not wrong.any():
            return times, []
        shown = f"{codes[0]:.6g} s" if len(codes) == 1 else f"{codes.min():.6g} to {codes.max():.6g} s"
        note = (
            f"label {self.name} ({self.source}): {column} is {shown} in {int(wrong.sum())} of {len(times)} rows, far "
        )
        return np.where(wrong, np.nan, times), [note + "from the row: they have no such time"]

    def names(self) -> list[str]:
        """Return a name for each table.

        It is the name of the stimulus if every table has one of its own; else what ``*`` stands for, which is the same
        in all sessions; else the name of the table without what all end with.
        """
        own = [self._stimulus(path) for path in self.tables]
        if all(own) and len(set(own)) == len(own):
            return own
        starred = re.compile("([^/]*)".join(map(re.escape, self.source.split("*"))))
        found = [starred.fullmatch(path) for path in self.tables]
        names = ["_".join(filter(None, match.groups())) if match else "" for match in found]
        if not all(names):
            names = _without_ending([name_of(path) for path in self.tables])
        return names if len(set(names)) == len(names) else list(self.tables)

    def _stimulus(self, path: str) -> str:
        if STIMULUS not in label_columns(self.file, path):
            return ""
        found = set(clean_column(self.file, self.tables[path], STIMULUS).values.tolist())
        return str(found.pop())[:MOST_LABEL] if len(found) == 1 else ""


def _without_ending(names: list[str]) -> list[str]:
    """Return names without the words that all of them end with.

    >>> _without_ending(["gabors_presentations", "flashes_presentations"])
    ['gabors', 'flashes']
    """
    words = [name.split("_") for name in names]
    common = 0
    while all(len(parts) > common + 1 for parts in words) and len({parts[-1 - common] for parts in words}) == 1:
        common += 1
    return ["_".join(parts[: len(parts) - common]) for parts in words]


def read_kind(table: h5py.Group, name: str) -> str:
    """Return the numpy kind of a column, "" if there is none."""
    data = dataset(table, name)
    return "" if data is None else str(data.dtype.kind)


def table_rows(file: NwbFile, name: str, label: LabelConfig, written: str) -> Rows:
    """Return the rows of the tables that a label names.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; each source is ``path`` or ``path#column``.
        written: Its source as the config gives it.

    Raises:
        UsageError: There is no such table or column, or only some sources name a column.
    """
    tables, paths, columns = interval_tables(file), [], []
    for source in label.sources:
        path, _, column = source.partition("#")
        if path not in tables:
            known = [f"{table}#{c}" for table in tables for c in label_columns(file, table)]
            raise unknown_path(f"labels.{name}", source, known)
        if column and column not in [*label_columns(file, path), *scalar_columns(tables[path])]:
            raise unknown_path(f"labels.{name}", source, [f"{path}#{c}" for c in label_columns(file, path)])
        paths.append(path)
        columns.append(column)
    if len(set(map(bool, columns))) > 1 or len(set(paths)) < len(paths):
        raise UsageError(
            f"labels.{name}: {written} mixes tables and columns, or names a table twice",
            "name the same column of every table, or no column",
        )
    intervals = [read_intervals(tables[path]) for path in paths]
    return Rows(
        file=file,
        name=name,
        source=written,
        tables={path: tables[path] for path in paths},
        columns=tuple(columns),
        intervals=np.concatenate(intervals),
        table=np.repeat(np.arange(len(paths)), [len(rows) for rows in intervals]),
    )


def windows(rows: Rows, label: LabelConfig) -> tuple[np.ndarray, list[str]]:
    """Return the part of each row that the config asks for in ``window``, and a note on it.

    Without a window, that is the row. A window may reach beyond its row.

    Args:
        rows: The rows.
        label: Section of the config.

    Returns:
        Start and stop of each part in s, NaN where a row has none, shape (row, 2), and the notes.

    Raises:
        UsageError: A column of the window is missing, or holds no times.
    """
    if label.window is None or label.derive == "time_from":
        return rows.intervals, []
    if label.window_columns is not None:
        first, last = label.window_columns
        begins, said_of_first = rows.times(first, "window")
        ends, said_of_last = rows.times(last, "window")
        line = f"label {rows.name}: from {first} to {last} of each row"
        return np.stack([begins, ends], axis=1), [line, *said_of_first, *said_of_last]
    assert label.window_seconds is not None
    around = label.around or "start_time"
    centres, notes = rows.times(around, "around")
    low, high = label.window_seconds
    line = f"label {rows.name}: from {low:g} to {high:g} s around {around} of each row"
    return centres[:, None] + np.array([low, high]), [line, *notes]
