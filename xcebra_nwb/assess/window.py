"""The window of activity that the encoder sees, in few enough dimensions for neighbours to mean something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.windows import window_offsets

Floats = NDArray[np.float64]
COMPONENTS = 20  # leading principal components, of a bin and of a window


def window_features(inputs: Floats, bins: NDArray[np.int64], window: int, train: NDArray) -> Floats:
    """Return the leading principal components (sample, component) of the windows around ``bins``.

    Args:
        inputs: (time, unit), as the encoder sees it.
        bins: (sample,) whose windows fit.
        window: number of bins.
        train: sample numbers that the components are those of.
    """
    reduced = inputs @ _axes(inputs[bins[train]])
    if window == 1:
        return reduced[bins]
    stacked = np.hstack([reduced[bins + offset] for offset in window_offsets(window)])
    return stacked @ _axes(stacked[train])


def _axes(values: Floats) -> Floats:
    """The leading principal axes of ``values`` (sample, feature): (feature, component)."""
    _, axes = np.linalg.eigh(np.atleast_2d(np.cov(values, rowvar=False)))
    return axes[:, ::-1][:, :COMPONENTS]
