"""Sampled values brought to bins: means, circular means, majorities; short gaps are bridged, long ones are not."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.reading.series import Samples

SHORTEST_MEAN = 0.3  # of unit vectors, left by three quarters of a turn


def longest_bridge(grid: Grid, max_gap: float) -> float:
    """Return how far apart two samples may lie to be bridged, s: jitter around one sample per bin is no gap."""
    return max(max_gap, 2 * grid.width)


def continuous(samples: Samples, grid: Grid, max_gap: float, *, centred: bool = False) -> np.ndarray:
    """Return the mean of the samples in every bin, (time, column); interpolated where a bin has none; else NaN.

    A value that is not finite counts as not sampled, column by column. ``centred``: samples that come more rarely than
    bins are interpolated at the centre of every bin, as the one in a bin may lie anywhere in it.
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
    """Return the mean direction of the samples in every bin, (time,), in rad between -pi and pi; else NaN.

    An angle that turns by most of a circle within a bin points nowhere there: the mean of its unit vectors is short.
    """
    angles = np.asarray(samples.values, dtype=np.float64)[:, 0]
    vectors = Samples(samples.times, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    mean = continuous(vectors, grid, max_gap, centred=True)  # (time, 2)
    mean[np.hypot(mean[:, 0], mean[:, 1]) < SHORTEST_MEAN] = np.nan
    return np.arctan2(mean[:, 1], mean[:, 0])


def discrete(times: np.ndarray, codes: np.ndarray, grid: Grid, max_gap: float) -> np.ndarray:
    """Return the commonest code of the samples in every bin, (time,); -1 for ties; the last one where none is near."""
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
    """``result`` (time, column) with ``bins`` (None: all) interpolated at their centres, where no gap is too wide."""
    bins = np.arange(grid.count) if bins is None else bins
    centres = grid.centres[bins]
    before, bridged = _neighbours(times, centres, longest_bridge(grid, max_gap))
    left, rows = before[bridged], bins[bridged]
    share = (centres[bridged] - times[left]) / (times[left + 1] - times[left])
    result[rows] = values[left] + share[:, None] * (values[left + 1] - values[left])
    return result


def _bin_of(times: np.ndarray, grid: Grid) -> np.ndarray:
    """The bin of every time, (sample,), -1 outside the grid."""
    bins = np.searchsorted(grid.edges, times, side="right") - 1
    return np.where(bins < grid.count, bins, -1)


def _neighbours(times: np.ndarray, at: np.ndarray, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """The last sample before every time of ``at``, and whether a next one follows within ``longest``."""
    before = np.searchsorted(times, at, side="right") - 1
    between = (before >= 0) & (before < len(times) - 1)
    step = np.full(len(at), np.inf)
    step[between] = times[before[between] + 1] - times[before[between]]
    return before, step <= longest + 1e-9
