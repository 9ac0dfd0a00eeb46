"""Samples by group, so that a member of any group can be drawn at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Samples by group: ``order`` lists them group after group."""

    group: Integers  # (sample,)
    order: Integers  # (sample,)
    start: Integers  # (group,)
    size: Integers  # (group,)

    @classmethod
    def of(cls, group: Integers) -> Groups:
        """Return the groups of samples whose group numbers are ``group`` (0, 1, ...)."""
        size = np.bincount(group)
        return cls(group, np.argsort(group, kind="stable"), np.r_[0, np.cumsum(size)[:-1]], size)

    def member(self, group: Integers, generator: np.random.Generator) -> Integers:
        """Return a random sample of each of ``group``."""
        chosen = (generator.random(group.shape) * self.size[group]).astype(np.int64)
        return self.order[self.start[group] + chosen]


def distinct_rows(rows: NDArray) -> tuple[NDArray, Integers]:
    """Return the distinct ``rows`` (row, column) in order of their columns, and the number of each row's own (row,).

    It is what ``np.unique`` returns along an axis, which sorts records and takes five times as long.
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    begins = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(begins) - 1
    return ordered[begins], number
