"""Goodness of fit: how far the loss of a label went below chance, on which bins, and whether it has settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE = 0.9  # share of the steps after which the loss counts as the last
BEFORE = (0.7, 0.8)  # shares of the steps between which it is compared with the last


@dataclass(frozen=True)
class Fit:
    """Shares of the chance level, or of the way that the training loss went below it; NaN where it went none.

    Attributes:
        gain: by which the held-out loss of the seeds lies below chance.
        gain_over_nulls: by which it lies below the best null's.
        generalisation: of the training loss's way below chance that held-out bins go too.
        still_falling: of that way, what the loss went in the last fifth of the steps.
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
        loss: (seed, record) while training.
        held_out: (seed,) after it.
        nulls: (null,) held out; losses of nulls.
        chance: the loss of an encoder that tells nothing.
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
