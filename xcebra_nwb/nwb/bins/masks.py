"""Mark the bins that are used, and say why the others are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.reading.intervals import merged, proper


class Masks:
    """The bins in use, and the reason for which each other bin was taken out.

    A bin counts under the first reason that takes it out, so the numbers add up to all bins taken out.

    Attributes:
        valid: True for bins in use, shape (time,).
        masked_by: Index of the reason in ``reasons``, -1 for bins in use, shape (time,).
        reasons: Number of bins taken out, by reason.
    """

    def __init__(self, count: int) -> None:
        """Start with all ``count`` bins in use."""
        self.valid = np.ones(count, dtype=bool)
        self.masked_by = np.full(count, -1, dtype=np.int16)
        self.reasons: dict[str, int] = {}

    def take_out(self, reason: str, bins: np.ndarray) -> None:
        """Take bins out of use for a reason.

        Args:
            reason: The reason in words.
            bins: True for the bins to take out, shape (time,).
        """
        taken = bins & self.valid
        if taken.any():
            self.reasons[reason] = self.reasons.get(reason, 0) + int(taken.sum())
            self.masked_by[taken] = list(self.reasons).index(reason)
            self.valid &= ~bins

    def copy(self) -> Masks:
        """Return a copy that can be changed without changing these masks."""
        other = Masks(len(self.valid))
        other.valid, other.masked_by, other.reasons = self.valid.copy(), self.masked_by.copy(), dict(self.reasons)
        return other


def inside(grid: Grid, intervals: np.ndarray) -> np.ndarray:
    """Return which bins lie completely inside the union of intervals, shape (time,).

    Args:
        grid: The bins.
        intervals: Start and stop in s, shape (interval, 2).

    >>> inside(Grid(0.0, 1.0, 4), np.array([[0.5, 2.0], [2.0, 3.0]])).tolist()
    [False, True, True, False]
    """
    return grid.tally(*grid.whole(merged(intervals))) > 0


def touching(grid: Grid, intervals: np.ndarray) -> np.ndarray:
    """Return which bins overlap at least one interval, shape (time,).

    Args:
        grid: The bins.
        intervals: Start and stop in s, shape (interval, 2).

    >>> touching(Grid(0.0, 1.0, 4), np.array([[0.5, 1.5]])).tolist()
    [True, True, False, False]
    """
    return grid.tally(*grid.touched(intervals[proper(intervals)])) > 0


def observed_by_all(grid: Grid, observed: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bins in which every unit was observed throughout, shape (time,).

    Args:
        grid: The bins.
        observed: Observation intervals of each unit in s, each of shape (interval, 2).

    >>> whole, half = np.array([[0.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> observed_by_all(Grid(0.0, 1.0, 4), [whole, half]).tolist()
    [True, True, False, False]
    """
    return _observers(grid, observed) == len(observed)


def coverage(grid: Grid, observed: Sequence[np.ndarray], usable: np.ndarray) -> np.ndarray:
    """Return the fraction of usable bins in which each unit was observed.

    Bins in which no unit was observed do not count: they are pauses between trials.

    Args:
        grid: The bins.
        observed: Observation intervals of each unit in s, each of shape (interval, 2).
        usable: True for usable bins, shape (time,).

    Returns:
        The fraction of each unit, shape (unit,).

    >>> whole, half = np.array([[0.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> coverage(Grid(0.0, 1.0, 4), [whole, half], np.ones(4, dtype=bool)).tolist()
    [1.0, 0.5]
    """
    counted = np.r_[0, np.cumsum(usable & (_observers(grid, observed) > 0))]
    runs = (grid.whole(merged(intervals)) for intervals in observed)
    seen = np.array([np.sum(counted[last] - counted[first]) for first, last in runs])
    return seen / max(int(counted[-1]), 1)


def _observers(grid: Grid, observed: Sequence[np.ndarray]) -> np.ndarray:
    """Return how many units were observed throughout each bin, shape (time,)."""
    runs = [grid.whole(merged(intervals)) for intervals in observed]
    nothing = np.empty(0, dtype=np.int64)  # there may be no unit
    first, last = (np.concatenate([nothing, *(run[side] for run in runs)]) for side in (0, 1))
    return grid.tally(first, last)


def segments(grid: Grid, valid: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Return the number of the segment that each bin belongs to, shape (time,).

    A segment is a run of valid bins without a border between them; other bins have -1. A border inside a bin separates
    the bins whose centres lie on either side of it.

    Args:
        grid: The bins.
        valid: True for valid bins, shape (time,).
        borders: Times at which a new segment starts in s.

    >>> valid = np.array([True, True, False, True, True])
    >>> segments(Grid(0.0, 1.0, 5), valid, np.array([4.0])).tolist()
    [0, 0, -1, 1, 2]
    """
    borders = borders[np.isfinite(borders)]
    breaks = np.searchsorted(grid.centres, borders, side="left")
    starts = np.r_[True, ~valid[:-1]] if len(valid) else valid
    starts[breaks[breaks < grid.count]] = True
    numbers = np.cumsum(starts & valid) - 1
    # A border inside an invalid stretch needs no mark, because the next valid bin starts a segment anyway.
    return np.where(valid, numbers, -1).astype(np.int64)
