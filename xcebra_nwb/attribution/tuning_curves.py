"""Tuning curves on arrays: the mean activity in each bin of a label, and its interval from stretches of the recording.

The recording is cut into stretches of equal length. A curve is the activity in a bin over the time in it, all stretches
together. Its error comes from the differences between stretches, so it includes bursts, drift and noise that is
correlated in time, which a Poisson error leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaincinv, stdtrit

from xcebra_nwb.attribution.label_grid import Grid, Kernels, smooth, squared

STRETCHES = 16  # contiguous stretches of the recording
LEAST_OCCUPANCY = 0.5  # s on which a value of a curve rests
LEAST_STRETCHES = 2.0  # effective number of stretches that visit a bin; a single visit has no error
LEAST_BINS = 3  # bins over which two curves are correlated
PRIOR = 8.0  # degrees of freedom of the unit's variance, beside those of a bin's own
LEVEL = 0.95  # of the intervals
NORMAL = 1.959964  # quantile of the normal distribution for LEVEL
TOO_FEW_BINS = f"fewer than {LEAST_BINS} bins are visited in both halves of the recording"
Values = NDArray[np.float64]


class StretchSums:
    """Sums of the activity and the time in each bin of a grid, over stretches of the recording.

    Only sums over stretches are kept, so memory does not grow with their number.

    Attributes:
        occupancy: Time in each bin in s, shape (bin,).
        half_activity: Sums of the activity in even and in odd stretches, shape (half, bin, unit).
        half_time: Time in even and in odd stretches in s, shape (half, bin).
        peak_activity: Sum of the activity, smoothed for finding the peak, shape (bin, unit).
        peak_time: Time in s, smoothed alike, shape (bin,).
    """

    def __init__(self, grid: Grid, units: int) -> None:
        self.grid = grid
        self.occupancy = np.zeros(grid.size)
        self.half_activity, self.half_time = np.zeros((2, grid.size, units)), np.zeros((2, grid.size))
        self.peak_activity, self.peak_time = np.zeros((grid.size, units)), np.zeros(grid.size)
        self._activity_squared, self._activity_time = np.zeros((2, grid.size, units))
        self._time_squared = np.zeros(grid.size)

    def add(self, stretch: int, activity: Values, time: Values) -> None:
        """Add a stretch.

        Args:
            stretch: Number of the stretch.
            activity: Sum of the activity in each bin, in counts, or in the activity's unit times s; (bin, unit).
            time: Time in each bin in s, shape (bin,).
        """
        self.occupancy += time
        self.peak_activity += self._smooth(activity, self.grid.peak_kernels)
        self.peak_time += self._smooth(time, self.grid.peak_kernels)
        activity, time = (self._smooth(values, self.grid.kernels) for values in (activity, time))
        self.half_activity[stretch % 2] += activity
        self.half_time[stretch % 2] += time
        self._activity_squared += activity**2
        self._activity_time += activity * time[:, None]
        self._time_squared += time**2

    def _smooth(self, values: Values, kernels: Kernels) -> Values:
        return smooth(values, self.grid.shape, kernels)

    @property
    def time(self) -> Values:
        """Smoothed time in s, shape (bin,)."""
        return np.asarray(self.half_time.sum(axis=0))

    @property
    def seconds(self) -> Values:
        """Time in s on which the value of each bin rests, shape (bin,).

        It is the occupancy where the curve is not smoothed, and otherwise the time that gives the same error.
        """
        spread = self._smooth(self.occupancy, squared(self.grid.kernels))
        return np.divide(self.time**2, spread, out=np.zeros_like(spread), where=spread > 0)

    @property
    def stretches(self) -> Values:
        """Effective number of stretches that visit each bin, by the time that they spend in it, shape (bin,)."""
        return np.divide(self.time**2, self._time_squared, out=np.zeros_like(self.time), where=self._time_squared > 0)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Bins that were visited for long enough and in more than one stretch, shape (bin,)."""
        visited = self.occupancy > 0
        return visited & (self.seconds >= LEAST_OCCUPANCY) & (self.stretches >= LEAST_STRETCHES)

    def curve(self) -> Values:
        """Return the mean activity in each bin, NaN where too rarely visited, shape (bin, unit)."""
        return _ratio(self.half_activity.sum(axis=0), self.time, self.known)

    def variance(self) -> tuple[Values, Values]:
        """Return the variance of the curve by the differences between stretches.

        It is the variance of a ratio of two sums over independent stretches (Cochran 1977, Sampling Techniques, eq.
        6.13), for stretches that differ in the time that they spend in a bin.

        Returns:
            Variances (bin, unit), NaN where the curve is, and degrees of freedom (bin,).
        """
        curve, time, freedom = self.curve(), self.time[:, None], np.maximum(self.stretches - 1, 0.0)
        residual = self._activity_squared - 2 * curve * self._activity_time + curve**2 * self._time_squared[:, None]
        factor = np.divide(self.stretches, freedom, out=np.zeros_like(freedom), where=self.known)[:, None]
        variance = np.divide(np.maximum(residual, 0.0), time**2, out=np.full_like(residual, np.nan), where=time > 0)
        return factor * variance, freedom


