"""Are there as many latents as the activity holds? What units share that the latents do not explain.

The theory takes the encoder to be the inverse of the generator up to a linear map, so the latents must hold everything
that moves the units together. What they leave out is shared by units of every label, and bends all maps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.decoding import nearest

Floats = NDArray[np.float64]
NEIGHBOURS = 25
SHIFTS = 10  # sets of independently shifted units
MOST_BINS = 4000  # held-out bins looked at, evenly spaced
MOST_TRAIN = 100_000  # bins learnt from, evenly spaced
MOST_UNITS = 300  # looked at, evenly spaced: the work grows with their cube


def explained_sharing(
    latents: Floats,
    inputs: NDArray[np.number],
    bins: NDArray[np.int64],
    train: NDArray,
    test: NDArray,
    generator: np.random.Generator,
) -> float:
    """Return the share of what the units have in common that follows from the latents, on held-out bins; at most 1.

    NaN when the units have nothing in common to begin with.

    Args:
        latents: (sample, latent).
        inputs: (time, unit), as the encoder sees it.
        bins: (sample,) those of the samples.
        train: sample numbers to learn from.
        test: held-out sample numbers.
        generator: of the shifts.
    """
    if len(train) < NEIGHBOURS or len(test) < 2 or inputs.shape[1] < 2:
        return float("nan")
    test = test[:: max(1, len(test) // MOST_BINS)]
    train = train[:: max(1, len(train) // MOST_TRAIN)]
    units = slice(None, None, max(1, math.ceil(inputs.shape[1] / MOST_UNITS)))
    activity = inputs[bins[test], units].astype(np.float64)
    scale = latents[train].std(axis=0)
    scaled = latents / np.where(scale > 0, scale, 1.0)
    near = nearest(scaled, train, test, NEIGHBOURS)
    known = inputs[bins[train], units].astype(np.promote_types(inputs.dtype, np.float32), copy=False)
    predicted = known[np.searchsorted(train, near)].mean(axis=1)
    whole = shared_variance(activity, generator)
    left = shared_variance(activity - predicted, generator)
    return 1 - left / whole if whole > 0 else float("nan")


def shared_variance(activity: Floats, generator: np.random.Generator) -> float:
    """Return the variance along directions of ``activity`` (sample, unit) that units vary along together.

    Parallel analysis (Horn 1965, Psychometrika 30:179-185): leading eigenvalues of the covariance count as far as they
    exceed those of units shifted in a circle against each other, which keeps every unit's own course in time.
    """
    eigenvalues = _eigenvalues(activity)
    shifted = np.array([_eigenvalues(_apart(activity, generator)) for _ in range(SHIFTS)])
    leading = np.cumprod(eigenvalues > shifted.max(axis=0)).astype(bool)
    return float((eigenvalues - shifted.mean(axis=0))[leading].sum())


def _eigenvalues(activity: Floats) -> Floats:
    """Of the covariance, largest first."""
    return np.asarray(np.linalg.eigvalsh(np.cov(activity, rowvar=False))[::-1], dtype=float)


def _apart(activity: Floats, generator: np.random.Generator) -> Floats:
    shifts = generator.integers(len(activity), size=(activity.shape[1],))
    return np.stack([np.roll(activity[:, unit], shift) for unit, shift in enumerate(shifts)], axis=1)
