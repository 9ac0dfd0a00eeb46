"""Aliasing: values of a label that are far apart but look the same to the encoder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.decoding import nearest

Floats = NDArray[np.float64]
NEIGHBOURS = 20
FEWEST = 4  # neighbours in the smaller of the two groups
MOST_BINS = 1000  # held-out bins looked at, evenly spaced
APART = 5.0  # distance of the groups over their width; 3.5 for values spread evenly, 2.7 for a Gaussian
TIGHT = 0.3  # width of the groups over that of groups of random bins
FAR = 1.0  # distance of the groups over the label's standard deviation


def aliased_share(features: Floats, targets: Floats, train: NDArray, test: NDArray) -> float:
    """Return the share of held-out bins at which two far values look the same.

    Noise spreads the labels of similar bins round one value. Only where the activity is the same at two values do the
    labels of the nearest training bins fall into two tight groups far apart.

    Args:
        features: latents or activity (sample, feature), in which neighbours are looked for.
        targets: the label at unit variance (sample, axis), an angle as cosine and sine.
        train: numbers of the training samples.
        test: numbers of the held-out samples.

    Returns:
        The share; NaN with too few training samples.
    """
    if len(train) < 2 * NEIGHBOURS or not len(test):
        return float("nan")
    test = test[:: max(1, len(test) // MOST_BINS)]
    near = nearest(features, train, test, NEIGHBOURS)
    anywhere = train[np.linspace(0, len(train) - 1, NEIGHBOURS).astype(int)]
    (usual,), _ = two_groups(targets[anywhere][None])
    width, distance = two_groups(targets[near])
    deviation = np.sqrt(targets[train].var(axis=0).sum())
    return float(np.mean((distance > APART * width) & (width < TIGHT * usual) & (distance > FAR * deviation)))


def two_groups(values: Floats) -> tuple[Floats, Floats]:
    """Return the width and the distance of the two groups that values fall into.

    Values are divided along their main axis, where the variance within the groups is least.

    Args:
        values: (bin, neighbour, axis).

    Returns:
        Standard deviation within the groups, and distance between their means, (bin,) each.

    >>> low, high = np.linspace(-0.1, 0.1, 10), np.linspace(2.9, 3.1, 10)
    >>> width, distance = two_groups(np.r_[low, high][None, :, None])
    >>> width.round(3).tolist(), distance.round(3).tolist()
    ([0.064], [3.0])
    """
    centred = values - values.mean(axis=1, keepdims=True)
    main = np.linalg.svd(centred, full_matrices=False)[2][:, 0]  # (bin, axis)
    ordered = np.sort(np.einsum("bka,ba->bk", centred, main), axis=1)
    count = ordered.shape[1]
    sizes = np.arange(FEWEST, count - FEWEST + 1)
    below = np.cumsum(ordered, axis=1)[:, sizes - 1]  # (bin, size); the sum of all is 0
    distance = -below / (count - sizes) - below / sizes
    between = sizes * (count - sizes) / count**2 * distance**2
    best = between.argmax(axis=1)[:, None]
    within = ordered.var(axis=1) - np.take_along_axis(between, best, axis=1)[:, 0]
    return np.sqrt(np.maximum(within, 0.0)), np.take_along_axis(distance, best, axis=1)[:, 0]
