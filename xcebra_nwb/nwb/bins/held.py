"""Bring values that hold until the next sample onto the bins, by the time for which they hold.

A series is written so if its ``continuity`` is "step", such as the probability of a block or the world of a virtual
reality. A value that is NaN, or a code of -1, is missing until the next sample.
"""

from __future__ import annotations

import numpy as np

from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.bins.resample import SHORTEST_MEAN
from xcebra_nwb.nwb.reading.series import Samples

ROUNDING = 1e-4  # of a bin; times since 1970 are that coarse


def continuous(samples: Samples, stop: float, grid: Grid) -> np.ndarray:
    """Return the mean over time of the held values in each bin, shape (time, column).

    A bin is NaN if a value is missing in any part of it.

    Args:
        samples: The samples, shape (sample, column).
        stop: Time until which the last value holds in s.
        grid: The bins.

    >>> samples = Samples(np.array([0.0, 1.5]), np.array([[2.0], [4.0]]))
    >>> continuous(samples, 3.0, Grid(0.0, 1.0, 4)).ravel().tolist()
    [2.0, 3.0, 4.0, nan]
    """
    values = np.asarray(samples.values, dtype=np.float64)
    finite = np.isfinite(values)
    sums = _integral(samples.times, np.where(finite, values, 0.0), stop, grid)
    whole = _integral(samples.times, finite.astype(np.float64), stop, grid) > grid.width * (1 - ROUNDING)
    return np.where(whole, sums / grid.width, np.nan)


def circular(samples: Samples, stop: float, grid: Grid) -> np.ndarray:
    """Return the mean direction over time of held angles in each bin in rad, shape (time,).

    Args:
        samples: Angles in rad, shape (sample, 1).
        stop: Time until which the last value holds in s.
        grid: The bins.
    """
    angles = np.asarray(samples.values, dtype=np.float64)[:, 0]
    mean = continuous(Samples(samples.times, np.stack([np.cos(angles), np.sin(angles)], axis=1)), stop, grid)
    mean[np.hypot(mean[:, 0], mean[:, 1]) < SHORTEST_MEAN] = np.nan
    return np.arctan2(mean[:, 1], mean[:, 0])


def discrete(times: np.ndarray, codes: np.ndarray, stop: float, grid: Grid) -> np.ndarray:
    """Return the class that holds for most of each bin, shape (time,).

    It is -1 where two classes hold equally long, or none holds for most of the bin.

    Args:
        times: Times of the samples in s, sorted.
        codes: Class codes 0, 1, ..., -1 where missing, shape (sample,).
        stop: Time until which the last class holds in s.
        grid: The bins.

    >>> discrete(np.array([0.0, 1.4, 3.0]), np.array([1, 0, -1]), 9.0, Grid(0.0, 1.0, 4)).tolist()
    [1, 0, 0, -1]
    """
    result = np.full(grid.count, -1, dtype=np.int64)
    longest = np.zeros(grid.count)
    slack = ROUNDING * grid.width
    for code in range(-1, int(codes.max(initial=-1)) + 1):
        share = _integral(times, (codes == code).astype(np.float64)[:, None], stop, grid)[:, 0]
        longer, equal = share > longest + slack, (np.abs(share - longest) <= slack) & (share > slack)
        result[equal] = -1
        result[longer], longest[longer] = code, share[longer]
    outside = grid.width - _integral(times, np.ones((len(times), 1)), stop, grid)[:, 0]
    return np.where(outside > longest - slack, -1, result)


def _integral(times: np.ndarray, values: np.ndarray, stop: float, grid: Grid) -> np.ndarray:
    """Return the integral over each bin of values that hold until the next time, shape (time, column)."""
    ends = np.r_[times, stop]
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(np.diff(ends)[:, None] * values, axis=0)])
    edges = np.clip(grid.edges, ends[0], ends[-1])
    before = np.clip(np.searchsorted(ends, edges, side="right") - 1, 0, len(times) - 1)
    at_edges = sums[before] + (edges - ends[before])[:, None] * values[before]
    return np.diff(at_edges, axis=0)
