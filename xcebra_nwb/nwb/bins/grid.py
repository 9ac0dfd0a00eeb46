"""Divide time into equal, half-open bins that activity and labels share.

All times are in s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.times import SINCE_1970, outliers

DEFAULT_WIDTH = 0.05  # s
MOST_BINS = 50_000_000
VALUES = 2**22  # bins times columns in one part of the grid
TOLERANCE = 1e-6  # share of a bin, so that rounding does not lose the first or the last bin

Range = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """A grid of equal time bins.

    Bin i is [start + (first + i) width, start + (first + i + 1) width).

    Attributes:
        start: Left edge of the bin with the number 0 in s.
        width: Width of a bin in s.
        count: Number of bins.
        first: Number of the first bin, which is not 0 in a part of a larger grid.
    """

    start: float
    width: float
    count: int
    first: int = 0

    @property
    def edges(self) -> np.ndarray:
        """The edges of the bins in s, shape (count + 1,)."""
        return self.start + (self.first + np.arange(self.count + 1)) * self.width

    @property
    def centres(self) -> np.ndarray:
        """The centres of the bins in s, shape (count,)."""
        return self.start + (self.first + np.arange(self.count) + 0.5) * self.width

    def part(self, bins: slice) -> Grid:
        """Return the grid of consecutive ``bins``, with edges equal to the bit.

        >>> Grid(start=0.0, width=0.5, count=10).part(slice(4, 6)).edges.tolist()
        [2.0, 2.5, 3.0]
        """
        return replace(self, count=bins.stop - bins.start, first=self.first + bins.start)

    def parts(self, columns: int) -> Iterator[slice]:
        """Yield consecutive slices of bins, each small enough to hold in memory.

        Args:
            columns: Number of values per bin, such as the number of units.
        """
        size = max(1, VALUES // max(columns, 1))
        for start in range(0, self.count, size):
            yield slice(start, min(start + size, self.count))

    def whole(self, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and last bin that lie completely inside each interval.

        Args:
            intervals: Start and stop in s, shape (interval, 2).

        Returns:
            The first bin of each interval, and the bin after its last one. The two are equal where no bin fits.

        >>> first, last = Grid(0.0, 1.0, 10).whole(np.array([[1.5, 4.0]]))
        >>> first.tolist(), last.tolist()
        ([2], [4])
        """
        first = np.ceil((intervals[:, 0] - self.start) / self.width - TOLERANCE) - self.first
        last = np.floor((intervals[:, 1] - self.start) / self.width + TOLERANCE) - self.first
        first = np.clip(first, 0, self.count).astype(np.int64)
        return first, np.maximum(np.clip(last, 0, self.count).astype(np.int64), first)

    def touched(self, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and last bin that overlap each interval.

        Args:
            intervals: Start and stop in s, shape (interval, 2).

        Returns:
            The first bin of each interval, and the bin after its last one.

        >>> first, last = Grid(0.0, 1.0, 10).touched(np.array([[1.5, 4.0]]))
        >>> first.tolist(), last.tolist()
        ([1], [4])
        """
        first = np.floor((intervals[:, 0] - self.start) / self.width + TOLERANCE) - self.first
        last = np.ceil((intervals[:, 1] - self.start) / self.width - TOLERANCE) - self.first
        first = np.clip(first, 0, self.count).astype(np.int64)
        return first, np.maximum(np.clip(last, 0, self.count).astype(np.int64), first)

    def tally(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return how many runs of bins cover each bin, shape (time,).

        Args:
            first: First bin of each run.
            last: Bin after the last one of each run.

        >>> Grid(0.0, 1.0, 4).tally(np.array([0, 1]), np.array([2, 4])).tolist()
        [1, 2, 1, 1]
        """
        change = np.zeros(self.count + 1, dtype=np.int64)
        np.add.at(change, first, 1)
        np.add.at(change, last, -1)
        return np.cumsum(change[:-1])

    def bins(self, times: np.ndarray) -> np.ndarray:
        """Return the bin of each time that lies on the grid.

        Args:
            times: Sorted times in s.

        >>> Grid(0.0, 0.5, 4).bins(np.array([-1.0, 0.1, 0.5, 1.9, 2.0])).tolist()
        [0, 1, 3]
        """
        end = self.first + self.count
        ends = [self.start + self.first * self.width, self.start + end * self.width]
        first, last = np.searchsorted(times, ends, side="left")
        times = times[first:last]
        bins = np.minimum((times - self.start) / self.width, end - 1).astype(np.int64)
        bins -= times < self.start + bins * self.width  # division may round over an edge
        bins += times >= self.start + (bins + 1) * self.width
        return bins - self.first

    def count_events(self, times: np.ndarray) -> np.ndarray:
        """Return the number of events in each bin, shape (time,).

        The counts have the smallest unsigned integer type that can hold them.

        Args:
            times: Sorted times in s.

        >>> Grid(0.0, 0.5, 4).count_events(np.array([0.1, 0.2, 1.9])).tolist()
        [2, 0, 0, 1]
        """
        bins, members = self._runs(times)
        counts = np.zeros(self.count, dtype=np.min_scalar_type(members.max(initial=0)))
        counts[bins] = members
        return counts

    def most_events(self, times: np.ndarray) -> int:
        """Return the largest number of events in one bin.

        Args:
            times: Sorted times in s.

        >>> Grid(0.0, 0.5, 4).most_events(np.array([0.1, 0.2, 1.9]))
        2
        """
        return int(self._runs(times)[1].max(initial=0))

    def _runs(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the bins that hold a time, and the number of sorted times in each."""
        bins = self.bins(times)
        first = np.flatnonzero(np.diff(bins, prepend=-1))  # of every run of times in one bin
        return bins[first], np.diff(first, append=len(bins))


def bin_width(configured: float | str, periods: Sequence[float | None]) -> float:
    """Return the width of a bin in s.

    ``auto`` stands for 0.05 s, or for the sample period of the neural data if that is longer.

    Args:
        configured: ``time.bin_width`` of the config: s, or ``auto``.
        periods: Sample period of each neural source in s; None for spike times.

    Raises:
        UsageError: The configured width is shorter than the sample period of the neural data.

    >>> bin_width("auto", [None])
    0.05
    >>> bin_width("auto", [0.1])
    0.1
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
    """Return the range of time that neural data, labels and ``time.within`` share.

    Args:
        neural: Start and stop of each neural source in s.
        labels: Start and stop of each label in s.
        within: Intervals that ``time.within`` allows, shape (interval, 2); None for all times.

    Raises:
        Refusal: They share no time.

    >>> common_range([(0.0, 100.0)], [(20.0, 120.0)], None)
    (20.0, 100.0)
    """
    neural_range = min(start for start, _ in neural), max(stop for _, stop in neural)
    label_range = min(start for start, _ in labels), max(stop for _, stop in labels)
    start, stop = max(neural_range[0], label_range[0]), min(neural_range[1], label_range[1])
    if within is not None:
        start, stop = max(start, float(within[0, 0])), min(stop, float(within[-1, 1]))
    if stop <= start:
        allowed = "" if within is None else f", time.within {_range_text((float(within[0, 0]), float(within[-1, 1])))}"
        remedy = "check their units and clocks with `xcebra-nwb inspect`, and time.within"
        if (neural_range[0] > SINCE_1970) != (label_range[0] > SINCE_1970):
            later = "neural data" if neural_range[0] > SINCE_1970 else "labels"
            remedy = f"the {later} count from 1970 (POSIX), the others from the start: write both by one clock"
        raise Refusal(
            Code.NO_COMMON_TIME,
            f"no common time: neural data {_range_text(neural_range)}, labels {_range_text(label_range)}{allowed}",
            remedy,
        )
    return start, stop


def make_grid(stretch: Range, width: float, first_sample: np.ndarray | None, period: float | None) -> Grid:
    """Return the grid of bins that covers a range of time.

    Bins are centred on the samples if the neural data are sampled.

    Args:
        stretch: Start and stop of the range in s.
        width: Width of a bin in s.
        first_sample: Times of the neural samples in s; None for spike times.
        period: Sample period of the neural data in s; None for spike times.

    Raises:
        Refusal: No bin fits, or so many that some times must be wrong.

    >>> make_grid((0.0, 1.0), 0.25, None, None).count
    4
    """
    start, stop = stretch
    if first_sample is not None and period is not None:
        inside = first_sample[first_sample - period / 2 >= start - TOLERANCE * width]
        start = float(inside[0]) - period / 2 if len(inside) else start
    count = int(np.floor((stop - start) / width + TOLERANCE))
    if count < 1:
        raise Refusal(
            Code.TOO_SHORT,
            f"no bin of {width:g} s fits into {_range_text(stretch)}",
            "lower time.bin_width or widen time.within",
        )
    if count > MOST_BINS:
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{count:.3g} bins of {width:g} s between {_range_text(stretch)}: some times must be wrong",
            "name the times to use in time.within: [start, stop]",
        )
    return Grid(start, width, count)


def check_outliers(name: str, times: np.ndarray, stretch: Range) -> None:
    """Raise a refusal if the range to bin contains an absurd time of a source.

    Args:
        name: Path of the source, for the message.
        times: Times of the source in s.
        stretch: Start and stop of the range to bin in s.

    Raises:
        Refusal: An absurd time lies in the range; the message shows up to three.
    """
    far = outliers(times)
    far = far[(far >= stretch[0] - 1) & (far <= stretch[1] + 1)]
    if len(far):
        shown = ", ".join(f"{time:.6g}" for time in far[:3])
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{name}: {len(far)} absurd times ({shown} s) while the others lie around {np.median(times):.6g} s",
            "name the times to use in time.within: [start, stop]",
        )


def _range_text(stretch: Range) -> str:
    return f"{stretch[0]:.6g} to {stretch[1]:.6g} s"
