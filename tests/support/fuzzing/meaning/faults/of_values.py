"""Faults of the values of series."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support.fuzzing.meaning.fault import change, fault, replace, runs
from tests.support.fuzzing.meaning.twins import (
    AROUND_RESET,
    CONTEXT,
    DFF,
    DIRECTION,
    POSITION,
    SPEED,
    TRACK,
    Settings,
    Truth,
    Twin,
    unless_near,
)
from xcebra_nwb.core.refusals import Code

NOTHING = r"stands? for nothing|no value|sentinel|lost|missing value|recur"
NOT_THERE = r"never written|not written|unwritten|missing|not there|no source"


@fault("roaming", named=NOTHING)
def sentinel(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """-999 and the like where the animal was not seen."""
    value = float(rng.choice([-999, -9999, 9999, -1, -32768, 1e30]))
    _in_runs(h5, f"{POSITION}/data", rng, value)


@fault("imaging", named=NOTHING)
def sentinel_of_one_column(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """-999 and the like in a running speed."""
    _in_runs(h5, f"{SPEED}/data", rng, float(rng.choice([-999, -9999, 9999, -32768, 1e30])))


@fault("roaming", named=NOTHING)
def zero_runs(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """(0, 0) in runs where tracking was lost."""
    _in_runs(h5, f"{POSITION}/data", rng, 0.0)


@fault("roaming")
def infinite(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Inf where tracking was lost."""
    _in_runs(h5, f"{rng.choice([POSITION, DIRECTION])}/data", rng, float(rng.choice([np.inf, -np.inf])))


