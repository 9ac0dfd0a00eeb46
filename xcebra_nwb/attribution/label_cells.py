"""Divide the space of a label into cells of equal occupancy, and sum activity within them.

A rate as a function of a label is estimated from sums within cells. Cells are smoothed into each other by a Gaussian
of their distance, at several widths. The classes of a discrete label are its cells, and are not smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cells:
    """The cell of every sample (sample,), and the smoothers of the cells, (cell, cell) each."""

    of_sample: Integers
    count: int
    smoothers: tuple[Floats, ...]

    def ordered(self, order: Integers | None) -> Integers:
        """Return the cell of every sample when the label is read in another order, (sample,)."""
        return self.of_sample if order is None else self.of_sample[order]


def label_cells(features: Floats, discrete: bool, splits: int, widths: Sequence[float]) -> Cells:
    """Return the cells of a label, or of several labels together.

    Args:
        features: label features of every sample, shape (sample, feature), of similar size.
        discrete: whether every distinct row is a cell.
        splits: times that the space is halved; there are at most ``2 ** splits`` cells.
        widths: standard deviations of the smoothers, in typical distances between neighbouring cells.

    >>> cells = label_cells(np.linspace(0, 1, 8)[:, None], False, 2, (1.0,))
    >>> cells.of_sample.tolist(), cells.smoothers[0][0].round(2).tolist()
    ([0, 0, 1, 1, 2, 2, 3, 3], [1.0, 0.61, 0.14, 0.01])
    """
    if discrete:
        numbers = np.unique(features, axis=0, return_inverse=True)[1].reshape(-1)
        count = int(numbers.max()) + 1
        return Cells(numbers, count, (np.eye(count),))
    numbers = _halved(features, splits)
    size = np.bincount(numbers)
    centres = np.stack([np.bincount(numbers, column) for column in features.T], axis=1) / size[:, None]
    square = np.square(centres[:, None] - centres).sum(axis=-1)
    spacing = np.median(np.sort(square, axis=1)[:, 1]) if len(size) > 1 else 1.0
    return Cells(numbers, len(size), tuple(np.exp(-square / (2 * width**2 * spacing)) for width in widths))


def _halved(features: Floats, splits: int) -> Integers:
    """Return the cell of every sample (sample,): the space is halved at the median of its widest axis, repeatedly."""
    cell = np.zeros(len(features), dtype=np.int64)
    for _ in range(splits):
        halves = 2 * cell
        order = np.argsort(cell, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1):
            values = features[members]
            widest = values[:, np.ptp(values, axis=0).argmax()]
            halves[members] += widest > np.median(widest)
        cell = halves
    numbers: Integers = np.unique(cell, return_inverse=True)[1].reshape(-1)
    return numbers


def cell_sums(
    cell: Integers, count: int, part: Integers, parts: int, columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the sums of columns within every part of the recording and every cell.

    Args:
        cell: cell of every sample, shape (sample,), or in several orders, (sample, order).
        count: number of cells.
        part: part of every sample, shape (sample,); samples of part -1 are left out.
        parts: number of parts.
        columns: values to sum, shape (sample, column).

    Returns:
        Sums, shape (part, cell, column) or (part, cell, order, column).

    >>> cell_sums(np.array([0, 1, 1]), 2, np.array([0, 0, -1]), 1, np.float32([[1], [2], [4]])).tolist()
    [[[1.0], [2.0]]]
    """
    samples = len(cell)
    orders = cell.reshape(samples, -1)
    width = orders.shape[1]
    in_part = np.where(part[:, None] < 0, parts * count, part[:, None] * count + orders)
    row = (in_part * width + np.arange(width)).astype(np.int32)
    indicator = sparse.csc_matrix(
        (np.ones(row.size, dtype=columns.dtype), row.ravel(), np.arange(0, row.size + 1, width, dtype=np.int32)),
        shape=((parts * count + 1) * width, samples),
    )
    sums: NDArray[np.float32] = np.asarray(indicator @ columns)[:-width]
    return sums.reshape(parts, count, *cell.shape[1:], -1)


def smoothed(smoother: Sequence[NDArray[Any]], sums: NDArray[Any]) -> NDArray[Any]:
    """Return sums smoothed over cells, (part, cell, ..., column).

    Args:
        smoother: the smoother of the cells; two where the cells are pairs of cells, the second running faster.
        sums: sums in cells, shape (part, cell, ..., column).
    """
    parts, cells = sums.shape[:2]
    columns = sums.reshape(parts, cells, -1)
    if len(smoother) == 1:
        return np.matmul(smoother[0], columns).reshape(sums.shape)
    first, second = smoother
    by_second = np.matmul(second, columns.reshape(parts, len(first), len(second), -1))
    return np.matmul(first, by_second.reshape(parts, len(first), -1)).reshape(sums.shape)
