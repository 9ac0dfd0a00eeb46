"""Seeds side by side, and the attribution of units over the time of the session and of trials."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.attribution.comparison import known_nulls
from xcebra_nwb.attribution.time_resolved import name_of
from xcebra_nwb.report.charts import strip
from xcebra_nwb.report.style import number, of_median_unit
from xcebra_nwb.report.trials import in_trial, trials_of
from xcebra_nwb.report.unit_map import UnitMap
from xcebra_nwb.report.unit_tuning import short

MOST_UNITS = 12  # over time
MOST_ACROSS = 60  # units of the seeds side by side
MOST_SEEDS, MOST_NULLS = 8, 4  # rows
COLUMNS, PARTS = 200, 24  # of the session's time, of a trial
MOST_READ = 40_000_000  # values that are read of a label's map of every bin
SMALLEST = 1e-3  # multiple of the median unit that a colour still tells
Values = NDArray[np.float64]
Integers = NDArray[np.int64]


def seeds_chart(attribution: xr.Dataset, shown: UnitMap) -> tuple[Markup, str]:
    """Return the maps of seeds and of a few nulls, a row each, over the foremost units; and what a colour means.

    Args:
        attribution: attribution.nc.
        shown: the maps of the label.
    """
    units = shown.foremost(MOST_ACROSS)
    nulls = known_nulls(attribution.sel(label=shown.label)["null_attribution"].transpose("null", "unit").values)
    seeds, others = shown.seeds[:MOST_SEEDS], of_median_unit(nulls[:MOST_NULLS]) if len(nulls) else nulls[:0]
    rows = np.log10(np.maximum(np.concatenate([seeds, others])[:, units], SMALLEST))
    names = [f"seed {n + 1}" for n in range(len(seeds))] + [f"null {n + 1}" for n in range(len(others))]
    below = [(0.0, shown.units[units[0]]), (1.0, shown.units[units[-1]])] if len(units) > 1 else []
    low, high = (short(10 ** float(end(rows)), 2) for end in (np.nanmin, np.nanmax))
    scale = f"Dark is {low} times the share of the median unit, bright {high} times."
    said = f"Maps of {shown.label} by seed and null, units in order of attribution. {scale}"
    return strip(rows, names, below, "units, in the order of the figure above", said), scale


@dataclass(frozen=True)
class OverTime:
    """A label's attribution over time, of its foremost units: charts with their titles, and what a colour means."""

    charts: list[tuple[str, Markup]]
    words: str


def over_time(path: Path, session: xr.Dataset, shown: UnitMap) -> OverTime | None:
    """Return the attribution of the foremost units over time; None where it was not computed.

    The map of every bin may not fit the memory: it is read block by block, and of a large one only every few blocks.

    Args:
        path: attribution.nc.
        session: session.nc.
        shown: the maps of the label.
    """
    units = np.sort(shown.foremost(MOST_UNITS))
    times, trial = session["time"].values, trials_of(session, shown.label)
    groups = [(np.minimum((np.arange(len(times)) * COLUMNS) // len(times), COLUMNS - 1), COLUMNS)]
    phase = in_trial(session, trial, PARTS) if trial is not None else None
    if phase is not None:
        groups.append((phase.part, len(phase.centers)))
    read = _read(path, times, shown, units, groups)
    if read is None:
        return None
    rows, every = read
    order = np.argsort(-shown.mean[0, units], kind="stable")
    names = [shown.units[unit] for unit in units[order]]
    last = short(float(times[-1]), 4)
    at = [("over the session", [(0.0, short(float(times[0]), 2)), (1.0, last)], "time of the session (s)")]
    if phase is not None:
        at.append(("aligned to trials", [(0.0, "0"), (1.0, short(phase.end, 3))], "time in the trial (s)"))
    charts = []
    for values, (title, below, x_name) in zip(rows, at, strict=True):
        own = np.nanmean(values, axis=1, keepdims=True) if np.isfinite(values).any() else np.ones((len(values), 1))
        scaled = np.divide(values, own, out=np.full_like(values, np.nan), where=own > 0)[order]
        said = f"Attribution of {shown.label} {title}, of {len(names)} units, each over its own mean."
        charts.append((title, strip(scaled, names, below, x_name, said)))
    part_read = f" Read at every {number(every)}th stretch of bins, as the file is large." if every > 1 else ""
    words = f"A row is a unit: its attribution in each bin, mean over seeds, over its own mean.{part_read}"
    return OverTime(charts, words)


def _read(
    path: Path, times: Values, shown: UnitMap, units: Integers, groups: list[tuple[Integers, int]]
) -> tuple[list[Values], int] | None:
    """The means (unit, place) in each way to group the bins, and of how many stretches one was read.

    The file has the usable bins alone; which ones these are follows from their times.
    """
    sums = [np.zeros((count, len(units))) for _, count in groups]
    counts = [np.zeros((count, len(units))) for _, count in groups]
    with h5netcdf.File(path, "r") as file:
        name = name_of(shown.methods[0], shown.methods)
        if name not in file.variables:
            return None
        stored = file.variables[name]
        label = [str(each) for each in np.asarray(file.variables["label"][:]).astype(str)].index(shown.label)
        bins, count = stored.shape[1:]
        of_file = np.searchsorted(times, np.asarray(file.variables["time"][:]))
        rows = max(1, int((stored.chunks or (1, 4096, count))[1]))
        every = max(1, -(-bins * count // MOST_READ))
        for first in range(0, bins, rows * every):
            part = slice(first, min(first + rows, bins))
            values = np.asarray(stored[label, part, :])[:, units].astype(float)
            for (place, _), total, known in zip(groups, sums, counts, strict=True):
                there = place[of_file[part]]
                inside = there >= 0
                np.add.at(total, there[inside], np.nan_to_num(values[inside]))
                np.add.at(known, there[inside], np.isfinite(values[inside]))
    means = [
        np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0).T
        for total, known in zip(sums, counts, strict=True)
    ]
    return means, every
