"""Identifiability of the embedding: does a label live in its own block of latents, and is that block what it seems?

The theory (docs/background/method.md, "Regulariser") gives a label's map its zeros only if no other latent carries the
label, if the block's directions are ones along which the data vary, and if outputs are not clipped flat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.assess.linear import linear_prediction
from xcebra_nwb.xcebra.decoding import decoding_score, explained

Floats = NDArray[np.float64]
SPANNED = 0.05  # of the largest variance, as attribution.rank_tolerance is of the largest eigenvalue
NO_OTHERS = "the block is the whole embedding: there are no other latents"


def leak(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how well the block ``first`` to ``last`` of ``latents`` (sample, latent) follows from the other latents.

    Held-out R2 of a nearest-neighbour regression; NaN when there are no other latents. The others of a block that is
    nested in a larger one include the rest of the larger one. The zeros of a label's map are meaningful only as far as
    this is low (see docs/background/method.md).
    """
    others = others_of(latents, first, last)
    if not others.shape[1]:
        return float("nan")
    return decoding_score(others, latents[:, first:last], train, test, "continuous")


def linear_leak(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return the same of a linear regression: neighbours among many latents are far, a linear copy is still found."""
    others, block = others_of(latents, first, last), latents[:, first:last]
    if not others.shape[1] or len(test) < 2:
        return float("nan")
    return explained(block[test], linear_prediction(others, block, train, test))


def mixing(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how much of what the other latents do on their own follows linearly from the block, held-out R2.

    With block = D z and others = A w + B z, for a label z and all else w, the label's column of the pseudo-inverse of
    [[D, 0], [B, A]] holds -pinv(A) B: w enters the map as far as z and w move the other latents along the *same*
    directions. A copy of the label along a direction of its own, which is a leak, does no harm. So only those
    directions count along which the others vary when the block is taken out (:data:`SPANNED`).
    """
    others, block = others_of(latents, first, last), latents[:, first:last]
    if not others.shape[1] or len(test) < 2:
        return float("nan")
    residual = others[test] - linear_prediction(block, others, train, test)
    values, axes = np.linalg.eigh(np.atleast_2d(np.cov(residual, rowvar=False)))
    own = axes[:, values >= SPANNED * values.max()]
    whole = np.square((others[test] - others[test].mean(axis=0)) @ own).sum()
    return float(1 - np.square(residual @ own).sum() / whole) if whole > 0 else float("nan")


def others_of(latents: Floats, first: int, last: int) -> Floats:
    """Return the latents outside the block (sample, other)."""
    return np.delete(latents, np.arange(first, last), axis=1)


def spanned_directions(block: Floats) -> int:
    """Return along how many directions the block (sample, latent) varies, whatever its number of latents.

    Principal axes with at least :data:`SPANNED` of the largest variance count: one for a line, two for a circle.
    """
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(block, rowvar=False)))
    return int((values >= SPANNED * values.max()).sum())


def saturated_share(block: Floats, clip: float | None) -> float:
    """Return the share of the outputs of the block (sample, latent) that lie at the clip; 0 without one."""
    return 0.0 if clip is None else float(np.mean(np.abs(block) >= clip))
