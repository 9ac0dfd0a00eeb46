"""Read units tables: spike times and observation intervals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type
from xcebra_nwb.nwb.reading.table import bounds, left_over, ragged
from xcebra_nwb.nwb.reading.trains import cleaned
from xcebra_nwb.nwb.reading.values import number


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
