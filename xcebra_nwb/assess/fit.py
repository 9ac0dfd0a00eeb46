"""Goodness of fit: how far the loss of a label went below chance, on which bins, and whether it has settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE = 0.9  # share of the steps after which the loss counts as the last
BEFORE = (0.7, 0.8)  # shares of the steps between which it is compared with the last


@dataclass(frozen=True)
class Fit:
    """How far the loss of a label went below chance, and whether it has settled.

    The numbers are shares of the chance level, or of the way that the training loss went below it. They are NaN where
    it went none.

    Attributes:
        gain: share of chance by which the held-out loss of the seeds lies below it.
        gain_over_nulls: share of chance by which it lies below the best null's.
        generalisation: share of the training loss's way below chance that the held-out loss goes too.
        still_falling: share of that way that the training loss went in the last fifth of the steps.
    """

    gain: float
    gain_over_nulls: float
    generalisation: float
    still_falling: float


def fit_of(
    loss: NDArray[np.floating], held_out: NDArray[np.floating], nulls: NDArray[np.floating], chance: float
) -> Fit:
    """Return the fit of an objective.

    Args:
        loss: training loss of the seeds (seed, record).
        held_out: held-out loss of the seeds after training, (seed,).
        nulls: held-out loss of the nulls, (null,).
        chance: loss of an encoder that carries no information.

    >>> course = np.array([[3.0] * 80 + [2.0] * 20])
    >>> fit_of(course, np.array([3.0]), np.array([3.5]), chance=4.0)
    Fit(gain=0.25, gain_over_nulls=0.125, generalisation=0.5, still_falling=0.5)
    """
    course, tested = loss.astype(float).mean(axis=0), float(held_out.mean())
    early, late = (int(share * len(course)) for share in BEFORE)
    last = float(course[int(LATE * len(course)) :].mean())
    way = chance - last
    before = float(course[early:late].mean()) if late > early else float("nan")
    return Fit(
        gain=(chance - tested) / chance,
        gain_over_nulls=(float(nulls.min()) - tested) / chance if len(nulls) else float("nan"),
        generalisation=(chance - tested) / way if way > 0 else float("nan"),
        still_falling=(before - last) / way if way > 0 else float("nan"),
    )
