"""Bring neural activity onto the bins.

The matrix of all units and bins may not fit into memory, so spikes stay times until some bins are asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from xcebra_nwb.core import activity, host_memory
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.bins import masks
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.bins.masks import Masks
from xcebra_nwb.nwb.neural.population import ActivityKind, Population
from xcebra_nwb.nwb.neural.sampled import Sampled

NOT_COUNTED = -1  # n_spikes of a unit without spike times
UNITS_AT_ONCE = 64  # binned together
SHARE = 0.5  # share of the free memory that means of samples may take
SILENCE = 30.0  # s; no recorded brain is silent for so long
EXPECTED = 100  # spikes expected from all units in a stretch that counts as silent

Rows = Callable[[slice], np.ndarray]


@dataclass(frozen=True)
class Activity:
    """The activity of all units on the bins, from spike times or from samples.

    Attributes:
        grid: The bins.
        table: One row per unit.
        kind: ``spikes``, ``rates`` or ``calcium``.
        units: Unit of the values, such as ``count``.
        observed: Observation intervals of each unit in s; None if they are unknown.
        spikes: Sorted spike times of each unit in s; None for sampled activity.
        sampled: Mean of the samples in each bin; None for spike times.
        silent: True for bins in which no unit at all fires for so long that nothing was recorded, shape (time,).
    """

    grid: Grid
    table: pd.DataFrame
    kind: ActivityKind
    units: str
    observed: list[np.ndarray] | None
    spikes: Sequence[np.ndarray] | None = None
    sampled: Sampled | None = None
    silent: np.ndarray | None = None

    def keep(self, units: np.ndarray) -> Activity:
        """Return the activity of the units where ``units`` (unit,) is true."""
        rows = np.flatnonzero(units).tolist()
        return replace(
            self,
            table=self.table[units].reset_index(drop=True),
            observed=None if self.observed is None else [self.observed[row] for row in rows],
            spikes=None if self.spikes is None else [self.spikes[row] for row in rows],
            sampled=None if self.sampled is None else self.sampled.keep(units),
        )

    def take_out_unobserved(self, used: Masks) -> None:
        """Take bins out of ``used`` in which a unit was not observed."""
        if self.observed is not None:
            used.take_out("not observed (obs_intervals)", ~masks.observed_by_all(self.grid, self.observed))
        if self.silent is not None:
            used.take_out(f"no unit fires for over {SILENCE:g} s", self.silent)
        if self.sampled is not None:
            used.take_out("neural data missing", self.sampled.missing())

    def coverage(self, usable: np.ndarray) -> np.ndarray:
        """Return the fraction of usable bins in which each unit was observed.

        Args:
            usable: True for usable bins, shape (time,).

        Returns:
            The fraction of the usable bins with neural data, shape (unit,).
        """
        shares = np.ones(len(self.table)) if self.sampled is None else self.sampled.coverage(usable)
        if self.observed is not None:
            shares = np.minimum(shares, masks.coverage(self.grid, self.observed, usable))
        return shares

    def spike_counts(self, bins: np.ndarray) -> np.ndarray:
        """Return the number of spikes of each unit in ``bins``, shape (unit,).

        It is -1 if spike times are unknown.

        Args:
            bins: True for the bins to count in, shape (time,).
        """
        if self.spikes is None:
            return np.full(len(self.table), NOT_COUNTED, dtype=np.int64)
        return np.array([np.count_nonzero(bins[self.grid.bins(times)]) for times in self.spikes], dtype=np.int64)

    def varying(self, bins: np.ndarray) -> np.ndarray:
        """Return which units vary over ``bins``, shape (unit,).

        Only sampled units are checked; units with spike times count as varying.

        Args:
            bins: True for the bins to compare, shape (time,).
        """
        return np.ones(len(self.table), dtype=bool) if self.sampled is None else self.sampled.varying(bins)

    def matrix(self) -> xr.Variable:
        """Return the activity (time, unit), computed only when values are read.

        Counts have the smallest integer type that holds them all; means of samples are float32.
        """
        most = max((self.grid.most_events(times) for times in self.spikes or []), default=0)
        dtype = activity.count_type(most) if self.sampled is None else self.sampled.values.dtype
        return on_demand(("time", "unit"), (self.grid.count, len(self.table)), dtype, self._rows)

    def _rows(self, rows: slice) -> np.ndarray:
        """Return the activity (time, unit) in some bins."""
        if self.sampled is not None:
            return self.sampled.rows(rows)
        return _counts(self.grid.part(rows), self.spikes or [])


def _counts(grid: Grid, spikes: Sequence[np.ndarray]) -> np.ndarray:
    counts = np.empty((grid.count, len(spikes)), dtype=np.uint8)
    for first in range(0, len(spikes), UNITS_AT_ONCE):
        units = slice(first, first + UNITS_AT_ONCE)
        block = np.stack([grid.count_events(times) for times in spikes[units]])  # (unit, time)
        counts = counts.astype(np.promote_types(counts.dtype, block.dtype), copy=False)
        counts[:, units] = block.T
    return counts


def binned(
    populations: list[Population], grid: Grid, time: Time, folder: Path | None = None, most: float | None = None
) -> Activity:
    """Return the activity of all sources on one grid of bins.

    Spike times become counts, and samples become the mean in each bin.

    Args:
        populations: The sources, all of one kind and unit.
        grid: The bins.
        time: ``time`` of the config: which gaps are bridged.
        folder: Folder for a scratch file if means of samples do not fit the memory; None for that of the system.
        most: Bytes of memory that means of samples may take; None for half of the free memory.

    Raises:
        UsageError: The sources differ in kind or unit.
    """
    if len({(population.kind, population.units) for population in populations}) > 1:
        listed = ", ".join(f"{p.path} ({p.kind}, {p.units})" for p in populations)
        raise UsageError(f"neural.source: cannot mix {listed}", "name sources of one kind")
    table = pd.concat([population.table for population in populations], ignore_index=True)
    sampled = [population.samples for population in populations if population.samples is not None]
    spikes = [times for population in populations for times in population.spikes or []]
    observed = _observed(populations, grid)
    folder = Path(tempfile.gettempdir()) if folder is None else folder
    most = SHARE * host_memory.free_bytes() if most is None else most
    return Activity(
        grid=grid,
        table=table,
        kind=populations[0].kind,
        units=populations[0].units,
        observed=observed,
        spikes=None if sampled else spikes,
        sampled=Sampled.of(sampled, grid, time.max_gap, folder, most) if sampled else None,
        silent=None if sampled or observed is not None else _silent(grid, spikes),
    )


def _observed(populations: list[Population], grid: Grid) -> list[np.ndarray] | None:
    if all(population.observed is None for population in populations):
        return None
    always = np.array([[grid.edges[0], grid.edges[-1]]])
    return [
        intervals
        for population in populations
        for intervals in (population.observed or [always] * len(population.table))
    ]


def _silent(grid: Grid, spikes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the bins of stretches without any spike that are too long for chance.

    They last at least 30 s, and at least as long as 100 spikes take on average. Files that do not state when units
    were observed show it in this way.
    """
    silent, total = np.ones(grid.count, dtype=bool), 0
    for times in spikes:
        bins = grid.bins(times)
        silent[bins] = False
        total += len(bins)
    longest = max(SILENCE, EXPECTED * grid.count * grid.width / max(total, 1)) / grid.width  # bins
    borders = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    for start, stop in borders.reshape(-1, 2):
        silent[start:stop] = stop - start > longest
    return silent


