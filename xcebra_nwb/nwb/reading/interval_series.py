"""Read the intervals of an IntervalSeries."""

from __future__ import annotations

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.series import read_times
from xcebra_nwb.nwb.reading.values import numbers


def read_interval_series(group: h5py.Group, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals of an IntervalSeries, and the kind of each.

    Its data hold k where an interval of kind k starts and -k where it stops.

    Args:
        group: The group of the series.
        path: Its path in the file.

    Returns:
        Start and stop of each interval in s, shape (interval, 2), kind by kind, and its kind, shape (interval,).

    Raises:
        Refusal: Times and marks differ in number.
    """
    times, marks = read_times(group, path), numbers(group["data"]).reshape(-1)
    if len(times) != len(marks):
        what = f"{path}: {len(times)} timestamps for {len(marks)} marks"
        raise Refusal(Code.UNREADABLE_LAYOUT, what, "correct the series in the file")
    order = np.argsort(times, kind="stable")
    times, marks = times[order], marks[order]
    kinds = np.unique(np.abs(marks[np.isfinite(marks) & (marks != 0)]))
    by_kind = [_paired(times[marks == kind], times[marks == -kind]) for kind in kinds]
    return np.concatenate([*by_kind, np.empty((0, 2))]), np.repeat(kinds, [len(pairs) for pairs in by_kind])


def _paired(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return each start with the first stop after it, shape (interval, 2).

    A start is dropped if another one comes before its stop.
    """
    after = np.searchsorted(stops, starts, side="right")
    pairs = np.array([[s, stops[a]] for s, a in zip(starts, after, strict=True) if a < len(stops)]).reshape(-1, 2)
    return pairs[np.r_[pairs[1:, 0] >= pairs[:-1, 1], True]] if len(pairs) else pairs
