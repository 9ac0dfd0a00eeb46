"""The window of activity that the encoder sees, in few enough dimensions for neighbours to mean something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.sampling.windows import window_offsets

Floats = NDArray[np.float64]
COMPONENTS = 20  # leading principal components, of a bin and of a window
MOST_VALUES = 2**25  # of the activity that the components of a bin are found in, evenly spaced


def window_features(
    inputs: NDArray[np.number], bins: NDArray[np.int64], window: int, train: NDArray[np.int64], fitted: int
) -> Floats:
    """Return the leading principal components (sample, component) of the windows around ``bins``.

    Args:
        inputs: (time, unit), as the encoder sees it.
        bins: (sample,) whose windows fit.
        window: number of bins.
        train: bins that the components of a bin are those of.
        fitted: how many of the first samples those of a window are those of.
    """
    axes = _axes(inputs[train[:: max(1, len(train) * inputs.shape[1] // MOST_VALUES)]])
    stacked = np.hstack([inputs[bins + offset] @ axes for offset in window_offsets(window)])
    return stacked if window == 1 else stacked @ _axes(stacked[:fitted])


def _axes(values: NDArray[np.number]) -> Floats:
    """The leading principal axes of ``values`` (sample, feature): (feature, component)."""
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False)))
    return axes[:, ::-1][:, :COMPONENTS]
