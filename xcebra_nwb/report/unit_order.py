"""The order of units in figures of all units: by region, and in a region by what they carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

MOST_CLUSTERED = 4000  # units of a region that are compared with each other; memory grows with their square
Values = NDArray[np.float64]


def by_similarity(regions: Sequence[str], strengths: Values, order: Sequence[int]) -> list[int]:
    """Return units region by region, and in a region similar ones beside each other.

    Similar are units with a similar course of strengths over labels (average linkage of the cosine distance); units
    without any come last. Regions without a name come last.

    Args:
        regions: of the units.
        strengths: of each label in each unit, from 0 to 1, (label, unit); NaN where not known.
        order: the units, foremost first; it decides between equals.

    >>> by_similarity(["b", "a", "a", "a"], np.array([[1, 1, 0, 0.9], [0, 0, 1, 0]]), [0, 1, 2, 3])
    [2, 1, 3, 0]
    """
    shown = np.clip(np.nan_to_num(strengths), 0, 1).T  # (unit, label)
    names = sorted(set(regions), key=lambda name: (name == "", name))
    placed: list[int] = []
    for name in names:
        units = np.array([unit for unit in order if regions[unit] == name], dtype=np.int64)
        placed += _clustered(units, shown[units])
    return placed


def _clustered(units: NDArray[np.int64], shown: Values) -> list[int]:
    silent = ~(shown > 0).any(axis=1)
    active, values = units[~silent], shown[~silent]
    if 2 < len(active) <= MOST_CLUSTERED:
        length = np.linalg.norm(values, axis=1, keepdims=True)
        leaves = leaves_list(linkage(values / length, method="average"))
        active = active[_foremost_first(leaves)]
    elif len(active) > MOST_CLUSTERED:
        foremost = values.argmax(axis=1)
        active = active[np.lexsort((-values.max(axis=1), foremost))]
    return [*active.tolist(), *units[silent].tolist()]


def _foremost_first(leaves: NDArray[np.int32]) -> NDArray[np.int32]:
    """A tree has no direction: the half with the foremost units comes first."""
    half = len(leaves) // 2
    return leaves if leaves[:half].mean() <= leaves[-half:].mean() else leaves[::-1]
