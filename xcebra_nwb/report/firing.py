"""What units do in the bins in use, by one pass over the activity: rate, presence, course, Fano factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.activity import blocks

PARTS = 100  # of the recording, in which a unit is looked for
COURSE = 50  # of the recording, over which its rate is drawn
WINDOW = 1.0  # s, in which spikes are counted for the Fano factor
FEWEST_WINDOWS = 20
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Firing:
    """What units do in the bins in use.

    Attributes:
        mean: activity in Hz, or in the activity's unit, (unit,).
        presence: share of PARTS of the time in which the unit is active, (unit,).
        course: mean activity in each part of the time, first to last, (part, unit).
        fano: variance over mean of the spikes in windows of 1 s, (unit,); NaN without spikes or with few windows.
        population: mean over units in every bin, in or out of use, (time,).
        units: of the activity.
    """

    mean: Values
    presence: Values
    course: Values
    fano: Values
    population: Values
    units: str


def firing(session: xr.Dataset) -> Firing:
    """Return the units' firing; the activity is read block by block.

    Args:
        session: session.nc.
    """
    valid, units = session["valid"].values, session.sizes["unit"]
    spikes, width = session["activity"].attrs["kind"] == "spikes", float(session.attrs["bin_width"])
    bins, used = max(int(valid.sum()), 1), np.cumsum(valid) - 1
    course, counts = np.zeros((min(COURSE, bins), units)), np.zeros(min(COURSE, bins))
    active, population = np.zeros((PARTS, units), dtype=bool), np.zeros(len(valid))
    windows = _Windows(session["segment"].values, max(1, round(WINDOW / width)), units)
    for rows in blocks(session):
        activity, chosen = session["activity"][rows].values, valid[rows]
        population[rows] = activity.mean(axis=1, dtype=np.float64)
        windows.add(rows, activity)
        if not chosen.any():
            continue
        numbers = used[rows][chosen]
        activity = activity if chosen.all() else activity[chosen]
        part, first = np.unique(numbers * len(course) // bins, return_index=True)
        course[part] += np.add.reduceat(activity, first, axis=0, dtype=np.float64)
        counts += np.bincount(numbers * len(course) // bins, minlength=len(course))
        part, first = np.unique(numbers * PARTS // bins, return_index=True)
        active[part] |= np.maximum.reduceat(activity, first, axis=0) > 0
    scale = 1 / width if spikes else 1.0
    return Firing(
        mean=course.sum(0) / bins * scale,
        presence=active.sum(0) / min(PARTS, bins),
        course=course / np.maximum(counts, 1)[:, None] * scale,
        fano=windows.fano() if spikes else np.full(units, np.nan),
        population=population * scale,
        units="Hz" if spikes else str(session["activity"].attrs["units"]),
    )


class _Windows:
    """Counts in windows of a few bins, each within a segment, from blocks of bins in order."""

    def __init__(self, segment: NDArray, length: int, units: int) -> None:
        place = np.arange(len(segment))
        start = np.maximum.accumulate(np.where(np.diff(segment, prepend=segment[:1] - 1) != 0, place, 0))
        self._window = start + (place - start) // length * length  # the first bin of the window of each bin
        whole = np.bincount(self._window, minlength=len(segment)) == length
        self._whole = whole[self._window] & (segment >= 0)
        self._begun, self._open = -1, np.zeros(units)
        self._count, self._total, self._squares = 0, np.zeros(units), np.zeros(units)

    def add(self, rows: slice, activity: NDArray) -> None:
        """Add the activity (time, unit) of some bins."""
        whole = self._whole[rows]
        if not whole.any():
            return
        windows, first = np.unique(self._window[rows][whole], return_index=True)
        sums = np.add.reduceat(activity if whole.all() else activity[whole], first, axis=0, dtype=np.float64)
        if windows[0] == self._begun:
            sums[0] += self._open
        else:
            self._close(self._open[None] if self._begun >= 0 else sums[:0])
        self._close(sums[:-1])
        self._begun, self._open = int(windows[-1]), sums[-1]

    def _close(self, sums: Values) -> None:
        self._count += len(sums)
        self._total += sums.sum(axis=0)
        self._squares += (sums**2).sum(axis=0)

    def fano(self) -> Values:
        """Return variance over mean of the windows' counts, (unit,)."""
        self._close(self._open[None] if self._begun >= 0 else self._open[None][:0])
        self._begun = -1
        if self._count < FEWEST_WINDOWS:
            return np.full(len(self._total), np.nan)
        mean = self._total / self._count
        variance = (self._squares - self._count * mean**2) / (self._count - 1)
        return np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)
