"""Read the columns of interval tables as values of a label, without what stands for nothing."""

from __future__ import annotations

import re
from typing import NamedTuple

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.labels.angles import guessed, named_angle
from xcebra_nwb.nwb.labels.interval_rows import undisputed
from xcebra_nwb.nwb.labels.label import encoded, kind_of_values, named
from xcebra_nwb.nwb.labels.stand_ins import number_stand_ins, plain_text, text_stand_ins
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, text
from xcebra_nwb.nwb.reading.intervals import interval_tables, is_text_list, read_intervals, text_list
from xcebra_nwb.nwb.reading.table import column_names, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import values as stored

INDEX = re.compile(r"(^|[_\W])(index|idx|indices)($|[_\W\d])", re.IGNORECASE)
NOTHING = re.compile(r"\b(none|no [a-z]+|nothing|blank|omitted|absent|missing)\b", re.IGNORECASE)
MOST_LOOKED_AT = 100_000  # rows
OFTEN = 2  # times the commonest other index: index 0 then stands for nothing


class Column(NamedTuple):
    """The values of a column.

    Attributes:
        values: Value of each row, shape (row,); NaN or "" where it has none.
        left_out: Lines with the number of rows that have none, such as NaN.
        suspicious: Lines on values that stand for nothing, such as -999, with the number of rows.
    """

    values: np.ndarray
    left_out: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()


def label_columns(file: NwbFile, path: str) -> list[str]:
    """Return the columns of an interval table that can be labels.

    They hold one value or a list of texts per row, and no times.

    Args:
        file: The open file.
        path: Path of the table.
    """
    table = interval_tables(file)[path]
    columns = set(scalar_columns(table)) | {name for name in column_names(table) if is_text_list(table, name)}
    return [n for n in column_names(table) if n in columns and n != "id" and not n.endswith(("_time", "_times"))]


def column_values(file: NwbFile, table: h5py.Group, column: str) -> np.ndarray:
    """Return the value of a column in each row, NaN or "" where it stands for nothing, shape (row,).

    Class codes become names if the file has names for them. A list of texts becomes one text.

    Args:
        file: The open file.
        table: The table.
        column: Name of the column.
    """
    return clean_column(file, table, column).values


def clean_column(file: NwbFile, table: h5py.Group, column: str) -> Column:
    """Return the values of a column, and what was taken out of it.

    Args:
        file: The open file.
        table: The table.
        column: Name of the column.
    """
    values = _raw_values(file, table, column)
    return _clean_texts(values) if values.dtype.kind in "OSU" else _clean_numbers(values)


def _clean_texts(values: np.ndarray) -> Column:
    texts = np.array([plain_text(text(value)) for value in values], dtype=object)
    found, blank = text_stand_ins(texts), int(np.sum(texts == ""))
    texts[found.rows] = ""
    return Column(texts, _left_out(blank, len(texts), "without a text"), found.words)


def _clean_numbers(values: np.ndarray) -> Column:
    if values.dtype.kind == "b":
        return Column(values)
    lost, found = int(np.sum(~np.isfinite(values))), number_stand_ins(values, in_order=False)
    if found.rows.any():
        values = np.where(found.rows, np.nan, values.astype(np.float64))
    return Column(values, _left_out(lost, len(values), "with NaN or an infinite number"), found.words)


def _left_out(count: int, rows: int, what: str) -> tuple[str, ...]:
    return (f"{count} of {rows} rows {what} left out",) if count else ()


def _raw_values(file: NwbFile, table: h5py.Group, column: str) -> np.ndarray:
    if is_text_list(table, column):
        return np.array(text_list(table, column), dtype=object)
    values = read_column(table, column)
    try:
        names = stored(file.referred(table[column].attrs["elements"])) if "elements" in table[column].attrs else ()
    except (*UNREADABLE, Refusal):
        return values  # the reference leads nowhere, so the codes have no names
    return named(values, [text(name) for name in names])


