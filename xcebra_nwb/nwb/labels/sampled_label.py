"""Define the label whose values are samples, and bring it onto bins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins import held, resample
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.derived import Derive
from xcebra_nwb.nwb.labels.jumps import NO_BREAKS
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.series import Samples


@dataclass(frozen=True, kw_only=True)
class SeriesLabel(Label):
    """A label from a time series.

    Attributes:
        samples: Its values at their times.
        tracked: Whether it is a tracked position, which stands still where tracking is lost.
        derive: Computes the label from the samples that were not lost; None to use the samples as they are.
        breaks: Times before and after each jump of the samples in s, shape (jump, 2).
        differentiated: Whether ``derive`` gives a change, which may be averaged over both sides of a jump.
        holds: Whether every value holds until the next sample. Then a sample that is NaN or -1 says that it is missing
            from there on.
    """

    samples: Samples
    tracked: bool = False
    derive: Derive | None = None
    breaks: np.ndarray = field(default_factory=lambda: NO_BREAKS)
    differentiated: bool = False
    holds: bool = False

    @property
    def range(self) -> Range:
        """The start and stop of the samples in s."""
        if self.holds:
            return float(self.samples.times[0]), float(self.samples.times[-1]) + (self.samples.period or 0.0)
        return self.samples.range

    @property
    def times(self) -> np.ndarray:
        """The times of the samples in s."""
        return self.samples.times

    @property
    def period(self) -> float | None:
        """The typical step between samples in s; None if values hold, which no step is too long for."""
        return None if self.holds else self.samples.period

    @property
    def borders(self) -> np.ndarray:
        """The times of jumps in s, which no window crosses."""
        return self.breaks.mean(axis=1)

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label in each bin, and the bins at which tracking was lost.

        Args:
            grid: The bins.
            time: ``time`` of the config: which gaps are bridged, and when tracking counts as lost.

        Returns:
            The label as :meth:`.Label.binned` describes it, and True where tracking was lost, shape (time,).

        Raises:
            Refusal: The label never moves, or nothing can be derived from it.
        """
        still = np.zeros(len(self.samples.times), dtype=bool)
        lost = np.zeros(grid.count, dtype=bool)
        if self.tracked and time.max_still is not None:
            still, stretches = standing_still(self.samples, time.max_still)
            lost = grid.tally(*grid.touched(stretches)) > 0
        samples = self.samples.keep(~still)
        if not len(samples.times):
            raise Refusal(
                Code.LABEL_CONSTANT,
                f"label {self.name} ({self.source}) never moves",
                "raise time.max_still or drop the label",
            )
        if self.derive is not None:
            samples = self._derived(samples)
        values = self._held(samples, grid) if self.holds else self._averaged(samples, grid, time)
        if self.kind == "continuous":
            values[lost] = np.nan
            if not self.differentiated:
                values[self._mixed(grid)] = np.nan
        return values, lost

    def _mixed(self, grid: Grid) -> np.ndarray:
        """Return which bins would be averaged over both sides of a jump, or interpolated across it, shape (time,)."""
        before, after = (np.searchsorted(grid.edges, times, side="right") - 1 for times in self.breaks.T)
        if (self.period or 0.0) > 0.999 * grid.width:  # as in resample.continuous: every bin is interpolated
            first, last = (np.searchsorted(grid.centres, times) for times in self.breaks.T)
        else:
            first, last = np.where(before == after, before, before + 1), np.where(before == after, after + 1, after)
        return grid.tally(*(np.clip(bins, 0, grid.count) for bins in (first, last))) > 0

    def _held(self, samples: Samples, grid: Grid) -> np.ndarray:
        stop = float(samples.times[-1]) + (samples.period or 0.0)
        if self.kind == "discrete":
            return held.discrete(samples.times, samples.values[:, 0], stop, grid)
        return held.circular(samples, stop, grid) if self.kind == "circular" else held.continuous(samples, stop, grid)

    def _averaged(self, samples: Samples, grid: Grid, time: Time) -> np.ndarray:
        if self.kind == "circular":
            return resample.circular(samples, grid, time.max_gap)
        if self.kind == "discrete":
            return resample.discrete(samples.times, samples.values[:, 0], grid, time.max_gap)
        return resample.continuous(samples, grid, time.max_gap, centred=True)

    def _derived(self, samples: Samples) -> Samples:
        assert self.derive is not None
        known = np.isfinite(samples.values).all(axis=1)
        computed = self.derive(samples.keep(known), self.breaks)
        if self.holds:  # a value that is missing must stay, to say until when the one before it holds
            values = np.full((len(known), computed.values.shape[1]), np.nan)
            values[known] = computed.values
            return Samples(samples.times, values)
        samples = computed.keep(np.isfinite(computed.values).all(axis=1))
        if not len(samples.times):
            what = f"label {self.name} ({self.source}): no two samples follow each other without a gap"
            raise Refusal(Code.LABEL_EMPTY, what, "derive it from a series that is sampled regularly")
        return samples


def standing_still(samples: Samples, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Find stretches of identical values that last longer than a limit.

    Args:
        samples: The samples, shape (sample, column).
        longest: The limit in s.

    Returns:
        Whether each sample lies in such a stretch, shape (sample,), and the times of the first and last sample of each
        stretch in s, shape (stretch, 2).

    >>> samples = Samples(np.arange(5.0), np.array([[0.0], [1.0], [1.0], [1.0], [2.0]]))
    >>> still, stretches = standing_still(samples, 1.5)
    >>> still.tolist(), stretches.tolist()
    ([False, True, True, True, False], [[1.0, 3.0]])
    """
    changes = np.any(samples.values[1:] != samples.values[:-1], axis=1)
    first = np.r_[0, np.flatnonzero(changes) + 1]
    last = np.r_[first[1:] - 1, len(samples.times) - 1]
    long = samples.times[last] - samples.times[first] > longest
    run = np.repeat(np.arange(len(first)), last - first + 1)
    return long[run], np.stack([samples.times[first[long]], samples.times[last[long]]], axis=1)
