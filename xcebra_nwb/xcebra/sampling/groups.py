"""Samples by group, so that many groups can be drawn from at once; array types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Samples by group.

    Attributes:
        group: Group number of each sample, shape (sample,).
        order: Sample numbers, group after group, shape (sample,).
        start: Position in ``order`` of each group's first sample, shape (group,).
        size: Number of samples of each group, shape (group,).
    """

    group: Integers
    order: Integers
    start: Integers
    size: Integers

    @classmethod
    def of(cls, group: Integers) -> Groups:
        """Return the groups of samples with the group numbers ``group`` (0, 1, ...).

        >>> groups = Groups.of(np.array([1, 0, 1]))
        >>> groups.order.tolist(), groups.start.tolist(), groups.size.tolist()
        ([1, 0, 2], [0, 1], [1, 2])
        """
        size = np.bincount(group)
        return cls(group, np.argsort(group, kind="stable"), np.r_[0, np.cumsum(size)[:-1]], size)

    def member(self, group: Integers, generator: np.random.Generator) -> Integers:
        """Return a random sample of each of the groups ``group``, in the same shape."""
        chosen = (generator.random(group.shape) * self.size[group]).astype(np.int64)
        return self.order[self.start[group] + chosen]


def distinct_rows(rows: NDArray) -> tuple[NDArray, Integers]:
    """Return the distinct rows of an array, and which of them each row is.

    The result is that of ``np.unique`` along axis 0, which sorts records and takes five times as long.

    Args:
        rows: Array, shape (row, column).

    Returns:
        The distinct rows in order of their columns, and the number of each row among them, shape (row,).

    >>> distinct, number = distinct_rows(np.array([[2, 1], [0, 5], [2, 1]]))
    >>> distinct.tolist(), number.tolist()
    ([[0, 5], [2, 1]], [1, 0, 1])
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    begins = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    number = np.empty(len(rows), dtype=np.int64)
    number[order] = np.cumsum(begins) - 1
    return ordered[begins], number
