"""How often a label was where it was: values seen once cannot be told from the time at which they were seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
WINDOWS = 5.0  # correlation times after which the correlation is taken to be noise (Sokal 1997)
NEAR = 0.25  # standard deviations within which a value counts as seen


def independent_samples(targets: Floats) -> float:
    """Return how many independent samples ``targets`` (sample, axis) are worth: their number over the correlation time.

    The integrated autocorrelation time with Sokal's window (1997, Functional Integration, NATO ASI B361:131-192).
    """
    centred = targets - targets.mean(axis=0)
    count = len(centred)
    spectrum = rfft(centred, 2 * count, axis=0)
    correlation = irfft(np.square(np.abs(spectrum)), axis=0)[:count].sum(axis=1)
    if not correlation[0] > 0:
        return 1.0
    time = 2 * np.cumsum(correlation / correlation[0]) - 1
    settled = np.arange(count) >= WINDOWS * time
    return float(count / max(time[np.argmax(settled)] if settled.any() else count, 1.0))


def fewest_visits(codes: NDArray[np.int64]) -> int:
    """Return how often the class visited least in ``codes`` (sample,) was entered; only another class ends a visit."""
    entered = np.r_[True, codes[1:] != codes[:-1]]
    return int(np.unique(codes[entered], return_counts=True)[1].min())


def covered_share(targets: Floats, train: NDArray, test: NDArray) -> float:
    """Return the share of held-out samples whose ``targets`` (sample, axis; unit variance) training saw the like of."""
    if not len(train) or not len(test):
        return float("nan")
    distance, _ = cKDTree(targets[train]).query(targets[test])
    return float(np.mean(distance <= NEAR))
