"""Which bins are used, why the others are not, and which follow each other without a break."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.reading.intervals import merged, proper


class Masks:
    """The bins still in use, ``valid`` (time,), and how many were taken out for which reason.

    A bin counts under the first reason that takes it out, so the numbers add up; ``masked_by`` (time,) is the number
    of that reason, -1 for bins in use.
    """

    def __init__(self, count: int) -> None:
        """Start with all ``count`` bins in use."""
        self.valid = np.ones(count, dtype=bool)
        self.masked_by = np.full(count, -1, dtype=np.int16)
        self.reasons: dict[str, int] = {}

    def take_out(self, reason: str, bins: np.ndarray) -> None:
        """Take out ``bins`` (time,) bool."""
        taken = bins & self.valid
        if taken.any():
            self.reasons[reason] = self.reasons.get(reason, 0) + int(taken.sum())
            self.masked_by[taken] = list(self.reasons).index(reason)
            self.valid &= ~bins

    def copy(self) -> Masks:
        """Return masks that can be tried without changing these."""
        other = Masks(len(self.valid))
        other.valid, other.masked_by, other.reasons = self.valid.copy(), self.masked_by.copy(), dict(self.reasons)
        return other


def inside(grid: Grid, intervals: np.ndarray) -> np.ndarray:
    """Return the bins (time,) that lie wholly inside the union of ``intervals`` (interval, 2)."""
    return grid.tally(*grid.whole(merged(intervals))) > 0


def touching(grid: Grid, intervals: np.ndarray) -> np.ndarray:
    """Return the bins (time,) that overlap one of ``intervals`` (interval, 2)."""
    return grid.tally(*grid.touched(intervals[proper(intervals)])) > 0


def observed_by_all(grid: Grid, observed: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bins (time,) that lie wholly inside an observation interval of every unit."""
    return _observers(grid, observed) == len(observed)


def coverage(grid: Grid, observed: Sequence[np.ndarray], usable: np.ndarray) -> np.ndarray:
    """Return the share of the ``usable`` bins (time,) in which each unit was observed, (unit,).

    Bins in which nobody was observed do not count: recording by trials is no fault of a unit.
    """
    counted = np.r_[0, np.cumsum(usable & (_observers(grid, observed) > 0))]
    runs = (grid.whole(merged(intervals)) for intervals in observed)
    seen = np.array([np.sum(counted[last] - counted[first]) for first, last in runs])
    return seen / max(int(counted[-1]), 1)


def _observers(grid: Grid, observed: Sequence[np.ndarray]) -> np.ndarray:
    """How many units were observed throughout each bin, (time,)."""
    runs = [grid.whole(merged(intervals)) for intervals in observed]
    nothing = np.empty(0, dtype=np.int64)  # no unit may be left
    first, last = (np.concatenate([nothing, *(run[side] for run in runs)]) for side in (0, 1))
    return grid.tally(first, last)


def segments(grid: Grid, valid: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Return a number per run of valid bins, (time,), -1 where not valid; a new run starts at every border (s).

    A border inside a bin separates the bins whose centres it lies between.
    """
    borders = borders[np.isfinite(borders)]
    breaks = np.searchsorted(grid.centres, borders, side="left")
    starts = np.r_[True, ~valid[:-1]] if len(valid) else valid
    starts[breaks[breaks < grid.count]] = True
    numbers = np.cumsum(starts & valid) - 1
    # A break inside an invalid stretch is marked by the stretch itself: the next valid bin starts a run anyway.
    return np.where(valid, numbers, -1).astype(np.int64)
