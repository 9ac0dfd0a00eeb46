"""Read units tables: spike times and observation intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type
from xcebra_nwb.nwb.reading.table import bounds, ragged
from xcebra_nwb.nwb.reading.times import restarts
from xcebra_nwb.nwb.reading.values import numbers


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
    return cleaned(times.reshape(-1) for times in ragged(table, "spike_times", step))


def cleaned(every: Iterable[np.ndarray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return event times of each unit, finite and sorted.

    If the times of a single unit restart, the unit was put together from two clusters. If those of most units do, the
    clock restarted.

    Args:
        every: Times of each unit in s.

    Returns:
        The times of each unit, and the changes that were made to them in words.

    Raises:
        Refusal: The clock restarts half way.

    >>> spikes, notes = cleaned([np.array([2.0, 1.0]), np.array([np.nan, 3.0])])
    >>> [times.tolist() for times in spikes]
    [[1.0, 2.0], [3.0]]
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
            f"the spike times of {restarted} of {len(spikes)} units restart half way, like two recordings in one file",
            "correct the spike times, or name other data in neural.source",
        )
    notes = [f"{dropped} spike times that are not finite were left out"] if dropped else []
    notes += [f"the spike times of {unsorted} units were not in order and were sorted"] if unsorted else []
    return spikes, tuple(notes)


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
    intervals = numbers(data)
    ends = bounds(table, "obs_intervals")
    if ends is None:  # one interval per unit
        ends = np.arange(len(intervals) + 1)
    return [intervals[start:stop] for start, stop in pairwise(ends)]
