"""Read units tables: spike times, observation intervals and regions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL, check_size
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, first_text, neurodata_type
from xcebra_nwb.nwb.reading.table import bounds, data_frame, left_over, length, ragged, read_column, scalar_columns
from xcebra_nwb.nwb.reading.trains import cleaned
from xcebra_nwb.nwb.reading.values import number

REGION_COLUMNS = ("location", "brain_area", "brain_region", "region", "area", "structure", "anatomical_location")
ELECTRODES = "/general/extracellular_ephys/electrodes"


def units_tables(file: NwbFile) -> dict[str, h5py.Group]:
    """Return every units table of a file by path, that at the root first."""
    tables = {p: g for p, g in file.groups.items() if _is_units(g)}
    return dict(sorted(tables.items(), key=lambda item: item[0] != "/units"))


def _is_units(group: h5py.Group) -> bool:
    return neurodata_type(group) == "Units" or dataset(group, "spike_times") is not None


def read_spikes(table: h5py.Group, step: int = 1) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the spike times of each unit in s, finite and sorted.

    Args:
        table: The units table.
        step: Read every ``step``-th unit only.

    Returns:
        The spike times of each unit, and the changes that were made to them in words.

    Raises:
        Refusal: They cannot be read, or the clock restarts half way.
    """
    data = table["spike_times"]
    note, resolution = clock.unit_note(data), _resolution(data)
    parts = (times.reshape(-1) for times in ragged(table, "spike_times", step, clock.read_checked))
    spikes, notes = cleaned(parts, str(table.name), resolution)
    return spikes, (*([note] if note else []), *left_over(table, "spike_times"), *notes)


def _resolution(data: h5py.Dataset) -> float:
    """Return the smallest step between spike times that the file gives in s, 0 if it gives none."""
    try:
        stored = number(data, "resolution", 0.0)
    except Refusal:
        return 0.0
    return stored if np.isfinite(stored) and stored > 0 else 0.0


def spike_numbers(table: h5py.Group) -> np.ndarray:
    """Return the number of spikes of each unit without reading them, shape (unit,)."""
    ends = bounds(table, "spike_times")
    check_size(table["spike_times"])
    return np.ones(table["spike_times"].shape[0], dtype=np.int64) if ends is None else np.diff(ends)


def landmarks(spikes: Sequence[np.ndarray]) -> np.ndarray:
    """Return up to a thousand times of each unit, from its first to its last.

    They are enough to judge the range of the times.

    >>> landmarks([np.array([1.0, 5.0]), np.array([2.0])]).tolist()
    [1.0, 5.0, 2.0]
    """
    picked = [times[np.linspace(0, len(times) - 1, min(len(times), 1000)).astype(int)] for times in spikes]
    return np.concatenate([*picked, np.empty(0)])


def read_observed(table: h5py.Group) -> list[np.ndarray] | None:
    """Return the observation intervals of each unit in s, None if there are none."""
    data = dataset(table, "obs_intervals")
    if data is None or not data.shape or not data.shape[0]:
        return None
    if data.shape[1:] != (2,):
        raise Refusal(
            Code.UNREADABLE_LAYOUT, f"{data.name}: shape {data.shape} instead of a start and a stop each", "correct it"
        )
    intervals = clock.read(data)
    ends = bounds(table, "obs_intervals")
    if ends is None:  # one interval per unit
        ends = np.arange(len(intervals) + 1)
    return [intervals[start:stop] for start, stop in pairwise(ends)]


def unit_table(file: NwbFile, table: h5py.Group, columns: bool) -> pd.DataFrame:
    """Return a table with one row per unit.

    Args:
        file: The open file.
        table: The units table.
        columns: Whether to read all scalar columns, too.

    Returns:
        The columns ``unit_id``, ``row`` and ``region``, and the scalar columns if they were asked for.
    """
    rows = length(table)
    frame = data_frame(table) if columns else pd.DataFrame(index=range(rows))
    identifiers = read_column(table, "id") if dataset(table, "id") is not None else np.arange(rows)
    frame["unit_id"] = [str(identifier)[:MOST_LABEL] for identifier in identifiers]
    frame["row"] = np.arange(rows)
    frame["region"] = [region[:MOST_LABEL] for region in regions(file, table)]
    return frame


def regions(file: NwbFile, table: h5py.Group) -> list[str]:
    """Return the region of each unit, "" if it is unknown.

    It is taken from a column of the table, else from the unit's electrodes, else from its electrode group.

    Args:
        file: The open file.
        table: The units table.
    """
    named = [name for name in scalar_columns(table) if name.lower() in REGION_COLUMNS]
    for name in sorted(named, key=lambda name: REGION_COLUMNS.index(name.lower())):
        return [str(value) for value in read_column(table, name)]
    try:
        return _electrode_regions(file, table) or _group_regions(file, table) or [""] * length(table)
    except (*UNREADABLE, IndexError, Refusal):
        return [""] * length(table)  # the references lead nowhere, so the region is unknown


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
