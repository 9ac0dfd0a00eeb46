"""The bin grid: equal bins, half open, on which activity and labels are brought together. Times in s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.times import outliers

DEFAULT_WIDTH = 0.05  # s
MOST_BINS = 50_000_000
VALUES = 2**22  # of a part of the grid: bins x columns
TOLERANCE = 1e-6  # of a bin: rounding must not lose the first or the last one

Range = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """``count`` bins of ``width`` s: bin i is [start + (first + i) width, start + (first + i + 1) width)."""

    start: float
    width: float
    count: int
    first: int = 0

    @property
    def edges(self) -> np.ndarray:
        """The borders of the bins, (count + 1,)."""
        return self.start + (self.first + np.arange(self.count + 1)) * self.width

    @property
    def centres(self) -> np.ndarray:
        """The middle of every bin, (count,)."""
        return self.start + (self.first + np.arange(self.count) + 0.5) * self.width

    def part(self, bins: slice) -> Grid:
        """Return the grid of some of the ``bins``, whose edges are the same to the bit."""
        return replace(self, count=bins.stop - bins.start, first=self.first + bins.start)

    def parts(self, columns: int) -> Iterator[slice]:
        """Yield the bins in stretches in which so many ``columns`` take little memory."""
        size = max(1, VALUES // max(columns, 1))
        for start in range(0, self.count, size):
            yield slice(start, min(start + size, self.count))

    def whole(self, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, per interval, the first bin that lies wholly inside it and the one after the last (may be equal)."""
        first = np.ceil((intervals[:, 0] - self.start) / self.width - TOLERANCE) - self.first
        last = np.floor((intervals[:, 1] - self.start) / self.width + TOLERANCE) - self.first
        first = np.clip(first, 0, self.count).astype(np.int64)
        return first, np.maximum(np.clip(last, 0, self.count).astype(np.int64), first)

    def touched(self, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, per interval, the first bin that overlaps it and the one after the last."""
        first = np.floor((intervals[:, 0] - self.start) / self.width + TOLERANCE) - self.first
        last = np.ceil((intervals[:, 1] - self.start) / self.width - TOLERANCE) - self.first
        first = np.clip(first, 0, self.count).astype(np.int64)
        return first, np.maximum(np.clip(last, 0, self.count).astype(np.int64), first)

    def tally(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return how many of the runs ``first`` to ``last`` (exclusive) hold each bin, (count,)."""
        change = np.zeros(self.count + 1, dtype=np.int64)
        np.add.at(change, first, 1)
        np.add.at(change, last, -1)
        return np.cumsum(change[:-1])

    def bins(self, times: np.ndarray) -> np.ndarray:
        """Return the bin of every one of sorted ``times`` that lies on the grid, (time,)."""
        end = self.first + self.count
        ends = [self.start + self.first * self.width, self.start + end * self.width]
        first, last = np.searchsorted(times, ends, side="left")
        times = times[first:last]
        bins = np.minimum((times - self.start) / self.width, end - 1).astype(np.int64)
        bins -= times < self.start + bins * self.width  # division may round over an edge
        bins += times >= self.start + (bins + 1) * self.width
        return bins - self.first

    def count_events(self, times: np.ndarray) -> np.ndarray:
        """Return the number of sorted ``times`` in every bin, (count,), in the smallest unsigned type that holds it."""
        bins, members = self._runs(times)
        counts = np.zeros(self.count, dtype=np.min_scalar_type(members.max(initial=0)))
        counts[bins] = members
        return counts

    def most_events(self, times: np.ndarray) -> int:
        """Return the largest number of sorted ``times`` in a bin."""
        return int(self._runs(times)[1].max(initial=0))

    def _runs(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The bins that hold some of sorted ``times``, and how many each."""
        bins = self.bins(times)
        first = np.flatnonzero(np.diff(bins, prepend=-1))  # of every run of times in one bin
        return bins[first], np.diff(first, append=len(bins))


def bin_width(configured: float | str, periods: Sequence[float | None]) -> float:
    """Return the bin width: as configured, or 0.05 s, or the sample period of neural data sampled more slowly.

    Raises:
        UsageError: the configured width is below the sample period of the neural data.
    """
    slowest = max((period for period in periods if period is not None), default=0.0)
    if isinstance(configured, str):
        return max(DEFAULT_WIDTH, slowest)
    if configured < 0.99 * slowest:
        raise UsageError(
            f"time.bin_width: {configured:g} s is shorter than the sample period of the neural data, {slowest:g} s",
            f"give {slowest:g} or more, or auto",
        )
    return configured


def common_range(neural: Sequence[Range], labels: Sequence[Range], within: np.ndarray | None) -> Range:
    """Return the stretch that neural data, labels and ``time.within`` share.

    Raises:
        Refusal: there is none.
    """
    neural_range = min(start for start, _ in neural), max(stop for _, stop in neural)
    label_range = min(start for start, _ in labels), max(stop for _, stop in labels)
    start, stop = max(neural_range[0], label_range[0]), min(neural_range[1], label_range[1])
    if within is not None:
        start, stop = max(start, float(within[0, 0])), min(stop, float(within[-1, 1]))
    if stop <= start:
        allowed = "" if within is None else f", time.within {_said((float(within[0, 0]), float(within[-1, 1])))}"
        raise Refusal(
            Code.NO_COMMON_TIME,
            f"no common time: neural data {_said(neural_range)}, labels {_said(label_range)}{allowed}",
            "check their units and clocks with `xcebra-nwb inspect`, and time.within",
        )
    return start, stop


def make_grid(stretch: Range, width: float, first_sample: np.ndarray | None, period: float | None) -> Grid:
    """Return the grid over ``stretch``; with sampled neural data its bins are centred on the samples.

    Args:
        stretch: start and stop, s.
        width: of a bin, s.
        first_sample: times of the neural samples, None for spikes.
        period: their sample period, s.

    Raises:
        Refusal: no bin or an absurd number of bins fits.
    """
    start, stop = stretch
    if first_sample is not None and period is not None:
        inside = first_sample[first_sample - period / 2 >= start - TOLERANCE * width]
        start = float(inside[0]) - period / 2 if len(inside) else start
    count = int(np.floor((stop - start) / width + TOLERANCE))
    if count < 1:
        raise Refusal(
            Code.TOO_SHORT,
            f"no bin of {width:g} s fits into {_said(stretch)}",
            "lower time.bin_width or widen time.within",
        )
    if count > MOST_BINS:
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{count:.3g} bins of {width:g} s between {_said(stretch)}: some times must be wrong",
            "name the times to use in time.within: [start, stop]",
        )
    return Grid(start, width, count)


def check_outliers(name: str, times: np.ndarray, stretch: Range) -> None:
    """Raise :class:`Refusal` naming the absurd times of a source, if the stretch to bin reaches to one of them."""
    far = outliers(times)
    far = far[(far >= stretch[0] - 1) & (far <= stretch[1] + 1)]
    if len(far):
        shown = ", ".join(f"{time:.6g}" for time in far[:3])
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{name}: {len(far)} absurd times ({shown} s) while the others lie around {np.median(times):.6g} s",
            "name the times to use in time.within: [start, stop]",
        )


def _said(stretch: Range) -> str:
    return f"{stretch[0]:.6g} to {stretch[1]:.6g} s"
