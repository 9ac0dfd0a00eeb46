"""Measure times of samples and events: their period, gaps, restarts and outliers.

All times are in s.
"""

from __future__ import annotations

import numpy as np

FAR = 1e6  # s, eleven days: no time of a session lies further from the session's median time
SPREADS = 100.0  # interquartile ranges; a time must lie further away than these, too
SINCE_1970 = 3e8  # s; later times count from 1970
RESTART = 10  # sample periods by which two runs of times must overlap to count as a restart


def sample_period(times: np.ndarray) -> float | None:
    """Return the typical step of sorted times, None for fewer than two.

    It is the mean of the steps near the median.

    >>> sample_period(np.array([0.0, 0.1, 0.2, 5.0, 5.1]))
    0.1
    """
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return None
    median = np.median(steps)
    typical = steps[(steps > 0.5 * median) & (steps < 1.5 * median)]
    return float(f"{typical.mean() if len(typical) else median:.9g}")  # nine digits, so that 0.1 s stays 0.1 s


def outliers(times: np.ndarray) -> np.ndarray:
    """Return the finite times that lie absurdly far from the others, sorted.

    >>> outliers(np.array([1.0, 2.0, 3.0, 4.0, 1e9])).tolist()
    [1000000000.0]
    """
    finite = times[np.isfinite(times)]
    if len(finite) < 3:
        return finite[:0]
    low, median, high = np.percentile(finite, [25, 50, 75])
    return np.sort(finite[np.abs(finite - median) > max(FAR, SPREADS * (high - low))])


def gaps(times: np.ndarray, factor: float = 3.0) -> np.ndarray:
    """Return the start and stop of each gap between samples, shape (gap, 2).

    Args:
        times: Sorted times of the samples.
        factor: Number of sample periods that a gap exceeds.

    >>> gaps(np.array([0.0, 1.0, 2.0, 9.0, 10.0])).tolist()
    [[2.0, 9.0]]
    """
    period = sample_period(times)
    if period is None:
        return np.empty((0, 2))
    before = np.flatnonzero(np.diff(times) > factor * period)
    return np.stack([times[before], times[before + 1]], axis=1)


def restarts(times: np.ndarray) -> bool:
    """Return whether the clock restarted half way.

    That is so if two runs of increasing times cover the same stretch. Times that count from the start of each trial
    look the same. Short runs do not count. The first and last time of a run do not count either, because one misplaced
    time would make the run reach far.

    >>> restarts(np.r_[np.arange(100.0), np.arange(100.0)]), restarts(np.arange(100.0))
    (True, False)
    """
    times = times[np.isfinite(times)]
    borders = np.flatnonzero(np.diff(times) < 0) + 1
    steps = np.diff(times)
    if not len(borders) or not np.any(steps > 0):
        return False
    period = np.median(steps[steps > 0])
    first, last = np.r_[0, borders], np.r_[borders - 1, len(times) - 1]
    long = last - first > RESTART
    starts, stops = times[first[long] + 1], times[last[long] - 1]
    order = np.argsort(starts)
    overlap = np.maximum.accumulate(stops[order])[:-1] - starts[order][1:]
    return bool(np.any(np.minimum(overlap, stops[order][1:] - starts[order][1:]) > RESTART * period))


def without_outliers(times: np.ndarray) -> np.ndarray:
    """Return the finite times without absurd ones.

    >>> without_outliers(np.array([1.0, 2.0, np.nan, 3.0, 4.0, 1e9])).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    finite = times[np.isfinite(times)]
    far = outliers(finite)
    return finite[~np.isin(finite, far)] if len(far) else finite


def lasting(times: np.ndarray) -> float:
    """Return how long times last without absurd ones.

    >>> lasting(np.array([1.0, 2.0, 3.0, 4.0, 1e9]))
    3.0
    """
    kept = without_outliers(times)
    return float(np.ptp(kept)) if len(kept) else 0.0
