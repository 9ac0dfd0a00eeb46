"""Compare the tested map of a label with the map of another method, and maps with each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def partner(methods: Sequence[str]) -> int | None:
    """Return the index of the method that the first method is compared with.

    It is the neuron gradient if that was computed, else the second method; None if there is only one method.

    >>> partner(["inverted_neuron_gradient", "feature_ablation", "neuron_gradient"])
    2
    """
    if len(methods) < 2:
        return None
    others = list(methods[1:])
    return 1 + (others.index("neuron_gradient") if "neuron_gradient" in others else 0)


def known_nulls(maps: Floats) -> Floats:
    """Return the rows of ``maps`` (null, unit) that are not padding.

    >>> known_nulls(np.array([[1.0, 2.0], [np.nan, np.nan]])).tolist()
    [[1.0, 2.0]]
    """
    return maps[np.isfinite(maps).any(axis=1)]


def map_agreement(maps: Floats) -> float:
    """Return the mean Spearman correlation over units of all pairs of maps.

    Args:
        maps: maps to compare, shape (map, unit).

    Returns:
        The mean correlation; NaN for fewer than two maps or three units.

    >>> round(map_agreement(np.array([[1.0, 2.0, 3.0], [1.0, 2.5, 9.0]])), 6)
    1.0
    """
    from scipy.stats import spearmanr  # imported late: it takes a second, and pages do without

    maps = maps[:, np.isfinite(maps).all(axis=0)]
    if len(maps) < 2 or maps.shape[1] < 3 or (np.ptp(maps, axis=1) == 0).any():
        return float("nan")
    return float(np.mean([spearmanr(a, b).statistic for a, b in combinations(maps, 2)]))
