"""Find jumps of a position: lap resets and teleports, which are no movement.

A jump leads over a fifth of the range within one sample, far more than movement does. It counts if jumps lead from one
place to another again and again, or to exactly one place, or if it crosses half of the range. A glitch that leads out
and back is no jump.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from xcebra_nwb.nwb.reading.series import Samples
from xcebra_nwb.nwb.reading.times import sample_period

GAP = 3.0  # sample periods; a longer step in time is a gap
FAR, FURTHER = 8.0, 20.0  # times the 90th and the 99th percentile of the steps
LARGE, HUGE = 0.2, 0.5  # of the range
EXACT, NEAR = 0.002, 0.1  # of the range: median distance of the ends of jumps from their middle
FEWEST_JUMPS = 3
FEWEST_STEPS = 30
RARE = 0.2  # of the steps; values that jump more often are no path
NO_BREAKS = np.empty((0, 2))


def jumps(samples: Samples) -> np.ndarray:
    """Return the times before and after each jump in s, shape (jump, 2).

    Args:
        samples: Finite values at their times, shape (sample, column).

    >>> laps = np.mod(np.arange(400.0), 100)[:, None]
    >>> jumps(Samples(np.arange(400.0), laps)).tolist()
    [[99.0, 100.0], [199.0, 200.0], [299.0, 300.0]]
    """
    period = sample_period(samples.times)
    values = np.asarray(samples.values, dtype=np.float64)
    if period is None or len(values) <= FEWEST_STEPS:
        return NO_BREAKS
    steps = np.linalg.norm(np.diff(values, axis=0), axis=1)
    close = np.diff(samples.times) <= GAP * period
    moving = steps[close & (steps > 0)]
    low, high = np.percentile(values, [0.5, 99.5], axis=0)
    span = float(np.linalg.norm(high - low))
    if len(moving) <= FEWEST_STEPS or span == 0:
        return NO_BREAKS
    far = np.flatnonzero(close & (steps > max(FAR * float(np.percentile(moving, 90)), LARGE * span)))
    if not len(far) or len(far) > RARE * len(moving):
        return NO_BREAKS
    begins = far[np.r_[True, np.diff(far) > 1]]
    ends = far[np.r_[np.diff(far) > 1, True]] + 1
    lengths = np.linalg.norm(values[ends] - values[begins], axis=1)
    kept = lengths > LARGE * span  # else it leads out and back
    begins, ends, lengths = begins[kept], ends[kept], lengths[kept]
    same_place = _same_place(values[begins], values[ends], span)
    huge = lengths > max(HUGE * span, FURTHER * float(np.percentile(moving, 99)))
    chosen = same_place | huge
    return np.stack([samples.times[begins[chosen]], samples.times[ends[chosen]]], axis=1)


def _same_place(before: np.ndarray, after: np.ndarray, span: float) -> np.ndarray:
    """Return which jumps lead to the place to which most of them lead, shape (jump,).

    Args:
        before: Values before each jump, shape (jump, column).
        after: Values after it, of the same shape.
        span: Range of the values.
    """
    if len(before) < FEWEST_JUMPS:
        return np.zeros(len(before), dtype=bool)
    apart = [np.linalg.norm(ends - np.median(ends, axis=0), axis=1) / span for ends in (before, after)]
    spreads = [float(np.median(distances)) for distances in apart]
    if spreads[1] > EXACT and max(spreads) > NEAR:
        return np.zeros(len(before), dtype=bool)
    return apart[1] <= NEAR


def split(samples: Samples, breaks: np.ndarray = NO_BREAKS) -> list[Samples]:
    """Return the stretches of samples without a gap or a jump, as float64.

    A repeated time counts once. A stretch of a single sample is left out because it has no derivative.

    Args:
        samples: The samples.
        breaks: Times before and after each jump in s, shape (jump, 2).

    >>> samples = Samples(np.array([0.0, 1.0, 2.0, 9.0, 10.0, 11.0, 12.0]), np.zeros((7, 1)))
    >>> [piece.times.tolist() for piece in split(samples, np.array([[10.0, 11.0]]))]
    [[0.0, 1.0, 2.0], [9.0, 10.0], [11.0, 12.0]]
    """
    once = samples.keep(np.r_[True, np.diff(samples.times) > 0])
    period = sample_period(once.times)
    if period is None:
        return []
    gaps = np.flatnonzero(np.diff(once.times) > GAP * period) + 1
    around = np.searchsorted(once.times, breaks[:, 0], side="right"), np.searchsorted(once.times, breaks[:, 1])
    borders = np.unique(np.r_[0, gaps, *around, len(once.times)])
    return [
        Samples(once.times[start:stop], once.values[start:stop].astype(np.float64))
        for start, stop in pairwise(borders.tolist())
        if stop - start > 1
    ]
