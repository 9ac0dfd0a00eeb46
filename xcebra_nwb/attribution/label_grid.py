"""Bins of a label for tuning curves: steps of a line or circle, squares of two axes, or classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

LINE_BINS = 30  # bins of a continuous label
CIRCLE_BINS = 36  # bins of a circular label: 10 degrees each
MAP_BINS = 20  # bins of each of two axes
MAP_SMOOTHING = 1.0  # standard deviation of the Gaussian that smooths rate maps, in bins
PEAK_SMOOTHING = 1.0  # standard deviation of the Gaussian for finding the peak of a curve, in bins
OUTER = 0.5  # percent of the values at either end that lie outside of the bins
KERNEL_REACH = 4.0  # standard deviations after which a Gaussian is cut off
Kernels = tuple[NDArray[np.float64] | None, ...]  # (bin, bin) of each axis; None: no smoothing


@dataclass(frozen=True)
class Grid:
    """The bins of a label, or of one of its axes.

    Attributes:
        centers: Centres of the bins of each axis, in the label's units; codes of classes.
        index: The bin of each sample, counted over all axes in C order, -1 outside, shape (sample,).
        kernels: Smoothing of the curve along each axis.
        peak_kernels: Smoothing along each axis for finding the curve's peak.
    """

    centers: tuple[NDArray[np.float64], ...]
    index: NDArray[np.int64]
    kernels: Kernels
    peak_kernels: Kernels

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of bins of each axis."""
        return tuple(map(len, self.centers))

    @property
    def size(self) -> int:
        """The number of bins."""
        return prod(self.shape)

    def points(self) -> NDArray[np.float64]:
        """Return the centre of every bin, shape (bin, axis)."""
        return np.stack([axis.reshape(-1) for axis in np.meshgrid(*self.centers, indexing="ij")], axis=-1)


def label_grids(values: NDArray, kind: str, classes: int = 0) -> list[Grid]:
    """Return the bins of a label.

    Two axes are binned together. Three axes or more have a grid each, because a joint grid would be mostly empty.

    Args:
        values: Label (sample, axis); rad for a circular label; codes (sample,) for a discrete one.
        kind: Continuous, circular or discrete.
        classes: Number of classes of a discrete label.

    Returns:
        One grid; for a label with three axes or more, one grid for each axis.

    >>> [grid.shape for grid in label_grids(np.zeros((5, 2)), "continuous")]
    [(20, 20)]
    >>> label_grids(np.array([0, 2, 2]), "discrete", 3)[0].index.tolist()
    [0, 2, 2]
    """
    if kind == "discrete":
        codes = values.reshape(-1).astype(np.int64)
        return [Grid((np.arange(classes, dtype=np.float64),), codes, (None,), (None,))]
    columns = values.reshape(len(values), -1).astype(np.float64)
    if kind == "circular":
        return [_circle(columns[:, 0])]
    if columns.shape[1] == 2:
        return [_square(columns)]
    return [_line(column) for column in columns.T]


def _circle(angles: NDArray[np.float64]) -> Grid:
    step = 2 * np.pi / CIRCLE_BINS
    index = np.minimum((np.mod(angles, 2 * np.pi) / step).astype(np.int64), CIRCLE_BINS - 1)  # 2 pi by rounding
    centers = step * np.arange(0.5, CIRCLE_BINS, dtype=np.float64)
    return Grid((centers,), index, (None,), (gaussian_kernel(CIRCLE_BINS, PEAK_SMOOTHING, circular=True),))


def _line(values: NDArray[np.float64]) -> Grid:
    centers, index = _steps(values, LINE_BINS)
    return Grid((centers,), index, (None,), (gaussian_kernel(LINE_BINS, PEAK_SMOOTHING),))


def _square(columns: NDArray[np.float64]) -> Grid:
    (x, along_x), (y, along_y) = (_steps(column, MAP_BINS) for column in columns.T)
    index = np.where((along_x >= 0) & (along_y >= 0), along_x * MAP_BINS + along_y, -1)
    kernels = (gaussian_kernel(MAP_BINS, MAP_SMOOTHING),) * 2
    return Grid((x, y), index, kernels, kernels)


def _steps(values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the centres of equal bins without the outermost values, and the bin of each value (-1 outside)."""
    low, high = (float(end) for end in np.percentile(values, [OUTER, 100 - OUTER])) if len(values) else (0.0, 0.0)
    if not high > low:
        low, high = low - 0.5, low + 0.5
    step = (high - low) / count
    index = np.minimum(np.floor((values - low) / step), count - 1).astype(np.int64)  # the upper edge is inside
    index[(values < low) | (values > high)] = -1
    return low + step * np.arange(0.5, count, dtype=np.float64), index


def gaussian_kernel(bins: int, sigma: float, circular: bool = False) -> NDArray[np.float64]:
    """Return the weights of a Gaussian around each bin.

    At the ends of a line the weights are cut off. A curve is a ratio of two arrays that are smoothed alike, so the
    weights that are missing there cancel.

    Args:
        bins: Number of bins.
        sigma: Standard deviation in bins.
        circular: Whether the last bin borders on the first.

    Returns:
        Weights, shape (bin, bin).

    >>> gaussian_kernel(3, 0.5).round(3).tolist()
    [[0.798, 0.108, 0.0], [0.108, 0.798, 0.108], [0.0, 0.108, 0.798]]
    """
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins))).astype(np.float64)
    if circular:
        distance = np.minimum(distance, bins - distance)
    weights = np.exp(-(distance**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    return np.where(distance <= KERNEL_REACH * sigma, weights, 0.0)


def smooth(values: NDArray[np.float64], shape: tuple[int, ...], kernels: Kernels) -> NDArray[np.float64]:
    """Return values that are smoothed along the axes of a grid.

    Args:
        values: Values of every bin, shape (bin, ...).
        shape: Number of bins of each axis.
        kernels: Weights of each axis.

    >>> smooth(np.array([0.0, 1.0, 0.0]), (3,), (gaussian_kernel(3, 0.5),)).round(3).tolist()
    [0.108, 0.798, 0.108]
    """
    folded = values.reshape(*shape, *values.shape[1:])
    for axis, kernel in enumerate(kernels):
        if kernel is not None:
            folded = np.moveaxis(np.tensordot(kernel, folded, axes=(1, axis)), 0, axis)
    return folded.reshape(values.shape)


def squared(kernels: Kernels) -> Kernels:
    """Return the squared weights, which the variance of a smoothed sum has."""
    return tuple(None if kernel is None else kernel**2 for kernel in kernels)