@dataclass(frozen=True)
class Tuning:
    """The tuning of every unit to a label, or to one of its axes.

    Attributes:
        curve: Mean activity in each bin: Hz, or the activity's own unit; NaN where too rarely visited, (bin, unit).
        low: Lower end of its 95 % interval, (bin, unit).
        high: Upper end of its 95 % interval, (bin, unit).
        occupancy: Time in each bin in s, (bin,).
        peak: Bin of the peak, -1 where there is none, (unit,).
        information: Information in bits a spike, NaN without spikes, (unit,).
        reliability: Correlation between the curves of even and odd stretches, (unit,).
    """

    curve: Values
    low: Values
    high: Values
    occupancy: Values
    peak: NDArray[np.int64]
    information: Values
    reliability: Values


def tuning(sums: StretchSums, spikes: bool) -> Tuning:
    """Return the tuning of every unit from its sums over stretches.

    Args:
        sums: Sums of a grid.
        spikes: Whether the activity is counts of spikes.
    """
    curve = sums.curve()
    low, high = count_interval(sums) if spikes else mean_interval(sums)
    known = sums.known
    information = skaggs_information(curve[known], sums.time[known]) if spikes else np.full(curve.shape[1], np.nan)
    return Tuning(curve, low, high, sums.occupancy, peaks(sums), information, reliability(sums))


def add_recording(
    sums: Iterable[StretchSums], stretch: int, parts: Iterable[tuple[slice, NDArray]], width: float
) -> None:
    """Add a stretch of the recording to the sums of several grids.

    Args:
        sums: Sums of the grids.
        stretch: Number of the stretch.
        parts: Samples of the stretch, and their activity, counts or the activity's unit times s, (sample, unit).
        width: Width of a bin of time in s.
    """
    sums = list(sums)
    totals = [np.zeros_like(each.peak_activity) for each in sums]
    visits = [np.zeros(each.grid.size, dtype=np.int64) for each in sums]
    for samples, activity in parts:
        values = activity.astype(np.float64, copy=False)
        for each, total, count in zip(sums, totals, visits, strict=True):
            index = each.grid.index[samples]
            inside = np.flatnonzero(index >= 0)
            member = csr_array((np.ones(len(inside)), (index[inside], inside)), (each.grid.size, len(index)))
            total += member @ values
            count += np.bincount(index[inside], minlength=each.grid.size)
    for each, total, count in zip(sums, totals, visits, strict=True):
        each.add(stretch, total, width * count.astype(np.float64))


def count_interval(sums: StretchSums) -> tuple[Values, Values]:
    """Return the 95 % interval of a curve of spike counts.

    A Poisson count would have Jeffreys' interval (Brown, Cai and DasGupta 2003, Statistica Sinica 13:19). Counts are
    divided by their dispersion first: the variance between stretches over that of a Poisson process, at least 1.

    Returns:
        Lower and upper ends in Hz, (bin, unit); NaN where the curve is.
    """
    curve, seconds, (variance, freedom) = sums.curve(), sums.seconds[:, None], sums.variance()
    dispersion = np.full_like(curve, np.nan)
    np.divide(variance * seconds, curve, out=dispersion, where=curve > 0)
    moderated, freedom_left = moderate(dispersion, freedom)
    dispersion = np.maximum(moderated, 1.0) * (_t_quantile(freedom_left) / NORMAL) ** 2
    count = curve * seconds / dispersion + 0.5
    tail = (1 - LEVEL) / 2
    low, high = (gammaincinv(count, share) * dispersion / seconds for share in (tail, 1 - tail))
    return np.where(curve > 0, low, np.where(np.isnan(curve), np.nan, 0.0)), high


