"""How a label moves, against what its rule for positive pairs takes for granted.

``time_delta`` adds a step that the label took somewhere to its value anywhere: steps are taken to be alike everywhere
and along every axis, without leaps, and small against the range, so that a positive is nearer than a negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.assess.decoding import decoding_score

Floats = NDArray[np.float64]
LEAP = 6.0  # robust standard deviations; one Gaussian step in 500 million goes further
TO_DEVIATION = 1.4826  # median absolute deviation to standard deviation, for a Gaussian
MOST_STEPS = 5000  # whose length is predicted, evenly spaced
STRETCHES = 10  # of the recording, every other one held out
UNIFORM_ANGLE = np.pi / np.sqrt(3)  # rad, standard deviation of an angle spread evenly


@dataclass(frozen=True)
class Steps:
    """Statistics of a label's steps; NaN where they do not apply.

    Attributes:
        size: standard deviation of a step over that of the label, on the axis where it is largest. A label that is
            drawn anew in every bin has the square root of 2.
        anisotropy: ratio of the axes' step variances, each axis at unit variance; 1 for one axis.
        leaps: share of the variance of the steps that comes from leaps.
        by_place: held-out R2 of a step's length given where it was taken.
    """

    size: float
    anisotropy: float
    leaps: float
    by_place: float


def step_statistics(values: Floats, follows: NDArray[np.bool_], circular: bool) -> Steps:
    """Return the statistics of the steps of a label.

    Args:
        values: (sample, axis), rad if circular.
        follows: (sample - 1,) whether the sample after each follows it without a gap.
        circular: steps are taken by the shorter way round.
    """
    spread = np.array([UNIFORM_ANGLE]) if circular else values.std(axis=0)
    if not follows.any() or not (spread > 0).any():
        return Steps(*[float("nan")] * 4)
    values, spread = values[:, spread > 0], spread[spread > 0]
    steps = np.diff(values, axis=0)[follows]
    steps = (steps + np.pi) % (2 * np.pi) - np.pi if circular else steps
    steps = steps / spread
    size = np.sqrt(np.square(steps).mean(axis=0))
    anisotropy = float(np.square(size.max() / size.min())) if size.min() > 0 else float("inf")
    return Steps(float(size.max()), anisotropy, _leaps(steps), _by_place(values[:-1][follows], steps, circular))


def _leaps(steps: Floats) -> float:
    """The share of the steps' variance beyond :data:`LEAP` robust deviations, of the steps that are not zero."""
    moving = np.where(steps == 0, np.nan, steps)
    if np.isnan(moving).all():
        return float("nan")
    deviation = TO_DEVIATION * np.nanmedian(np.abs(moving), axis=0)
    far = np.abs(steps) > LEAP * deviation
    return float(np.square(steps)[far].sum() / np.square(steps).sum())


def _by_place(places: Floats, steps: Floats, circular: bool) -> float:
    some = slice(None, None, max(1, math.ceil(len(places) / MOST_STEPS)))
    places, length = places[some], np.linalg.norm(steps[some], axis=1)[:, None]
    features = np.hstack([np.cos(places), np.sin(places)]) if circular else places / places.std(axis=0)
    stretch = STRETCHES * np.arange(len(places)) // len(places) % 2
    return decoding_score(features, length, np.flatnonzero(stretch == 0), np.flatnonzero(stretch == 1), "continuous")
