"""Identifiability: does a label live in its own block of latents, or does it leak into the others?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.assess.decoding import decoding_score

NO_OTHERS = "the block is the whole embedding: there are no other latents"


def leak(latents: NDArray[np.float64], first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how well the block ``first`` to ``last`` of ``latents`` (sample, latent) follows from the other latents.

    Held-out R2 of a nearest-neighbour regression; NaN when there are no other latents. The zeros of a label's map are
    meaningful only as far as this is low (see docs/method.md).
    """
    others = np.delete(latents, np.arange(first, last), axis=1)
    if not others.shape[1]:
        return float("nan")
    return decoding_score(others, latents[:, first:last], train, test, "continuous")
