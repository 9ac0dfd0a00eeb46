"""Bring sampled values onto the bins as means, circular means or majorities.

Short gaps between samples are bridged. Bins in long gaps have no value.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.reading.series import Samples

SHORTEST_MEAN = 0.3  # length of the mean unit vector after three quarters of a turn


def longest_bridge(grid: Grid, max_gap: float) -> float:
    """Return the largest distance between two samples that is bridged, in s.

    It is at least two bins, because jitter around one sample per bin is no gap.

    Args:
        grid: The bins.
        max_gap: ``time.max_gap`` of the config in s.

    >>> longest_bridge(Grid(0.0, 0.5, 10), max_gap=0.1)
    1.0
    """
    return max(max_gap, 2 * grid.width)


def continuous(samples: Samples, grid: Grid, max_gap: float, *, centred: bool = False) -> np.ndarray:
    """Return the mean of the samples in each bin, shape (time, column).

    A bin without a sample is interpolated at its centre. It is NaN if it lies in a long gap. A value that is not finite
    counts as missing, separately in each column.

    Args:
        samples: The samples.
        grid: The bins.
        max_gap: ``time.max_gap`` of the config in s.
        centred: Interpolate at the centre of every bin if samples are at most as frequent as bins, because the only
            sample of a bin can lie anywhere in it.

    >>> samples = Samples(np.array([0.25, 0.75, 1.5]), np.array([[1.0], [3.0], [5.0]]))
    >>> continuous(samples, Grid(0.0, 1.0, 2), max_gap=1.0).tolist()
    [[2.0], [5.0]]
    """
    period = samples.period
    if centred and period is not None and period > 0.999 * grid.width:
        return _interpolated(samples.times, samples.values, grid, max_gap, continuous(samples, grid, max_gap))
    values = np.asarray(samples.values, dtype=np.float64)
    finite = np.isfinite(values)
    if finite.all():
        return _mean(samples.times, values, grid, max_gap)
    result = np.full((grid.count, values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        rows = finite[:, column]
        if rows.any():
            result[:, [column]] = _mean(samples.times[rows], values[rows][:, [column]], grid, max_gap)
    return result


def circular(samples: Samples, grid: Grid, max_gap: float) -> np.ndarray:
    """Return the mean direction of the samples in each bin in rad, shape (time,).

    Directions lie between -pi and pi. A bin is NaN in a long gap. It is also NaN where the direction turns through
    most of a circle within the bin, because a mean direction then means nothing.

    Args:
        samples: Angles in rad, shape (sample, 1).
        grid: The bins.
        max_gap: ``time.max_gap`` of the config in s.

    >>> samples = Samples(np.array([0.1, 0.2, 1.1, 1.2]), np.array([[3.0], [-3.1], [0.1], [0.3]]))
    >>> circular(samples, Grid(0.0, 1.0, 2), max_gap=1.0).round(3).tolist()
    [3.092, 0.2]
    """
    angles = np.asarray(samples.values, dtype=np.float64)[:, 0]
    vectors = Samples(samples.times, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    mean = continuous(vectors, grid, max_gap, centred=True)  # (time, 2)
    mean[np.hypot(mean[:, 0], mean[:, 1]) < SHORTEST_MEAN] = np.nan
    return np.arctan2(mean[:, 1], mean[:, 0])


def discrete(times: np.ndarray, codes: np.ndarray, grid: Grid, max_gap: float) -> np.ndarray:
    """Return the most frequent class code in each bin, shape (time,).

    A bin without a sample takes the code of the last sample before it. It is -1 in a long gap, and where two codes are
    equally frequent.

    Args:
        times: Times of the samples in s, sorted.
        codes: Class codes 0, 1, ..., shape (sample,).
        grid: The bins.
        max_gap: ``time.max_gap`` of the config in s.

    >>> times, codes = np.array([0.1, 0.2, 0.3, 1.5]), np.array([0, 1, 1, 0])
    >>> discrete(times, codes, Grid(0.0, 1.0, 2), max_gap=1.0).tolist()
    [1, 0]
    """
    bins = _bin_of(times, grid)
    inside = bins >= 0
    classes = int(codes.max()) + 1
    votes = np.bincount(bins[inside] * classes + codes[inside], minlength=grid.count * classes)
    votes = votes.reshape(grid.count, classes)
    result = votes.argmax(axis=1)
    most = votes.max(axis=1)
    result[np.sum(votes == most[:, None], axis=1) > 1] = -1
    empty = np.flatnonzero(most == 0)
    before, bridged = _neighbours(times, grid.centres[empty], longest_bridge(grid, max_gap))
    result[empty[bridged]] = codes[before[bridged]]
    return result


def _mean(times: np.ndarray, values: np.ndarray, grid: Grid, max_gap: float) -> np.ndarray:
    bins = _bin_of(times, grid)
    inside = np.flatnonzero(bins >= 0)
    members = np.bincount(bins[inside], minlength=grid.count)  # (time,)
    ones = np.ones(len(inside))
    adding = csr_array((ones, (bins[inside], inside)), shape=(grid.count, len(times)))
    sums = np.asarray(adding @ values)  # (time, column)
    result = np.divide(sums, members[:, None], out=np.full_like(sums, np.nan), where=members[:, None] > 0)
    return _interpolated(times, values, grid, max_gap, result, np.flatnonzero(members == 0))


def _interpolated(
    times: np.ndarray,
    values: np.ndarray,
    grid: Grid,
    max_gap: float,
    result: np.ndarray,
    bins: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``result`` with ``bins`` interpolated at their centres.

    ``bins`` None stands for all bins. Bins in a gap that is too long keep their values.
    """
    bins = np.arange(grid.count) if bins is None else bins
    centres = grid.centres[bins]
    before, bridged = _neighbours(times, centres, longest_bridge(grid, max_gap))
    left, rows = before[bridged], bins[bridged]
    share = (centres[bridged] - times[left]) / (times[left + 1] - times[left])
    result[rows] = values[left] + share[:, None] * (values[left + 1] - values[left])
    return result


def _bin_of(times: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the bin of each time, -1 outside the grid, shape (sample,)."""
    bins = np.searchsorted(grid.edges, times, side="right") - 1
    return np.where(bins < grid.count, bins, -1)


def _neighbours(times: np.ndarray, at: np.ndarray, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the last sample before each time, and whether the gap is short.

    The gap to the next sample is short if it is at most ``longest`` s.
    """
    before = np.searchsorted(times, at, side="right") - 1
    between = (before >= 0) & (before < len(times) - 1)
    step = np.full(len(at), np.inf)
    step[between] = times[before[between] + 1] - times[before[between]]
    return before, step <= longest + 1e-9