def on_demand(dims: tuple[str, str], shape: tuple[int, int], dtype: np.dtype, rows: Rows) -> xr.Variable:
    """Return a variable whose values are computed when they are read.

    As in a file that was opened, ``.values`` keeps all values, and reading a slice does not.

    Args:
        dims: Names of the dimensions.
        shape: Lengths of the dimensions.
        dtype: Type of the values.
        rows: Computes the values (row, column) of a slice of rows.

    >>> squares = on_demand(("row", "column"), (4, 1), np.dtype(int), lambda rows: np.arange(4)[rows, None] ** 2)
    >>> squares[1:3].values.tolist()
    [[1], [4]]
    """
    lazy: Any = indexing.LazilyIndexedArray(_OnDemand(shape, dtype, rows))
    return xr.Variable(dims, indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy)))


class _OnDemand(BackendArray):
    def __init__(self, shape: tuple[int, int], dtype: np.dtype, rows: Rows) -> None:
        self.shape, self.dtype, self._rows = shape, dtype, rows

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._of)

    def _of(self, key: tuple[int | slice, int | slice]) -> np.ndarray:
        """Return the values at a slice, or a number, of rows and of columns."""
        wanted = np.arange(self.shape[0])[key[0]]
        if not wanted.size:
            return np.empty((0, self.shape[1]), self.dtype)[:, key[1]]
        first = int(wanted.min())
        made = self._rows(slice(first, int(wanted.max()) + 1)).astype(self.dtype, copy=False)
        return np.asarray(made[:, key[1]][wanted - first])