def joined(columns: list[Column]) -> Column:
    """Return a column that several tables have, one after the other.

    Texts that are numbers become numbers if another table has numbers; else all become texts.

    >>> numbers, texts = Column(np.array([0.5, 1.0])), Column(np.array(["0.5", ""], dtype=object))
    >>> joined([numbers, texts]).values.tolist()
    [0.5, 1.0, 0.5, nan]
    """
    parts = [column.values for column in columns]
    kinds = {"O" if part.dtype.kind in "OSU" else part.dtype.kind for part in parts}
    if len(kinds) > 1 and "O" in kinds:
        parts = _as_numbers(parts) or [_as_texts(part) for part in parts]
    elif len(kinds) > 1 and "b" in kinds:
        parts = [part.astype(np.float64) for part in parts]
    left_out = tuple(line for column in columns for line in column.left_out)
    return Column(np.concatenate(parts), left_out, tuple(line for column in columns for line in column.suspicious))


def _as_numbers(parts: list[np.ndarray]) -> list[np.ndarray] | None:
    try:
        return [np.array([np.nan if value == "" else float(value) for value in part]) for part in parts]
    except ValueError:
        return None


def _as_texts(part: np.ndarray) -> np.ndarray:
    codes, classes = encoded(part)
    return np.array([*classes, ""], dtype=object)[codes]


def automatic_kind(values: np.ndarray, name: str = "") -> Kind:
    """Return the kind of a label from the values of a column.

    They are classes as :func:`.kind_of_values` says. Other numbers are circular if the name is one of an angle and they
    cover more than half a turn and no more than one. All else is continuous.

    Args:
        values: The values, shape (row,).
        name: Name of the column.

    >>> automatic_kind(np.array([0, 1, 1])), automatic_kind(np.array([0.1, 0.2]))
    ('discrete', 'continuous')
    >>> automatic_kind(np.arange(0.0, 360, 15), "orientation"), automatic_kind(np.arange(0.0, 180, 15), "orientation")
    ('circular', 'continuous')
    """
    if kind_of_values(values) == "discrete":
        return "discrete"
    finite = values[np.isfinite(values)]
    turns = float(np.ptp(finite)) * guessed(finite) / (2 * np.pi)
    return "circular" if named_angle(name) and 0.5 < turns <= 1 else "continuous"


def doubts(file: NwbFile, path: str) -> list[str]:
    """Return what is suspicious about the rows and columns of an interval table, a line each.

    These are values that stand for nothing, indices that may, and rows that overlap.

    Args:
        file: The open file.
        path: Path of the table.
    """
    table, found = interval_tables(file)[path], []
    for column in label_columns(file, path):
        values, _, suspicious = clean_column(file, table, column)
        if np.any(encoded(values)[0] >= 0):  # a column that is empty throughout misleads nobody
            found += [f"{column}: {line}" for line in suspicious]
        if reason := _odd_index(values, column, attribute(table[column], "description")):
            found.append(f"{column}: {reason}")
        if alike := _alike(values):
            found.append(f"{column}: {alike} differ in case only")
    intervals = read_intervals(table)
    with np.errstate(invalid="ignore"):
        intervals = intervals[np.isfinite(intervals).all(axis=1) & (intervals[:, 1] > intervals[:, 0])]
    alone = undisputed(intervals) if len(intervals) else None
    if alone is not None and alone.disputed:
        found.append(
            f"{alone.disputed} of {len(intervals)} rows overlap another row, for {alone.seconds:.6g} s: a label has no "
            "value there where the rows differ"
        )
    return found


def _alike(values: np.ndarray) -> str:
    """Return texts that differ in nothing but case, "" if there are none."""
    spellings: dict[str, set[str]] = {}
    for word in values[:MOST_LOOKED_AT] if values.dtype.kind in "OSU" else ():
        spellings.setdefault(word.casefold(), set()).add(word[:MOST_LABEL])
    return " and ".join(next((sorted(words)[:3] for words in spellings.values() if len(words) > 1), []))


def _odd_index(values: np.ndarray, name: str, description: str) -> str:
    """Return why an index may stand for nothing, "" if nothing says so."""
    if values.dtype.kind not in "iuf" or not (INDEX.search(name) or INDEX.search(description)):
        return ""
    numbers, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if len(numbers) < 3 or numbers[0] not in (-1, 0) or np.any(numbers != np.round(numbers)):
        return ""
    often = counts[0] > OFTEN * counts[1:].max()
    if numbers[0] == 0 and not often and not NOTHING.search(description):
        return ""
    return f"an index of {numbers[0]:g} in {counts[0]} of {len(values)} rows may stand for none"
