"""The activity of a session as the information test reads it: groups of bins, in contiguous folds with guards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.activity import blocks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_SAMPLES = 20_000  # successive bins are grouped so that about this many samples are left
FOLDS = 5  # contiguous; activity in each is predicted from the others
BLOCKS_A_FOLD = 4  # stretches of a fold, whose spread gives the interval
LEAST_SAMPLES = 100  # fewer say nothing in five folds
UNITS_AT_ONCE = 256  # limits the memory
GUARD = 1.0  # s, on both sides of a border between folds; left out


@dataclass(frozen=True, eq=False)
class Observed:
    """Activity of the units in groups of successive bins, each of which is a sample.

    Attributes:
        activity: summed counts, or means of standardised rates or fluorescence, shape (sample, unit).
        weight: size of each sample, as a share of the size of a full one, shape (sample,).
        counts: whether ``activity`` is spike counts.
        block: contiguous stretch of each sample, shape (sample,); -1 in the guards between folds.
    """

    activity: Floats
    weight: Floats
    counts: bool
    block: Integers

    def of(self, units: Integers) -> Observed:
        """Return the activity of some units, by index."""
        return Observed(self.activity[:, units], self.weight, self.counts, self.block)

    @property
    def varying(self) -> Integers:
        """The units whose activity varies, by index."""
        return np.flatnonzero(np.ptp(self.activity, axis=0) > 0)

    def parts(self) -> Iterator[tuple[Integers, Observed]]:
        """Yield the units whose activity varies, some at a time: their indices and their activity."""
        varying = self.varying
        for some in np.split(varying, range(UNITS_AT_ONCE, len(varying), UNITS_AT_ONCE)):
            yield some, self.of(some)

    @property
    def fold(self) -> Integers:
        """The fold of each sample (sample,); -1 in the guards."""
        return np.where(self.block < 0, -1, self.block // BLOCKS_A_FOLD)

    @property
    def size(self) -> Floats:
        """What gains are divided by (unit,): spikes times ln 2, for bits a spike; of rates half the summed squares."""
        if self.counts:
            return self.activity.sum(axis=0) * np.log(2)
        return np.full(self.activity.shape[1], 0.5 * self.weight.sum())


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of successive usable bins: the first bin of each, its number of bins and its middle bin, (sample,)."""

    bins: Integers  # (usable bin,)
    first: Integers  # index into ``bins``
    length: Integers

    @property
    def middle(self) -> Integers:
        """Index, among the usable bins, of the bin whose label stands for the group, shape (sample,)."""
        return self.first + self.length // 2


def grouped(bins: Integers, segment: Integers, most: int = MOST_SAMPLES) -> Groups:
    """Return groups of successive bins.

    No group reaches over a gap or the border of a segment.

    Args:
        bins: usable bins, ascending, shape (usable bin,).
        segment: segment of every bin, shape (time,).
        most: number of groups to aim at; broken recordings have more.

    >>> groups = grouped(np.arange(6), np.array([0, 0, 0, 1, 1, 1]), most=3)
    >>> groups.first.tolist(), groups.length.tolist(), groups.middle.tolist()
    ([0, 2, 3, 5], [2, 1, 2, 1], [1, 2, 4, 5])
    """
    size = -(-len(bins) // most)
    starts = np.r_[True, (np.diff(bins) != 1) | (np.diff(segment[bins]) != 0)]
    since = np.arange(len(bins)) - np.maximum.accumulate(np.where(starts, np.arange(len(bins)), 0))
    first = np.flatnonzero(since % size == 0)
    return Groups(bins, first, np.diff(np.r_[first, len(bins)]))


def observed_activity(session: xr.Dataset, groups: Groups) -> Observed:
    """Return the recorded activity of a session, neither smoothed nor standardised for an encoder.

    Args:
        session: the session dataset; its activity is read in blocks.
        groups: groups of its usable bins.
    """
    counts = session["activity"].attrs["kind"] == "spikes"
    sums = np.zeros((len(groups.first), session.sizes["unit"]))
    sample = np.full(session.sizes["time"], -1)
    sample[groups.bins] = np.repeat(np.arange(len(groups.first)), groups.length)
    for rows in blocks(session):
        used = sample[rows] >= 0
        if used.any():
            number, values = sample[rows][used], session["activity"][rows].values[used].astype(np.float64)
            first = np.flatnonzero(np.diff(number, prepend=-1))
            sums[number[first]] += np.add.reduceat(values, first, axis=0)
    length = groups.length.astype(np.float64)
    if not counts:
        sums = _standardized(sums / length[:, None], length)
    guard = max(1, round(GUARD / (float(session.attrs["bin_width"]) * length.max())))
    return Observed(sums, length / length.max(), counts, _blocks(len(sums), guard))


def _standardized(values: Floats, weight: Floats) -> Floats:
    """Return ``values`` (sample, unit) with mean 0 and variance 1; a unit without variance becomes 0."""
    centred = values - np.average(values, axis=0, weights=weight)
    deviation = np.sqrt(np.average(np.square(centred), axis=0, weights=weight))
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-9)


def _blocks(samples: int, guard: int) -> Integers:
    block = np.arange(samples) * FOLDS * BLOCKS_A_FOLD // samples
    borders = np.flatnonzero(np.diff(block // BLOCKS_A_FOLD)) + 1
    for border in borders:
        block[max(0, border - guard) : border + guard] = -1
    return block
