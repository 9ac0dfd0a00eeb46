"""The random steps by which positives are drawn, against what the similarity takes for granted.

At its optimum the Euclidean similarity is an isotropic Gaussian kernel, the same everywhere. So the steps are to be
alike in every direction, without leaps, and small against the label's range: a positive is nearer than a negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.core.session import label_features
from xcebra_nwb.xcebra.decoding import decoding_score

Floats = NDArray[np.float64]
LEAP = 6.0  # robust standard deviations; one Gaussian step in 500 million goes further
TO_DEVIATION = 1.4826  # median absolute deviation to standard deviation, for a Gaussian
UNIFORM_ANGLE = np.pi / np.sqrt(3)  # rad, standard deviation of an angle spread evenly
MOST_STEPS = 5000  # whose length is predicted, evenly spaced
STRETCHES = 10  # of the recording, every other one held out


@dataclass(frozen=True)
class Kernel:
    """Statistics of random steps; NaN where the label does not vary.

    Attributes:
        size: root mean square of a step over the label's standard deviation, on the axis where it is largest. A label
            that is drawn anew in every bin has the square root of 2.
        anisotropy: largest over smallest variance of the steps over all directions.
        leaps: share of the steps' variance that comes from leaps.
    """

    size: float
    anisotropy: float
    leaps: float


def kernel_statistics(points: Floats, moved: Floats, circular: bool) -> Kernel:
    """Return the statistics of the steps from ``points`` to ``moved``, both (sample, axis), in rad if circular.

    Both are in the space in which the nearest sample is looked for
    (:class:`xcebra_nwb.training.design.label_space.LabelSpace`).
    """
    spread = np.array([UNIFORM_ANGLE]) if circular else points.std(axis=0)
    if not (spread > 0).any():
        return Kernel(math.nan, math.nan, math.nan)
    steps = (_turned(moved - points) if circular else moved - points)[:, spread > 0]
    size = float(np.sqrt(np.square(steps).mean(axis=0) / np.square(spread[spread > 0])).max())
    variances = np.linalg.eigvalsh(steps.T @ steps / len(steps))
    anisotropy = float(variances[-1] / variances[0]) if variances[0] > 0 else math.inf
    return Kernel(size, anisotropy, _leaps(steps))


def _turned(steps: Floats) -> Floats:
    """Steps of an angle by the shorter way round."""
    return (steps + np.pi) % (2 * np.pi) - np.pi


def _leaps(steps: Floats) -> float:
    """The share of the steps' variance beyond :data:`LEAP` robust deviations, of the steps that are not zero."""
    moving = np.where(steps == 0, np.nan, steps)
    if np.isnan(moving).all(axis=0).any():
        return math.nan
    far = np.abs(steps) > LEAP * TO_DEVIATION * np.nanmedian(np.abs(moving), axis=0)
    return float(np.square(steps)[far].sum() / np.square(steps).sum())


def steps_by_place(values: Floats, follows: NDArray[np.bool_], kind: str) -> float:
    """Return how far the length of a label's own steps depends on where they are taken: held-out R2.

    Args:
        values: (sample, axis), rad if circular.
        follows: (sample - 1,) whether the sample after each follows it without a gap.
        kind: continuous or circular.
    """
    taken = np.flatnonzero(follows)
    taken = taken[:: max(1, math.ceil(len(taken) / MOST_STEPS))]
    places = label_features(values, kind)
    length = np.linalg.norm(places[taken + 1] - places[taken], axis=1)[:, None]
    stretch = STRETCHES * np.arange(len(taken)) // max(len(taken), 1) % 2
    held_in, held_out = np.flatnonzero(stretch == 0), np.flatnonzero(stretch == 1)
    return decoding_score(places[taken], length, held_in, held_out, "continuous")
