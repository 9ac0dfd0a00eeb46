"""Find tables that divide a recording into parts, such as two mazes, rest and run, or states of sleep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.labels.stand_ins import missing
from xcebra_nwb.nwb.reading.file import NwbFile, name_of, parent
from xcebra_nwb.nwb.reading.intervals import INVALID, TRIALS, interval_tables, merged, read_intervals
from xcebra_nwb.nwb.reading.table import length
from xcebra_nwb.nwb.reading.within import interval_series, queried

LEAST_SECONDS = 30.0  # that a part covers
LEAST_ROW = 10.0  # s, of a typical row; trials and presentations are shorter
MOST_PARTS = 12
MOST_ROWS = 5000
HELD = 0.9  # share of another part from which on a part holds it
WORD = re.compile(r"[A-Za-z_]\w*")
SPACE = re.compile(
    r"maze|track|arena|field|\bbox|room|environment|\benv|linear|circ|corridor|context|familiar|novel|platform|wheel",
    re.IGNORECASE,
)
STATE = re.compile(r"sleep|wake|rem\b|rest|quiet|home|run|active|immobil|theta|\bsws|pre|post|baseline", re.IGNORECASE)

What = Literal["space", "state", "epoch"]


class Part(NamedTuple):
    """A part of a recording that ``time.within`` can choose.

    Attributes:
        name: Its name in the file.
        within: The value of ``time.within`` that chooses it.
        source: The table and column, or the group, that divides the recording.
        what: ``space`` (a maze), ``state`` (sleep), or ``epoch`` if its name says neither.
        rows: Number of its rows.
        seconds: Time that they cover, s.
    """

    name: str
    within: str
    source: str
    what: What
    rows: int
    seconds: float


def parts(file: NwbFile) -> list[Part]:
    """Return the parts into which tables of epochs divide a recording, table by table, in order of time.

    A table divides by a column of texts or truth values. Tables and IntervalSeries beside each other divide by their
    names. A part lasts 30 s or more, and a typical row 10 s. A part that holds another one, such as the whole session,
    is left out.

    Args:
        file: The open file.
    """
    tables = [path for path, table in interval_tables(file).items() if path not in (INVALID, TRIALS) and _fits(table)]
    found: list[Part] = []
    beside: dict[str, list[str]] = {}
    for path in tables:
        divided = _by_columns(file, path)
        found += divided
        if not divided:
            beside.setdefault(parent(path), []).append(path)
    for path in interval_series(file):
        beside.setdefault(parent(path), []).append(path)
    for holder, paths in beside.items():
        found += _by_names(file, holder, paths)
    return found


def _by_columns(file: NwbFile, path: str) -> list[Part]:
    """Return the parts by the columns of a table; columns that divide alike count once."""
    frame, intervals = queried(file, path)
    if len(intervals) < 2:
        return []
    found: list[Part] = []
    seen: list[tuple[tuple[int, ...], ...]] = []
    for column in map(str, frame.columns):
        rows = dict(_rows_by_value(frame[column]))
        division = tuple(sorted(tuple(np.flatnonzero(chosen).tolist()) for chosen in rows.values()))
        if "`" in column or not 2 <= len(rows) <= MOST_PARTS or division in seen:
            continue
        seen.append(division)
        candidates = [
            (_name(column, value), f"{path}: {_query(column, value)}", intervals[chosen])
            for value, chosen in rows.items()
        ]
        found += _kept(candidates, f"{path}#{column}")
    return found


def _by_names(file: NwbFile, holder: str, paths: list[str]) -> list[Part]:
    """Return the parts by tables and series beside each other."""
    held = [(name_of(path), path, queried(file, path)[1]) for path in paths]
    return _kept([(name, path, rows) for name, path, rows in held if len(rows) <= MOST_ROWS and _long(rows)], holder)


def _kept(candidates: list[tuple[str, str, np.ndarray]], source: str) -> list[Part]:
    """Return the parts that last, without those that hold another; none if fewer than two are left."""
    held = [(name, within, len(rows), merged(rows)) for name, within, rows in candidates]
    held = [part for part in held if _seconds(part[3]) >= LEAST_SECONDS]
    held = [part for part in held if not any(other is not part and _holds(part[3], other[3]) for other in held)]
    if not 2 <= len(held) <= MOST_PARTS:
        return []
    held.sort(key=lambda part: float(part[3][0, 0]))
    return [Part(name, within, source, what_is(name), rows, _seconds(union)) for name, within, rows, union in held]


def what_is(name: str) -> What:
    """Return whether the name of a part is one of a space or of a state.

    >>> what_is("maze1"), what_is("NREM"), what_is("block 2")
    ('space', 'state', 'epoch')
    """
    return "space" if SPACE.search(name) else "state" if STATE.search(name) else "epoch"


def _rows_by_value(column: pd.Series) -> Iterator[tuple[str | bool, np.ndarray]]:
    """Yield each text or truth value of a column and the rows that have it; nothing for numbers."""
    values = column.to_numpy()
    if values.dtype.kind == "b":
        yield from ((truth, values == truth) for truth in (True, False) if (values == truth).any())
    elif values.dtype.kind in "OSU":
        for value in dict.fromkeys(values[~missing(values.tolist())].tolist()):
            yield value, values == value


def _query(column: str, value: str | bool) -> str:
    name = column if WORD.fullmatch(column) and column not in {"and", "or", "not", "in"} else f"`{column}`"
    if isinstance(value, bool):
        return f"{name} == {value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name} == '{escaped}'"


def _name(column: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return column if value else f"not {column}"
    return value[:MOST_LABEL]


def _fits(table: h5py.Group) -> bool:
    return length(table) <= MOST_ROWS and _long(read_intervals(table))


def _long(intervals: np.ndarray) -> bool:
    lasting = intervals[:, 1] - intervals[:, 0]
    lasting = lasting[np.isfinite(lasting)]
    return len(lasting) > 0 and float(np.median(lasting)) >= LEAST_ROW


def _seconds(union: np.ndarray) -> float:
    return float(np.sum(union[:, 1] - union[:, 0]))


def _holds(part: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a part is longer than another one and covers most of it."""
    both = _seconds(part) + _seconds(other) - _seconds(merged(np.concatenate([part, other])))
    return _seconds(part) > _seconds(other) and both > HELD * _seconds(other)
