"""Units tables: spike times, observation intervals and regions, read unit by unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL, check_size
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, first_text, neurodata_type
from xcebra_nwb.nwb.reading.table import bounds, data_frame, length, ragged, read_column, scalar_columns
from xcebra_nwb.nwb.reading.times import restarts
from xcebra_nwb.nwb.reading.values import numbers

REGION_COLUMNS = ("location", "brain_area", "brain_region", "region", "area", "structure", "anatomical_location")
ELECTRODES = "/general/extracellular_ephys/electrodes"


def units_tables(file: NwbFile) -> dict[str, h5py.Group]:
    """Return every units table of the file by path, the root's first."""
    tables = {p: g for p, g in file.groups.items() if _is_units(g)}
    return dict(sorted(tables.items(), key=lambda item: item[0] != "/units"))


def _is_units(group: h5py.Group) -> bool:
    return neurodata_type(group) == "Units" or dataset(group, "spike_times") is not None


def read_spikes(table: h5py.Group, step: int = 1) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return each (or every ``step``-th) unit's finite spike times in order, s, and what was done to them, in words.

    Raises:
        Refusal: they cannot be read, or the clock started again half way.
    """
    return cleaned(times.reshape(-1) for times in ragged(table, "spike_times", step))


def cleaned(every: Iterable[np.ndarray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return finite event times in order, and what was done to them, in words.

    One unit whose times start again was put together from two clusters; when most units' do, the clock did.

    Raises:
        Refusal: the clock started again half way.
    """
    spikes, dropped, unsorted, restarted = [], 0, 0, 0
    for times in every:
        finite = times[np.isfinite(times)]
        dropped += len(times) - len(finite)
        if np.any(np.diff(finite) < 0):
            restarted += restarts(finite)
            unsorted += 1
            finite = np.sort(finite)
        spikes.append(finite)
    if restarted > 1 and restarted > len(spikes) / 2:
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"the spike times of {restarted} of {len(spikes)} units start again half way: two runs on one clock",
            "mend the spike times, or name other data in neural.source",
        )
    notes = [f"{dropped} spike times that are not finite were left out"] if dropped else []
    notes += [f"the spike times of {unsorted} units were not in order and were sorted"] if unsorted else []
    return spikes, tuple(notes)


def spike_numbers(table: h5py.Group) -> np.ndarray:
    """Return the number of spikes of every unit, (unit,), without reading them."""
    ends = bounds(table, "spike_times")
    check_size(table["spike_times"])
    return np.ones(table["spike_times"].shape[0], dtype=np.int64) if ends is None else np.diff(ends)


def landmarks(spikes: Sequence[np.ndarray]) -> np.ndarray:
    """Return a thousand or fewer times of every unit, its first and last among them: enough to judge their range."""
    picked = [times[np.linspace(0, len(times) - 1, min(len(times), 1000)).astype(int)] for times in spikes]
    return np.concatenate([*picked, np.empty(0)])


def read_observed(table: h5py.Group) -> list[np.ndarray] | None:
    """Return each unit's observation intervals, (interval, 2); None where the table says nothing of them."""
    data = dataset(table, "obs_intervals")
    if data is None or not data.shape or not data.shape[0]:
        return None
    if data.shape[1:] != (2,):
        raise Refusal(
            Code.UNREADABLE_LAYOUT, f"{data.name}: shape {data.shape} instead of a start and a stop each", "mend it"
        )
    intervals = numbers(data)
    ends = bounds(table, "obs_intervals")
    if ends is None:  # one interval per unit
        ends = np.arange(len(intervals) + 1)
    return [intervals[start:stop] for start, stop in pairwise(ends)]


def unit_table(file: NwbFile, table: h5py.Group, columns: bool) -> pd.DataFrame:
    """Return a row per unit: ``unit_id``, ``row``, ``region``, and all scalar columns if ``columns``."""
    rows = length(table)
    frame = data_frame(table) if columns else pd.DataFrame(index=range(rows))
    identifiers = read_column(table, "id") if dataset(table, "id") is not None else np.arange(rows)
    frame["unit_id"] = [str(identifier)[:MOST_LABEL] for identifier in identifiers]
    frame["row"] = np.arange(rows)
    frame["region"] = [region[:MOST_LABEL] for region in regions(file, table)]
    return frame


def regions(file: NwbFile, table: h5py.Group) -> list[str]:
    """Return each unit's region: its own column, else its electrode's location, else its electrode group's, else ""."""
    named = [name for name in scalar_columns(table) if name.lower() in REGION_COLUMNS]
    for name in sorted(named, key=lambda name: REGION_COLUMNS.index(name.lower())):
        return [str(value) for value in read_column(table, name)]
    try:
        return _electrode_regions(file, table) or _group_regions(file, table) or [""] * length(table)
    except (*UNREADABLE, IndexError, Refusal):
        return [""] * length(table)  # references that lead nowhere: the region is unknown


def _electrode_regions(file: NwbFile, table: h5py.Group) -> list[str] | None:
    region = dataset(table, "electrodes")
    if region is None:
        return None
    electrodes = file.referred(region.attrs["table"]) if "table" in region.attrs else file.h5[ELECTRODES]
    if dataset(electrodes, "location") is None:
        return None
    locations = read_column(electrodes, "location")
    rows = [part.reshape(-1).astype(np.int64) for part in ragged(table, "electrodes")]
    return ["/".join(dict.fromkeys(str(locations[row]) for row in part)) for part in rows]


def _group_regions(file: NwbFile, table: h5py.Group) -> list[str] | None:
    references = dataset(table, "electrode_group")
    if references is None:
        return None
    return [_location(file.referred(reference)) for reference in references[()]]


def _location(group: h5py.Group) -> str:
    stored = dataset(group, "location")
    return first_text(stored) if stored is not None else attribute(group, "location")
