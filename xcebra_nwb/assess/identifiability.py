"""Identifiability of the embedding: does a label live in its own block of latents, and is that block what it seems?

The theory (docs/background/method.md, "Regulariser") gives a label's map its zeros only if no other latent carries the
label, if the data vary along the block's directions, and if no output is clipped flat.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

from xcebra_nwb.xcebra.decoding import decoding_score, explained

Floats = NDArray[np.float64]
SPANNED = 0.05  # of the largest variance, as attribution.rank_tolerance is of the largest eigenvalue
NO_OTHERS = "the block is the whole embedding: there are no other latents"


def leak(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how well the block of a label follows from the other latents.

    The other latents of a block that is nested in a larger one include the rest of the larger one. The zeros of a
    label's map mean something only as far as this number is low (docs/background/method.md).

    Args:
        latents: (sample, latent).
        first: first latent of the block.
        last: latent after the block.
        train: numbers of the training samples.
        test: numbers of the held-out samples.

    Returns:
        Held-out R2 of a nearest-neighbour regression; NaN when there are no other latents.
    """
    others = others_of(latents, first, last)
    if not others.shape[1]:
        return float("nan")
    return decoding_score(others, latents[:, first:last], train, test, "continuous")


def linear_leak(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how well the block of a label follows linearly from the other latents.

    Among many latents neighbours are far, so that :func:`leak` misses a linear copy.

    Args:
        latents: (sample, latent).
        first: first latent of the block.
        last: latent after the block.
        train: numbers of the training samples.
        test: numbers of the held-out samples.

    Returns:
        Held-out R2 of a linear regression; NaN when there are no other latents.

    >>> block = np.random.default_rng(0).normal(size=(100, 1))
    >>> round(linear_leak(np.hstack([block, 3 * block]), 0, 1, np.arange(50), np.arange(50, 100)), 3)
    1.0
    """
    others, block = others_of(latents, first, last), latents[:, first:last]
    if not others.shape[1] or len(test) < 2:
        return float("nan")
    return explained(block[test], linear_prediction(others, block, train, test))


def mixing(latents: Floats, first: int, last: int, train: NDArray, test: NDArray) -> float:
    """Return how much of the other latents' free variation the block explains.

    With block = D z and others = A w + B z, for a label z and all else w, the label's column of the pseudo-inverse of
    [[D, 0], [B, A]] holds -pinv(A) B: w enters the map as far as z and w move the other latents along the *same*
    directions. A copy of the label along a direction of its own, which is a leak, does no harm. So only those
    directions count along which the others vary when the block is taken out (:data:`SPANNED`).

    Args:
        latents: (sample, latent).
        first: first latent of the block.
        last: latent after the block.
        train: numbers of the training samples.
        test: numbers of the held-out samples.

    Returns:
        Held-out R2 of a linear regression; NaN when there are no other latents.
    """
    others, block = others_of(latents, first, last), latents[:, first:last]
    if not others.shape[1] or len(test) < 2:
        return float("nan")
    residual = others[test] - linear_prediction(block, others, train, test)
    values, axes = np.linalg.eigh(np.atleast_2d(np.cov(residual, rowvar=False)))
    free = axes[:, values >= SPANNED * values.max()]
    whole = np.square((others[test] - others[test].mean(axis=0)) @ free).sum()
    return float(1 - np.square(residual @ free).sum() / whole) if whole > 0 else float("nan")


def others_of(latents: Floats, first: int, last: int) -> Floats:
    """Return the latents outside the block, (sample, other).

    Args:
        latents: (sample, latent).
        first: first latent of the block.
        last: latent after the block.

    >>> others_of(np.array([[1.0, 2.0, 3.0]]), 0, 2).tolist()
    [[3.0]]
    """
    return np.delete(latents, np.arange(first, last), axis=1)


def linear_prediction(features: Floats, values: Floats, train: NDArray, test: NDArray) -> Floats:
    """Return the prediction of ``values`` by a linear regression with an intercept.

    Args:
        features: (sample, feature).
        values: (sample, axis).
        train: numbers of the samples that the regression is fitted to.
        test: numbers of the samples that it is evaluated on.

    Returns:
        The prediction (test sample, axis).

    >>> line = np.arange(4.0)[:, None]
    >>> linear_prediction(line, 2 * line + 1, np.array([0, 1]), np.array([2, 3])).round(6).tolist()
    [[5.0], [7.0]]
    """
    features, values = features.astype(np.float64), values.astype(np.float64)
    centre, mean = features[train].mean(axis=0), values[train].mean(axis=0)
    slopes = lstsq(features[train] - centre, values[train] - mean)[0]
    predicted: Floats = (features[test] - centre) @ slopes + mean
    return predicted


def spanned_directions(block: Floats) -> int:
    """Return the number of directions along which the block (sample, latent) varies.

    Principal axes with at least :data:`SPANNED` of the largest variance count: one for a line, two for a circle.

    >>> spanned_directions(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]))
    1
    """
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(block, rowvar=False)))
    return int((values >= SPANNED * values.max()).sum())


def saturated_share(block: Floats, clip: float | None) -> float:
    """Return the share of the block's outputs that lie at the clip.

    Args:
        block: (sample, latent).
        clip: the largest absolute value of an output; None for an encoder without a clip, whose share is 0.

    >>> saturated_share(np.array([[-2.0, 0.5], [1.0, 2.0]]), clip=2.0)
    0.5
    """
    return 0.0 if clip is None else float(np.mean(np.abs(block) >= clip))
