"""Choose the bins at which maps are computed, and estimate how far their mean is from that over all bins.

A map is a mean over bins. Neighbouring bins have nearly the same map, so one bin of every short stretch of time tells
almost as much as all of them (Cochran 1977, "Sampling techniques", chapters 5 and 8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Attribution

AUTO = 4000  # bins; a map of these is within about 0.5 % of that of all bins (docs/benchmarks.md)
Integers = NDArray[np.int64]


def map_bins(bins: Integers, settings: Attribution, generator: np.random.Generator) -> Integers:
    """Return the bins at which maps are computed, ascending.

    Args:
        bins: usable bins (bin,), ascending.
        settings: ``bins`` says how many; maps of every bin need all of them.
        generator: source of the draws.
    """
    if settings.bins == "all" or settings.time_resolved:
        return bins
    return one_of_each_stretch(bins, AUTO if settings.bins == "auto" else settings.bins, generator)


def one_of_each_stretch(bins: Integers, count: int, generator: np.random.Generator) -> Integers:
    """Return a random bin of each of ``count`` stretches of equally many bins; all of them if there are no more.

    >>> one_of_each_stretch(np.arange(10), 5, np.random.default_rng(0)) // 2
    array([0, 1, 2, 3, 4])
    """
    if len(bins) <= count:
        return bins
    borders = np.linspace(0, len(bins), count + 1).round().astype(np.int64)
    return bins[borders[:-1] + np.floor(generator.random(count) * np.diff(borders)).astype(np.int64)]


class SamplingError:
    """The standard error of maps that are a root mean square over sampled bins.

    Two bins of neighbouring stretches differ by the draw and by little else, so half the square of their difference
    estimates the variance within a stretch. The estimate is too large if maps change from stretch to stretch.

    Args:
        sampled: number of bins of the sample.
        usable: number of bins of which the sample was drawn.
    """

    def __init__(self, sampled: int, usable: int) -> None:
        self._left_out, self._count = 1 - sampled / usable, 0
        self._squares: NDArray[np.float64] | float = 0.0
        self._differences: NDArray[np.float64] | float = 0.0

    def add(self, maps: NDArray[np.float32]) -> None:
        """Add the maps (label, bin, unit) of further bins."""
        squares = np.square(maps.astype(np.float64))
        pairs = squares[:, : squares.shape[1] // 2 * 2]
        self._count += squares.shape[1]
        self._squares = self._squares + squares.sum(axis=1)
        self._differences = self._differences + np.square(pairs[:, ::2] - pairs[:, 1::2]).sum(axis=1)

    def relative(self, labels: int) -> NDArray[np.float64]:
        """Return the standard error of each label's map over the length of the map, shape (label,).

        It is 0 for maps of all bins, and NaN if no maps were added, as of a method that has none of single bins.
        """
        if self._left_out == 0 or self._count == 0:
            return np.full(labels, np.nan if self._left_out else 0.0)
        mean = np.asarray(self._squares) / self._count
        # A map is the root of the mean, whose error is that of the mean over twice the map.
        variance = np.asarray(self._differences) / self._count**2 * self._left_out
        errors = np.divide(variance, 4 * mean, out=np.zeros_like(mean), where=mean > 0)
        return np.sqrt(np.nansum(errors, axis=1) / np.nansum(mean, axis=1))
