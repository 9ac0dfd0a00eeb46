"""The times that a user wants to be used, as intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.api.given import given
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading.intervals import merged, proper


def given_within(config: Config) -> NDArray[np.float64] | None:
    """Return ``time.within`` of the config in s, shape (1, 2); None for all times.

    Raises:
        UsageError: It names a table of a file.
    """
    within = config.time.within
    if isinstance(within, str):
        raise UsageError(f"time.within: {within} is in a file", "give segments=IntervalSet, or [start, stop] in s")
    return None if within is None else np.array([within], dtype=float)


def user_intervals(segments: Any) -> NDArray[np.float64] | None:
    """Return segments that are intervals in s, shape (interval, 2); None if they are numbers of bins.

    >>> user_intervals([[0.0, 2.0], [3.0, 4.0]]).tolist(), user_intervals([0, 0, 1, 1])
    ([[0.0, 2.0], [3.0, 4.0]], None)
    """
    found = given(segments, "segments")
    intervals = found.intervals if found.intervals is not None else found.values
    if intervals is None or (found.intervals is None and intervals.ndim == 1):
        return None
    if intervals.shape[1] != 2 or not proper(intervals).all():
        raise UsageError("segments: intervals are start and later stop in s, shape (interval, 2)", "or (time,) numbers")
    return np.asarray(intervals, dtype=float)


def shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the times in both of two sets of intervals in s, shape (interval, 2).

    >>> shared(np.array([[0.0, 5.0]]), np.array([[3.0, 4.0], [4.5, 9.0]])).tolist()
    [[3.0, 4.0], [4.5, 5.0]]
    """
    first, second = merged(one), merged(other)
    starts = np.maximum(first[:, None, 0], second[None, :, 0]).ravel()
    stops = np.minimum(first[:, None, 1], second[None, :, 1]).ravel()
    kept = stops > starts
    return merged(np.stack([starts[kept], stops[kept]], axis=1))
