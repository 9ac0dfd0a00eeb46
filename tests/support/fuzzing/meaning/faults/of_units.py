"""Faults of units: indices, identities, spikes and observation."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support.fuzzing.meaning.fault import change, fault, replace
from tests.support.fuzzing.meaning.twins import Settings, Twin
from xcebra_nwb.core.refusals import Code

TIMES, INDEX = "/units/spike_times", "/units/spike_times_index"
LAYOUT = (Code.UNREADABLE_LAYOUT, Code.TIMES_NOT_TRUSTED, Code.DAMAGED)


@fault("roaming")
def duplicated_ids(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Two probes in one table, each with the ids 0, 1, 2."""
    change(h5, "/units/id", lambda ids: ids % 3)


@fault("roaming", *LAYOUT, named=r"index")
def wrapped_index(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """An index whose type is too small for its numbers."""
    kind = [np.uint8, np.uint16][int(rng.integers(2))] if h5[TIMES].shape[0] > 2**16 else np.uint8
    change(h5, INDEX, lambda ends: ends.astype(kind))


@fault("roaming", *LAYOUT, named=r"index|belong")
def index_that_ends_early(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """An index that does not lead to the last spike."""
    change(h5, INDEX, lambda ends: np.r_[ends[:-1], ends[-1] - (ends[-1] - ends[-2]) // 2])


@fault("roaming", *LAYOUT, named=r"index|belong")
def index_of_starts(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """The starts of the units instead of their ends."""
    change(h5, INDEX, lambda ends: np.r_[0, ends[:-1]])


@fault("roaming", *LAYOUT, Code.TOO_FEW_UNITS, named=r"\d ?% of all|all spikes|of the spikes|one unit")
def one_unit_with_all_spikes(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """An index that gives nearly all spikes to one unit."""
    owner, total = int(rng.integers(len(h5[INDEX]))), h5[TIMES].shape[0]
    few = 6
    left = few * (len(h5[INDEX]) - 1)
    ends = np.cumsum([total - left if unit == owner else few for unit in range(len(h5[INDEX]))])
    replace(h5, INDEX, ends)
    change(h5, TIMES, np.sort)


@fault("roaming", named=r"same spikes|identical|copy|twice|equal", always_named=True)
def identical_units(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A unit that stands in the table twice."""
    assert twin.spikes is not None
    twin.spikes.append(twin.spikes[int(rng.integers(len(twin.spikes)))])
    replace(h5, TIMES, np.concatenate(twin.spikes))
    replace(h5, INDEX, np.cumsum([len(times) for times in twin.spikes]))
    replace(h5, "/units/id", np.arange(len(twin.spikes)))


@fault("roaming", named=r"twice|duplicate|same time|repeated")
def spikes_twice(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A unit whose spikes stand there twice."""
    assert twin.spikes is not None
    unit = int(rng.integers(len(twin.spikes)))
    stored = [np.repeat(times, 2) if row == unit else times for row, times in enumerate(twin.spikes)]
    replace(h5, TIMES, np.concatenate(stored))
    replace(h5, INDEX, np.cumsum([len(times) for times in stored]))


@fault("roaming")
def unsorted_spikes(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Spikes of a unit that are not in order."""
    end = int(h5[INDEX][0])
    change(h5, TIMES, lambda times: np.r_[rng.permutation(times[:end]), times[end:]])


@fault("roaming")
def spikes_that_are_not_there(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """NaN among the spike times, to fill up the rows."""
    assert twin.spikes is not None
    stored = [np.r_[times, np.full(int(rng.integers(1, 40)), np.nan)] for times in twin.spikes]
    replace(h5, TIMES, np.concatenate(stored))
    replace(h5, INDEX, np.cumsum([len(times) for times in stored]))


@fault("roaming", named=r"zero|at 0|\b0 s\b|same time|repeat|twice", settings=Settings(start=(5.0, 50.0)))
def zeros_among_spikes(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """0 among the spike times, to fill up the rows."""
    assert twin.spikes is not None
    stored = [np.r_[times, np.zeros(int(rng.integers(5, 40)))] for times in twin.spikes]
    replace(h5, TIMES, np.concatenate(stored))
    replace(h5, INDEX, np.cumsum([len(times) for times in stored]))


# Observation
# -----------


def observe(h5: h5py.File, intervals: list[np.ndarray]) -> None:
    """Write observation intervals of every unit in s."""
    h5["/units/obs_intervals"] = np.concatenate(intervals)
    h5["/units/obs_intervals_index"] = np.cumsum([len(rows) for rows in intervals])


@fault("roaming", Code.TIMES_NOT_TRUSTED, Code.NO_COMMON_TIME, Code.NO_USABLE_BIN, Code.TOO_FEW_UNITS)
def observed_in_milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Observation intervals in milliseconds."""
    observe(h5, [np.array([[twin.start + 1, twin.stop - 1]]) * 1000] * len(h5[INDEX]))


@fault("roaming", Code.TIMES_NOT_TRUSTED, Code.NO_COMMON_TIME, Code.NO_USABLE_BIN, Code.TOO_FEW_UNITS)
def observed_another_time(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Observation intervals of another recording."""
    observe(h5, [np.array([[twin.start, twin.stop]]) + 2 * twin.seconds] * len(h5[INDEX]))


@fault("roaming")
def observed_in_disorder(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Observation intervals that overlap and are not in order."""
    middle = twin.start + twin.seconds / 2
    observe(h5, [np.array([[middle - 5, twin.stop], [twin.start, middle]])] * len(h5[INDEX]))


@fault("roaming", named=r"outside|observed|obs_intervals", always_named=True)
def spikes_outside_observation(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Observation intervals that leave out a third of the recording, in which units fire."""
    observe(h5, [np.array([[twin.start, twin.start + 0.65 * twin.seconds]])] * len(h5[INDEX]))
