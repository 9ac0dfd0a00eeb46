"""Neural activity on the bin grid, and which units are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcebra_nwb.config import Neural, Time
from xcebra_nwb.errors import Refusal, UsageError
from xcebra_nwb.nwb import masks, resample
from xcebra_nwb.nwb.grid import Grid
from xcebra_nwb.nwb.intervals import select
from xcebra_nwb.nwb.masks import Masks
from xcebra_nwb.nwb.population import ActivityKind, Population
from xcebra_nwb.refusals import Code

FEWEST_UNITS = 2
NOT_COUNTED = -1  # n_spikes of a unit without spike times


@dataclass(frozen=True)
class Activity:
    """``values`` (time, unit); ``table`` a row per unit; ``observed`` each unit's intervals, None where unknown."""

    values: np.ndarray
    table: pd.DataFrame
    kind: ActivityKind
    units: str
    observed: list[np.ndarray] | None

    def keep(self, units: np.ndarray) -> Activity:
        """Return the activity of the units where ``units`` (unit,) is true."""
        observed = None if self.observed is None else [self.observed[i] for i in np.flatnonzero(units)]
        table = self.table[units].reset_index(drop=True)
        return Activity(self.values[:, units], table, self.kind, self.units, observed)

    def take_out_unobserved(self, grid: Grid, used: Masks) -> None:
        """Take the bins out of ``used`` that were not observed in every unit."""
        if self.observed is not None:
            used.take_out("not observed (obs_intervals)", ~masks.observed_by_all(grid, self.observed))
        used.take_out("neural data missing", ~np.isfinite(self.values).all(axis=1))


def binned(populations: list[Population], grid: Grid, time: Time) -> Activity:
    """Return the populations side by side on the grid: spike counts, or the mean of the samples in every bin.

    Raises:
        UsageError: the sources differ in kind or unit.
    """
    if len({(population.kind, population.units) for population in populations}) > 1:
        listed = ", ".join(f"{p.path} ({p.kind}, {p.units})" for p in populations)
        raise UsageError(f"neural.source: cannot mix {listed}", "name sources of one kind")
    values = np.concatenate([_values(population, grid, time) for population in populations], axis=1)
    table = pd.concat([population.table for population in populations], ignore_index=True)
    if table["unit_id"].duplicated().any():
        table["unit_id"] = [f"{p.path}#{identifier}" for p in populations for identifier in p.table["unit_id"]]
    return Activity(values, table, populations[0].kind, populations[0].units, _observed(populations, grid))


def _values(population: Population, grid: Grid, time: Time) -> np.ndarray:
    if population.samples is not None:
        return resample.continuous(population.samples, grid, time.max_gap).astype(np.float32)
    counts = np.empty((grid.count, len(population.table)), dtype=np.float32)
    for unit, spikes in enumerate(population.spikes or []):
        counts[:, unit] = grid.count_events(spikes)
    return counts


def _observed(populations: list[Population], grid: Grid) -> list[np.ndarray] | None:
    if all(population.observed is None for population in populations):
        return None
    always = np.array([[grid.edges[0], grid.edges[-1]]])
    return [
        intervals
        for population in populations
        for intervals in (population.observed or [always] * len(population.table))
    ]


def worthwhile(activity: Activity, neural: Neural, grid: Grid, base: Masks) -> tuple[Activity, list[str]]:
    """Return the activity of the units to keep, with ``n_spikes`` in its table, and who was left out, in words.

    Args:
        activity: all units.
        neural: ``where``, ``min_spikes`` and ``min_coverage`` decide.
        grid: the bins.
        base: the bins that can be used as far as everything but the neural data goes.

    Raises:
        UsageError: the query does not work.
        Refusal: fewer than two units are left.
    """
    notes: list[str] = []
    total = activity.values.shape[1]
    observed = _coverage(activity, grid, base.valid) >= neural.min_coverage
    activity = _drop(activity, observed, notes, f"observed for less than {neural.min_coverage:.0%} of the time")
    if neural.where and len(activity.table):
        picked = select(_described(activity, grid, base), neural.where, "neural.where")
        activity = _drop(activity, picked, notes, f"not {neural.where}")
    table = _described(activity, grid, base)
    if activity.kind == "spikes":
        active = table["n_spikes"].to_numpy() >= neural.min_spikes
        activity = _drop(activity, active, notes, f"fewer than {neural.min_spikes} spikes in the valid bins")
    else:
        activity = _drop(activity, _varying(activity, grid, base), notes, "constant in the valid bins")
    kept = activity.values.shape[1]
    if kept < FEWEST_UNITS:
        raise Refusal(
            Code.TOO_FEW_UNITS,
            f"{kept} of {total} units left, at least {FEWEST_UNITS} are needed; {'; '.join(notes) or 'that is all'}",
            "lower neural.min_spikes or neural.min_coverage, or loosen neural.where",
        )
    return activity, notes


def spike_counts(activity: Activity, valid: np.ndarray) -> np.ndarray:
    """Return each unit's number of spikes in the valid bins, (unit,); -1 where spikes are not known."""
    if activity.kind != "spikes":
        return np.full(activity.values.shape[1], NOT_COUNTED, dtype=np.int64)
    return activity.values[valid].sum(axis=0, dtype=np.float64).astype(np.int64)


def _drop(activity: Activity, keep: np.ndarray, notes: list[str], reason: str) -> Activity:
    if keep.all():
        return activity
    gone = [str(identifier) for identifier in activity.table["unit_id"][~keep]]
    shown = ", ".join(gone[:10]) + (", ..." if len(gone) > 10 else "")
    notes.append(f"{len(gone)} units left out ({reason}): {shown}")
    return activity.keep(keep)


def _coverage(activity: Activity, grid: Grid, usable: np.ndarray) -> np.ndarray:
    """The share of the ``usable`` bins with neural data in which each unit was observed, (unit,)."""
    finite = np.isfinite(activity.values[usable])  # (bin, unit)
    sampled = finite.sum(axis=0) / max(int(finite.any(axis=1).sum()), 1)
    if activity.observed is None:
        return sampled
    return np.minimum(sampled, masks.coverage(grid, activity.observed, usable))


def _observed_bins(activity: Activity, grid: Grid, base: Masks) -> np.ndarray:
    used = base.copy()
    activity.take_out_unobserved(grid, used)
    return used.valid


def _described(activity: Activity, grid: Grid, base: Masks) -> pd.DataFrame:
    """The unit table with ``n_spikes`` and ``rate`` (Hz; the mean of sampled values) over the valid bins."""
    valid = _observed_bins(activity, grid, base)
    table = activity.table.copy()
    table["n_spikes"] = spike_counts(activity, valid)
    seconds = max(int(valid.sum()), 1) * grid.width
    mean = activity.values[valid].mean(axis=0, dtype=np.float64) if valid.any() else np.zeros(len(table))
    table["rate"] = table["n_spikes"] / seconds if activity.kind == "spikes" else mean
    return table


def _varying(activity: Activity, grid: Grid, base: Masks) -> np.ndarray:
    values = activity.values[_observed_bins(activity, grid, base)]
    return np.ptp(values, axis=0) > 0 if len(values) else np.zeros(activity.values.shape[1], dtype=bool)
