"""Linear regression with an intercept, by least squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq

Floats = NDArray[np.float64]


def linear_prediction(features: Floats, values: Floats, train: NDArray, test: NDArray) -> Floats:
    """Return what a regression fitted to samples ``train`` says of ``values`` (sample, axis) on samples ``test``.

    Args:
        features: (sample, feature).
        values: (sample, axis).
        train: sample numbers.
        test: sample numbers.
    """
    features, values = features.astype(np.float64), values.astype(np.float64)
    centre, mean = features[train].mean(axis=0), values[train].mean(axis=0)
    slopes = lstsq(features[train] - centre, values[train] - mean)[0]
    predicted: Floats = (features[test] - centre) @ slopes + mean
    return predicted
