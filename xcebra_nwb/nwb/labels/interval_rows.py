"""Bring rows of intervals, each with a value or a course of time, to bins.

Where rows overlap and say different things, there is no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.label import Label

SLACK = 1e-6  # s; a shorter overlap is rounding


@dataclass(frozen=True, kw_only=True)
class IntervalLabel(Label):
    """A label that has one value, or one course of time, in each interval.

    Attributes:
        intervals: Start and stop of each part of a row in s, disjoint, shape (part, 2).
        values: Class code or number at the start of each part, shape (part,).
        row: Number of the row that each part belongs to, among the rows in use, shape (part,).
        elapsed: Change of the value per second, shape (part,); None for a constant value.
        divides: Whether the rows are trials, which segments do not cross.
    """

    intervals: np.ndarray
    values: np.ndarray
    row: np.ndarray
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

        Raises:
            Refusal: The rows are shorter than a bin.
        """
        part = self._parts(grid)
        longest = float(np.max(self.intervals[:, 1] - self.intervals[:, 0]))
        if np.all(part < 0) and longest < 2 * grid.width:
            raise Refusal(
                Code.LABEL_EMPTY,
                f"label {self.name} ({self.source}): its rows last {longest:.3g} s or less, so no bin of "
                f"{grid.width:g} s lies inside one",
                f"lower time.bin_width below {longest / 2:.2g}, or name another source in labels",
            )
        missing = -1 if self.kind == "discrete" else np.nan
        result = np.where(part >= 0, self.values[part], missing).astype(self.values.dtype)
        if self.elapsed is not None:
            result = result + (grid.centres - self.intervals[part, 0]) * self.elapsed[part]
        lost = np.zeros(grid.count, dtype=bool)
        return (result[:, None] if self.kind == "continuous" else result), lost

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the row of each bin, -1 outside, shape (time,).

        It is None for a label that changes within its rows, and for rows that are no trials.
        """
        if not self.divides or self.elapsed is not None:
            return None
        part = self._parts(grid)
        return np.where(part >= 0, self.row[part], -1)

    def _parts(self, grid: Grid) -> np.ndarray:
        """Return the part of a row that each bin lies completely inside, -1 for none, shape (time,)."""
        first, last = grid.whole(self.intervals)
        length = last - first
        offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        part = np.full(grid.count, -1, dtype=np.int64)
        part[np.repeat(first, length) + offset] = np.repeat(np.arange(len(length)), length)
        part[grid.tally(first, last) > 1] = -1
        return part


def label_of_rows(
    name: str,
    source: str,
    intervals: np.ndarray,
    values: np.ndarray,
    present: np.ndarray,
    keys: np.ndarray | None = None,
    elapsed: np.ndarray | None = None,
    notes: Sequence[str] = (),
) -> IntervalLabel:
    """Return the continuous label of the rows that have a value, a start and a later stop.

    Args:
        name: Name of the label.
        source: Its source, for messages.
        intervals: Start and stop of each row in s, shape (row, 2).
        values: Value at the start of each row, shape (row,).
        present: Whether the row has a value, shape (row,).
        keys: Rows of one key may overlap, shape (row,) or (row, part of the key); None if no two rows may.
        elapsed: Change of the value per second, shape (row,); None for a constant value.
        notes: Lines on how the rows were made.

    Raises:
        Refusal: There is no such row, or all of them overlap.
    """
    what, notes = f"label {name} ({source})", list(notes)
    with np.errstate(invalid="ignore"):
        timed = intervals[:, 1] > intervals[:, 0]
        backwards = int(np.sum(intervals[:, 1] < intervals[:, 0]))
    untimed = int(np.sum(~np.isfinite(intervals).all(axis=1)))
    reasons = [f"{backwards} that stop before they start"] if backwards else []
    reasons += [f"{untimed} without a start or a stop"] if untimed else []
    if reasons:
        notes.append(f"{what}: rows left out of {len(intervals)}: {', '.join(reasons)}")
    rows = np.flatnonzero(present & timed & np.isfinite(intervals).all(axis=1))
    if not len(rows):
        raise Refusal(
            Code.LABEL_EMPTY,
            f"{what}: no row has a value, a start and a later stop",
            "name another column in labels, or give a window around the start, such as window: [0, 1]",
        )
    alone = undisputed(intervals[rows], None if keys is None else keys[rows])
    if alone.disputed:
        differ = "" if keys is None else " with another value"
        told = f"{alone.disputed} of {len(rows)} rows overlap another row{differ}"
        left = values[rows[alone.row]]
        if elapsed is None and len(np.unique(left)) < 2 <= len(np.unique(values[rows])):
            rest = "no time is left" if not len(left) else "the time that is left has a single value"
            raise Refusal(Code.LABEL_EMPTY, f"{what}: {told}, and {rest}", "name another table or column")
        notes.append(f"{what}: {told}; the {alone.seconds:.6g} s in which they do have no value")
    if not len(alone.row):
        raise Refusal(Code.LABEL_EMPTY, f"{what}: every row overlaps another row", "name another table or column")
    owner = rows[alone.row]
    begun = alone.intervals[:, 0] - intervals[owner, 0]
    held = values[owner] if elapsed is None else values[owner] + begun * elapsed[owner]
    return IntervalLabel(
        name=name,
        kind="continuous",
        units="",
        source=source,
        notes=tuple(notes),
        intervals=alone.intervals,
        values=held,
        row=alone.row,
        elapsed=None if elapsed is None else elapsed[owner],
    )


class Undisputed(NamedTuple):
    """The times in which rows agree.

    Attributes:
        intervals: Start and stop of each part of a row in s, sorted if rows overlap, shape (part, 2).
        row: The row that each part belongs to, shape (part,).
        disputed: Number of rows that overlap a row with another key.
        seconds: Time in which they do, s.
    """

    intervals: np.ndarray
    row: np.ndarray
    disputed: int
    seconds: float


def undisputed(intervals: np.ndarray, keys: np.ndarray | None = None) -> Undisputed:
    """Return the parts of rows that no row with another key overlaps.

    Rows with the same key that overlap become one part, which belongs to the first of them.

    Args:
        intervals: Start and later stop of each row in s, shape (row, 2).
        keys: What each row says, shape (row,) or (row, part of the key); None if every row says something of its own.

    >>> found = undisputed(np.array([[0.0, 3.0], [2.0, 5.0], [4.0, 6.0]]), np.array([7, 8, 8]))
    >>> found.intervals.tolist(), found.row.tolist(), found.disputed, found.seconds
    ([[0.0, 2.0], [3.0, 6.0]], [0, 1], 2, 1.0)
    """
    count = len(intervals)
    order = np.argsort(intervals[:, 0], kind="stable")
    reach = np.maximum.accumulate(intervals[order, 1])
    if not np.any(intervals[order, 0][1:] < reach[:-1]):
        return Undisputed(intervals, np.arange(count), 0, 0.0)
    codes = np.arange(count) if keys is None else np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    parts, owners, conflicts = _swept(intervals, codes)
    long = conflicts[conflicts[:, 1] - conflicts[:, 0] > SLACK]
    after = np.searchsorted(long[:, 1], intervals[:, 0], side="right")
    begins = np.r_[long[:, 0], np.inf][after]
    return Undisputed(parts, owners, int(np.sum(begins < intervals[:, 1])), float(np.sum(long[:, 1] - long[:, 0])))


def _swept(intervals: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Go through starts and stops in order of time; a stop comes before a start at the same time.

    Returns:
        The parts in which a single code holds, shape (part, 2), a row of each, and the times in which several do.
    """
    count = len(intervals)
    times, starts = np.r_[intervals[:, 1], intervals[:, 0]], np.repeat([False, True], count)
    order = np.lexsort((starts, times))
    open_rows: dict[int, dict[int, None]] = {}
    parts: list[tuple[float, float]] = []
    conflicts: list[tuple[float, float]] = []
    owners: list[int] = []
    since, state, owner = 0.0, None, -1
    for time, begins, row in zip(times[order].tolist(), starts[order].tolist(), (order % count).tolist(), strict=True):
        code = int(codes[row])
        if begins:
            open_rows.setdefault(code, {})[row] = None
        else:
            del open_rows[code][row]
            if not open_rows[code]:
                del open_rows[code]
        now = None if not open_rows else -1 if len(open_rows) > 1 else next(iter(open_rows))
        if now == state:
            continue
        if state is not None and time > since:
            (conflicts if state < 0 else parts).append((since, time))
            owners += [owner] if state >= 0 else []
        since, state = time, now
        owner = min(open_rows[now]) if now is not None and now >= 0 else -1
    return np.array(parts).reshape(-1, 2), np.array(owners, dtype=np.int64), np.array(conflicts).reshape(-1, 2)
