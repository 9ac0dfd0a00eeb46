"""Find jumps of a position: lap resets and teleports, which are no movement.

A jump leads over a fifth of the range within one sample, far more than movement does. It counts if jumps lead from one
place to another again and again, or to exactly one place, or if it crosses half of the range. Shorter jumps, such as
from the place of a pause to the start of the next lap, count only if they repeat. A glitch that leads out and back is
no jump, and neither are the steps of a signal that is on or off.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from xcebra_nwb.nwb.reading.series import Samples
from xcebra_nwb.nwb.reading.times import sample_period

GAP = 3.0  # sample periods; a longer step in time is a gap
FAR, FURTHER = 8.0, 20.0  # times the 90th and the 99th percentile of the steps
SMALL, LARGE, HUGE = 0.04, 0.2, 0.5  # of the range
EXACT = 0.002  # of the range
NEAR = 0.1  # of the length of a jump
ALIKE = 0.4  # least share of the jumps that are like one of them
COMPARED = 300  # jumps, with each of which the others are compared
MOST_JUMPS = 20_000  # values that jump more often are no path
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
    beyond = FAR * float(np.percentile(moving, 90))
    begins, ends, lengths = _far_steps(values, steps, close, max(beyond, SMALL * span))
    if len(begins) > min(RARE * len(moving), MOST_JUMPS):
        return NO_BREAKS
    large = lengths > LARGE * span
    chosen = lengths > max(HUGE * span, FURTHER * float(np.percentile(moving, 99)))
    for group in (large, ~large):
        chosen[group] |= _repeated(values[begins[group]], values[ends[group]], span)
    return np.stack([samples.times[begins[chosen]], samples.times[ends[chosen]]], axis=1)


def _far_steps(
    values: np.ndarray, steps: np.ndarray, close: np.ndarray, far: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sample before and the sample after each far step, and its length.

    Far steps that follow each other are one. Those that lead out and back are left out.
    """
    rows = np.flatnonzero(close & (steps > far))
    if not len(rows):
        return rows, rows, np.empty(0)
    apart = np.diff(rows) > 1
    begins, ends = rows[np.r_[True, apart]], rows[np.r_[apart, True]] + 1
    lengths = np.linalg.norm(values[ends] - values[begins], axis=1)
    kept = lengths > far
    return begins[kept], ends[kept], lengths[kept]


def _repeated(before: np.ndarray, after: np.ndarray, span: float) -> np.ndarray:
    """Return which jumps are like many of the others, shape (jump,).

    Jumps are alike that lead from one place to another, or to exactly the same place.

    Args:
        before: Values before each jump, shape (jump, column).
        after: Values after it, of the same shape.
        span: Range of the values.
    """
    few = np.arange(0, len(before), 1 + len(before) // COMPARED)
    if len(few) < FEWEST_JUMPS:
        return np.zeros(len(before), dtype=bool)
    lengths = np.linalg.norm(after - before, axis=1)
    near = NEAR * lengths[:, None]

    def between(ends: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.linalg.norm(ends[:, None] - others[None, few], axis=2)

    back = (between(before, after) <= near) & (between(after, before) <= near)
    whither = between(after, after)
    alike = (whither <= EXACT * span) | ((between(before, before) <= near) & (whither <= near))
    least = max(FEWEST_JUMPS, ALIKE * len(few))
    return (alike.sum(axis=1) >= least) & (back.sum(axis=1) < least)


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