@fault("roaming")
def nan_runs(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """NaN in long and short runs."""
    _in_runs(h5, f"{rng.choice([POSITION, DIRECTION])}/data", rng, np.nan, longest=3.0)


def _in_runs(h5: h5py.File, path: str, rng: np.random.Generator, value: float, longest: float = 1.0) -> None:
    def lost(values: np.ndarray) -> np.ndarray:
        values[runs(rng, len(values), 4, int(longest * 25), rng.uniform(0.03, 0.12))] = value
        return values

    change(h5, path, lost)


@fault("roaming", settings=Settings(seconds=(80.0, 100.0)))
def frozen(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A position that stands exactly still where tracking was lost."""
    first = int(rng.integers(20, len(twin.times) // 3))
    count = int(twin.rate * rng.uniform(31, 45))

    def still(values: np.ndarray) -> np.ndarray:
        values[first : first + count] = values[first]
        return values

    change(h5, f"{POSITION}/data", still)


@fault("roaming", named=r"never changes|constant", always_named=True)
def constant_column(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A third coordinate that never changes."""
    change(h5, f"{POSITION}/data", lambda values: np.column_stack([values, np.full(len(values), rng.normal())]))


@fault("imaging", Code.LABEL_CONSTANT, Code.NO_LABEL)
def constant_label(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A label with one value."""
    change(h5, f"{SPEED}/data", lambda values: np.full(len(values), rng.choice([0.0, 3.5])))


@fault("imaging", Code.LABEL_CONSTANT, Code.UNREADABLE_LAYOUT, Code.NO_LABEL)
def conversion_of_zero(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A conversion factor of 0."""
    h5[f"{SPEED}/data"].attrs["conversion"] = 0.0


@fault("imaging", Code.LABEL_EMPTY, Code.UNREADABLE_LAYOUT, Code.NO_LABEL)
def conversion_of_nan(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A conversion factor or an offset that is no number."""
    h5[f"{SPEED}/data"].attrs[str(rng.choice(["conversion", "offset"]))] = np.nan


@fault("roaming", Code.UNIT_NOT_TRUSTED, Code.NO_LABEL, named=r"degrees|radians")
def degrees_called_radians(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Degrees whose unit says radians."""
    change(h5, f"{DIRECTION}/data", np.rad2deg)


@fault("roaming", Code.UNIT_NOT_TRUSTED, Code.NO_LABEL, named=r"degrees|radians")
def degrees_called_radians_without_a_turn(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Degrees whose unit says radians, and which never pass a full turn."""
    times, middle, reach = twin.times, rng.uniform(120, 240), rng.uniform(40, 100)
    replace(h5, f"{DIRECTION}/data", middle + reach * np.sin(2 * np.pi * times * rng.uniform(0.03, 0.06)))
    h5[f"{DIRECTION}/data"].attrs["unit"] = "radians"


@fault("roaming", Code.UNIT_NOT_TRUSTED, Code.NO_LABEL, named=r"degrees|radians")
def radians_called_degrees(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Radians whose unit says degrees."""
    h5[f"{DIRECTION}/data"].attrs["unit"] = str(rng.choice(["degrees", "deg"]))
    if rng.random() < 0.5:
        change(h5, f"{DIRECTION}/data", lambda values: np.angle(np.exp(1j * values)))


# Data that are not there
# -----------------------


@fault("roaming", Code.DAMAGED, Code.LEADS_ELSEWHERE, Code.LABEL_EMPTY, Code.NO_LABEL, named=NOT_THERE)
def unwritten_chunks(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Chunks of a label that were never written."""
    unwritten(h5, f"{rng.choice([POSITION, DIRECTION])}/data", rng)


@fault("roaming", Code.DAMAGED, Code.LEADS_ELSEWHERE, Code.TIMES_NOT_TRUSTED, named=NOT_THERE)
def unwritten_times(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Chunks of timestamps that were never written."""
    unwritten(h5, f"{POSITION}/timestamps", rng)


@fault("imaging", Code.DAMAGED, Code.LEADS_ELSEWHERE, named=NOT_THERE)
def unwritten_activity(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Chunks of dF/F that were never written."""
    unwritten(h5, f"{DFF}/data", rng)


@fault("roaming", Code.DAMAGED, Code.LEADS_ELSEWHERE, named=NOT_THERE)
def unwritten_spikes(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Chunks of spike times that were never written."""
    unwritten(h5, "/units/spike_times", rng)


def unwritten(h5: h5py.File, path: str, rng: np.random.Generator) -> None:
    """Store a dataset in chunks of which some are never written."""
    values, attributes = h5[path][()], dict(h5[path].attrs)
    size = max(len(values) // 12, 8)
    del h5[path]
    stored = h5.create_dataset(path, shape=values.shape, dtype=values.dtype, chunks=(size, *values.shape[1:]))
    stored.attrs.update(attributes)
    first = int(rng.integers(1, 8))
    for chunk, start in enumerate(range(0, len(values), size)):
        if not first <= chunk < first + 2:
            stored[start : start + size] = values[start : start + size]


@fault("roaming", Code.DAMAGED, Code.LEADS_ELSEWHERE, Code.LABEL_EMPTY, Code.NO_LABEL, named=NOT_THERE)
def missing_virtual_source(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A virtual dataset of which one source file is not there."""
    path = f"{POSITION}/data"
    values, attributes = h5[path][()], dict(h5[path].attrs)
    half, beside = len(values) // 2, twin.path.with_name("second.h5")
    with h5py.File(beside, "w") as other:
        other["data"] = values[:half]
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[:half] = h5py.VirtualSource("second.h5", "data", values[:half].shape)
    layout[half:] = h5py.VirtualSource("gone.h5", "data", values[half:].shape)
    del h5[path]
    h5.create_virtual_dataset(path, layout).attrs.update(attributes)


# What values mean
# ----------------


@fault("roaming", named=r"confidence", labels={"position": {"source": POSITION}})
def low_confidence(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A key point that jumps anywhere where its confidence is low."""
    lost = runs(rng, len(twin.times), 1, 6, 0.06)
    group = h5[POSITION]
    group.attrs["neurodata_type"] = "PoseEstimationSeries"
    group["confidence"] = np.where(lost, rng.uniform(0.0, 0.05, len(lost)), rng.uniform(0.95, 1.0, len(lost)))

    def jumps(values: np.ndarray) -> np.ndarray:
        anywhere = rng.uniform(values.min(axis=0), values.max(axis=0), values.shape)
        return np.where(lost[:, None], anywhere, values)

    change(h5, f"{POSITION}/data", jumps)


@fault("laps", settings=Settings(derive="speed"))
def lap_resets(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A position that starts again with every lap, of which a speed is derived."""


@fault("laps", settings=Settings(derive="speed"))
def lap_resets_in_wide_steps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Laps in whole centimetres, of which a speed is derived."""
    change(h5, f"{TRACK}/data", np.round)
    truth = twin.truths[f"{TRACK}:speed"]
    twin.truths[f"{TRACK}:speed"] = Truth("continuous", truth.at, 3 * truth.tolerance)


@fault("roaming", settings=Settings(derive="speed"))
def teleports(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A virtual position that is set to another place a few times, of which a speed is derived."""
    places = np.sort(rng.choice(np.arange(60, len(twin.times) - 60, 60), 3, replace=False))
    times, scale = twin.times, float(np.ptp(h5[f"{POSITION}/data"][()]))

    def moved(values: np.ndarray) -> np.ndarray:
        for number, place in enumerate(places):
            values[place:] += (1 + number % 2) * scale * (-1) ** number
        return values

    change(h5, f"{POSITION}/data", moved)
    truth = twin.truths[f"{POSITION}:speed"]
    del twin.truths[POSITION]
    known = unless_near(truth.at, times[places], AROUND_RESET)
    twin.truths[f"{POSITION}:speed"] = Truth("continuous", known, truth.tolerance)


@fault("laps", named=r"code|class|whole number|discrete", labels={"context": {"source": CONTEXT}})
def codes_as_floats(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """The states 1., 2. and 3. as floating-point numbers."""
    names = h5[f"{CONTEXT}/data"].asstr()[()]
    known = sorted(set(names))
    codes = np.array([known.index(name) + 1.0 for name in names])
    codes[rng.random(len(codes)) < 0.02] = np.nan
    replace(h5, f"{CONTEXT}/data", codes)
    numbers = {name: str(known.index(name) + 1) for name in known} | {"": ""}
    truth = twin.truths[CONTEXT]
    twin.truths[CONTEXT] = Truth("discrete", lambda times: np.vectorize(numbers.get, otypes=[object])(truth.at(times)))


@fault("laps", labels={"context": {"source": CONTEXT}})
def step_series(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A state that is written when it changes, and says so (continuity: step)."""
    _on_change(h5)
    h5[f"{CONTEXT}/data"].attrs["continuity"] = "step"


@fault(
    "laps",
    Code.LABEL_TOO_SLOW,
    Code.NO_USABLE_BIN,
    Code.LABEL_CONSTANT,
    Code.NO_LABEL,
    named=r"change|step|held",
    labels={"context": {"source": CONTEXT}},
)
def events_on_change(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A state that is written when it changes, and does not say so."""
    _on_change(h5)


def _on_change(h5: h5py.File) -> None:
    names, times = h5[f"{CONTEXT}/data"].asstr()[()], h5[f"{CONTEXT}/timestamps"][()]
    kept = np.r_[True, names[1:] != names[:-1]]
    kept[-1] = True  # when the recording stops
    replace(h5, f"{CONTEXT}/timestamps", times[kept])
    replace(h5, f"{CONTEXT}/data", names[kept].astype(object), dtype=h5py.string_dtype())
