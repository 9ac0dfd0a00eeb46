"""Average sampled activity in bins, in memory or in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from xcebra_nwb.core.scratch import Rows, filled
from xcebra_nwb.nwb.bins import resample
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.reading.series import Samples


@dataclass(frozen=True)
class Sampled:
    """The mean of the samples in each bin; NaN where there are none.

    Attributes:
        grid: The bins.
        values: The means of all columns, shape (time, column), float32.
        columns: The column of each unit that is kept, shape (unit,).
    """

    grid: Grid
    values: np.ndarray  # (time, column) float32
    columns: np.ndarray  # (unit,) those of the units that are kept

    @classmethod
    def of(cls, sources: Sequence[Samples], grid: Grid, max_gap: float, folder: Path, most: float) -> Sampled:
        """Return the means of all sources side by side.

        Args:
            sources: Samples of each source.
            grid: The bins.
            max_gap: ``time.max_gap`` of the config in s.
            folder: Folder for a scratch file.
            most: Bytes of memory that the means may take; more go to the scratch file.
        """
        columns = sum(source.values.shape[1] for source in sources)
        fill = partial(_fill, sources, grid, max_gap)
        values = filled("activity by bins", (grid.count, columns), np.float32, fill, folder, most)
        return cls(grid, values, np.arange(columns))

    def keep(self, units: np.ndarray) -> Sampled:
        """Return the units where ``units`` (unit,) is true."""
        return replace(self, columns=self.columns[units])

    def rows(self, rows: slice) -> np.ndarray:
        """Return the activity (time, unit) in some bins."""
        return np.asarray(self.values[rows][:, self.columns])

    def coverage(self, usable: np.ndarray) -> np.ndarray:
        """Return the fraction of usable bins in which each unit has a value.

        Bins in which no unit has a value do not count.

        Args:
            usable: True for usable bins, shape (time,).
        """
        seen, any_seen = np.zeros(len(self.columns)), 0
        for values in self._blocks(usable):
            finite = np.isfinite(values)
            seen += finite.sum(axis=0)
            any_seen += int(finite.any(axis=1).sum())
        return seen / max(any_seen, 1)

    def missing(self) -> np.ndarray:
        """Return the bins in which a unit has no value, shape (time,)."""
        return np.concatenate([~np.isfinite(self.rows(rows)).all(axis=1) for rows in self._parts()])

    def means(self, bins: np.ndarray) -> np.ndarray:
        """Return the mean of each unit over ``bins``, shape (unit,).

        Args:
            bins: True for at least one bin, shape (time,).
        """
        total = sum(values.sum(axis=0, dtype=np.float64) for values in self._blocks(bins))
        return np.asarray(total / bins.sum())

    def varying(self, bins: np.ndarray) -> np.ndarray:
        """Return which units vary over ``bins``, shape (unit,).

        Args:
            bins: True for the bins to compare, shape (time,).
        """
        low, high = np.full(len(self.columns), np.inf), np.full(len(self.columns), -np.inf)
        for values in self._blocks(bins):
            low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        return np.asarray(high > low)

    def _parts(self) -> Iterator[slice]:
        return self.grid.parts(self.values.shape[1])

    def _blocks(self, bins: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the activity (bin, unit) in ``bins``, part by part; no part is empty."""
        return (self.rows(rows)[bins[rows]] for rows in self._parts() if bins[rows].any())


def _fill(sources: Sequence[Samples], grid: Grid, max_gap: float, values: Rows) -> None:
    reach = resample.longest_bridge(grid, max_gap)
    for rows in grid.parts(sum(source.values.shape[1] for source in sources)):
        part = grid.part(rows)
        near = [source.near(part.edges[0], part.edges[-1], reach) for source in sources]
        values[rows] = np.concatenate([resample.continuous(samples, part, max_gap) for samples in near], axis=1)
