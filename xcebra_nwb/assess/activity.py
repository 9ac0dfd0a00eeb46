"""The activity beside the latents: the variance that units share, and the activity in few dimensions.

The theory takes the encoder to be the inverse of the generator up to a linear map. So the latents must hold everything
that moves the units together. Whatever they leave out is shared by units of every label, and bends all maps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.decoding import nearest
from xcebra_nwb.xcebra.sampling.windows import window_offsets

Floats = NDArray[np.float64]
NEIGHBOURS = 25
SHIFTS = 10  # sets of independently shifted units
MOST_BINS = 4000  # held-out bins that are used, evenly spaced
MOST_TRAIN = 100_000  # training bins that are used, evenly spaced
MOST_UNITS = 300  # units that are used, evenly spaced: the work grows with their cube
COMPONENTS = 20  # leading principal components, of a bin and of a window
MOST_VALUES = 2**25  # values of the activity that give the components of a bin, evenly spaced


def explained_sharing(
    latents: Floats,
    inputs: NDArray[np.number],
    bins: NDArray[np.int64],
    train: NDArray,
    test: NDArray,
    generator: np.random.Generator,
) -> float:
    """Return the share of the units' common variance that the latents explain.

    Measured on held-out bins, by nearest neighbours among training bins.

    Args:
        latents: (sample, latent).
        inputs: the encoder's input (time, unit).
        bins: time bin of every sample, (sample,).
        train: numbers of the training samples.
        test: numbers of the held-out samples.
        generator: draws the shifts of the units.

    Returns:
        The share, at most 1; NaN when the units have nothing in common.
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
    unexplained = shared_variance(activity - predicted, generator)
    return 1 - unexplained / whole if whole > 0 else float("nan")


def shared_variance(activity: Floats, generator: np.random.Generator) -> float:
    """Return the variance of ``activity`` (sample, unit) that units have in common.

    Parallel analysis (Horn 1965, Psychometrika 30:179-185): leading eigenvalues of the covariance count as far as they
    exceed those of units shifted in a circle against each other. The shift keeps every unit's course in time.
    """
    eigenvalues = _eigenvalues(activity)
    shifted = np.array([_eigenvalues(_shifted_apart(activity, generator)) for _ in range(SHIFTS)])
    leading = np.cumprod(eigenvalues > shifted.max(axis=0)).astype(bool)
    return float((eigenvalues - shifted.mean(axis=0))[leading].sum())


def _eigenvalues(activity: Floats) -> Floats:
    """The eigenvalues of the covariance, largest first."""
    return np.asarray(np.linalg.eigvalsh(np.cov(activity, rowvar=False))[::-1], dtype=float)


def _shifted_apart(activity: Floats, generator: np.random.Generator) -> Floats:
    shifts = generator.integers(len(activity), size=(activity.shape[1],))
    return np.stack([np.roll(activity[:, unit], shift) for unit, shift in enumerate(shifts)], axis=1)


def window_features(
    inputs: NDArray[np.number], bins: NDArray[np.int64], window: int, train: NDArray[np.int64], fitted: int
) -> Floats:
    """Return the leading principal components of the windows around ``bins``.

    Few dimensions are needed: among many, nearest neighbours are far and say little.

    Args:
        inputs: the encoder's input (time, unit).
        bins: time bin of every sample, (sample,); its window lies within the recording.
        window: number of bins in a window.
        train: time bins whose activity gives the components of a bin.
        fitted: the first so many samples give the components of a window.

    Returns:
        The components (sample, component).
    """
    axes = _axes(inputs[train[:: max(1, len(train) * inputs.shape[1] // MOST_VALUES)]])
    stacked = np.hstack([inputs[bins + offset] @ axes for offset in window_offsets(window)])
    return stacked if window == 1 else stacked @ _axes(stacked[:fitted])


def _axes(values: NDArray[np.number]) -> Floats:
    """The leading principal axes of ``values`` (sample, feature): (feature, component)."""
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False)))
    return axes[:, ::-1][:, :COMPONENTS]