def mean_interval(sums: StretchSums) -> tuple[Values, Values]:
    """Return the 95 % interval of a curve of rates or calcium: mean and Student's t of the stretches.

    Returns:
        Lower and upper ends in the activity's unit, (bin, unit); NaN where the curve is.
    """
    curve, seconds, (variance, freedom) = sums.curve(), sums.seconds[:, None], sums.variance()
    moderated, freedom_left = moderate(variance * seconds, freedom)
    half = np.full_like(curve, np.nan)
    np.divide(moderated, seconds, out=half, where=seconds > 0)
    half = _t_quantile(freedom_left) * np.sqrt(half)
    return curve - half, curve + half


def moderate(variances: Values, freedom: Values) -> tuple[Values, Values]:
    """Return the variances of a unit's bins, drawn towards their mean over bins.

    A bin that few stretches visit has a poor estimate of its own. As in Smyth 2004 (Stat. Appl. Genet. Mol. Biol. 3:3,
    eq. 2), the mean counts as :data:`PRIOR` degrees of freedom.

    Args:
        variances: Variances of one second in each bin, NaN where not known, (bin, unit).
        freedom: Degrees of freedom of each bin, (bin,).

    Returns:
        Variances, and their degrees of freedom, both (bin, unit). A unit without any variance has NaN.

    >>> values, left = moderate(np.array([[1.0], [3.0], [np.nan]]), np.array([8.0, 8.0, 0.0]))
    >>> values[:, 0].tolist(), left[:, 0].tolist()
    ([1.5, 2.5, 2.0], [16.0, 16.0, 8.0])
    """
    own = np.where(np.isfinite(variances), freedom[:, None], 0.0)
    kept = np.where(own > 0, variances, 0.0)
    total = own.sum(axis=0)
    mean = np.divide((own * kept).sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0)
    return (PRIOR * mean + own * kept) / (PRIOR + own), PRIOR + own


def skaggs_information(curve: Values, time: Values) -> Values:
    """Return the information that a spike gives on the label.

    Skaggs et al. 1993 (NIPS 5:1030): sum over bins of p (r / m) log2(r / m), with p the share of time in a bin, r the
    rate in it and m the mean rate.

    Args:
        curve: Rate in each bin, (bin, unit).
        time: Time in each bin, (bin,).

    Returns:
        Bits a spike, (unit,); NaN for a unit without spikes.

    >>> skaggs_information(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([1.0, 1.0])).tolist()
    [1.0, 0.0]
    """
    share = (time / time.sum())[:, None] if len(time) else time[:, None]
    mean = (share * curve).sum(axis=0)
    relative = np.divide(curve, mean, out=np.zeros_like(curve), where=mean > 0)
    logs = np.log2(relative, out=np.zeros_like(relative), where=relative > 0)
    return np.where(mean > 0, (share * relative * logs).sum(axis=0), np.nan)


def peaks(sums: StretchSums) -> NDArray[np.int64]:
    """Return the bin at the peak of each unit's lightly smoothed curve, -1 for a flat curve, (unit,)."""
    known = np.flatnonzero(sums.known)
    if not len(known):
        return np.full(sums.peak_activity.shape[1], -1)
    curve = sums.peak_activity[known] / sums.peak_time[known, None]
    return np.where(np.ptp(curve, axis=0) > 0, known[curve.argmax(axis=0)], -1)


def reliability(sums: StretchSums) -> Values:
    """Return the correlation of each unit's curves from even and from odd stretches, (unit,).

    Bins count by the time that both halves spend in them: t1 t2 / (t1 + t2). The correlation is NaN with fewer than
    :data:`LEAST_BINS` bins that both visit, and for a flat curve.
    """
    both = sums.known & (sums.half_time > 0).all(axis=0)
    units = sums.half_activity.shape[2]
    if both.sum() < LEAST_BINS:
        return np.full(units, np.nan)
    time = sums.half_time[:, both]
    weight = time.prod(axis=0) / time.sum(axis=0)
    weight = (weight / weight.sum())[:, None]
    halves = sums.half_activity[:, both] / time[..., None]
    halves = halves - (weight * halves).sum(axis=1, keepdims=True)
    covariance, *variances = ((weight * a * b).sum(axis=0) for a, b in (halves, halves[[0, 0]], halves[[1, 1]]))
    size = np.sqrt(np.prod(variances, axis=0))
    return np.divide(covariance, size, out=np.full(units, np.nan), where=size > 0)


def _ratio(activity: Values, time: Values, known: NDArray[np.bool_]) -> Values:
    curve = np.full_like(activity, np.nan)
    curve[known] = activity[known] / time[known, None]
    return curve


def _t_quantile(freedom: Values) -> Values:
    return np.asarray(stdtrit(freedom, (1 + LEVEL) / 2))
