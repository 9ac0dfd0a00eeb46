"""Clean recordings whose labels and activity are known at every time, written with h5py.

A fault is injected into a copy. The copy is then compared with what is known of the recording, not with another file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from tests.support.nwb_storage import TIMESTAMPS, typed_group, write_series, write_table

POSITION = "/processing/behavior/Position/position"
DIRECTION = "/processing/behavior/CompassDirection/head_direction"
SPEED = "/processing/behavior/BehavioralTimeSeries/running_speed"
TRACK = "/processing/behavior/Position/track"
CONTEXT = "/processing/behavior/BehavioralTimeSeries/context"
DFF = "/processing/ophys/DfOverF/dff"
PLANE = "/processing/ophys/ImageSegmentation/PlaneSegmentation"
TRIALS = "/intervals/trials"
LAP = 180.0  # cm
CONTEXTS = ("dark", "grass", "snow")
SIDES = ("left", "right")
AROUND_RESET = 0.3  # s on either side of a jump, where a mean or a smoothed speed is not defined

Course = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Truth:
    """A label as it is at any time.

    Attributes:
        kind: Kind of the label.
        at: Its values (time, axis), angles in rad (time,) or names (time,); NaN or "" where nothing is known.
        tolerance: Largest difference that sampling can make.
    """

    kind: Literal["continuous", "circular", "discrete"]
    at: Course
    tolerance: float = 0.0


@dataclass
class Twin:
    """A clean recording and its truth.

    Attributes:
        path: The file.
        start: Start of the recording in s.
        seconds: Its length in s.
        rate: Samples of behaviour per s.
        truths: Truth of each label by its source, or by ``source:derive``.
        labels: Labels to name in the config, by name.
        spikes: Spike times of each unit in s; None for imaging.
        traces: dF/F (time, roi) at any time; None for spikes.
    """

    path: Path
    start: float
    seconds: float
    rate: float
    truths: dict[str, Truth]
    labels: dict[str, dict[str, Any]]
    spikes: list[np.ndarray] | None = None
    traces: Course | None = None
    width: float = 0.1

    @property
    def times(self) -> np.ndarray:
        """The times of the samples of behaviour in s."""
        return self.start + np.arange(round(self.seconds * self.rate)) / self.rate

    @property
    def stop(self) -> float:
        """The end of the recording in s."""
        return self.start + self.seconds

    def config(self, labels: Mapping[str, Mapping[str, Any]] | Literal["auto"]) -> dict[str, Any]:
        """Return a config with these labels."""
        time: dict[str, Any] = {} if self.traces is not None else {"bin_width": self.width}
        return {"labels": labels if labels == "auto" else dict(labels), "time": time, "neural": {"min_spikes": 5}}


@dataclass(frozen=True)
class Settings:
    """Settings of a recording that a fault needs.

    Attributes:
        start: Range of its start in s; None for 0 or up to a minute.
        seconds: Range of its length in s.
        derive: What is derived from its first label; "" for the labels themselves.
    """

    start: tuple[float, float] | None = None
    seconds: tuple[float, float] = (60.0, 75.0)
    derive: str = ""


def make(kind: str, path: Path, rng: np.random.Generator, settings: Settings) -> Twin:
    """Write a clean recording of a kind to ``path`` and return it with its truth."""
    start = rng.choice([0.0, round(rng.uniform(1, 60), 2)]) if settings.start is None else rng.uniform(*settings.start)
    twin = Twin(
        path=path,
        start=round(float(start), 2),
        seconds=float(np.round(rng.uniform(*settings.seconds))),
        rate=float(rng.choice([20.0, 25.0, 30.0])),
        truths={},
        labels={},
    )
    with h5py.File(path, "w") as h5:
        h5.attrs["nwb_version"], h5.attrs["neurodata_type"] = "2.7.0", "NWBFile"
        h5["identifier"], h5["session_description"] = "twin", "a clean recording"
        KINDS[kind](h5, twin, rng)
    if settings.derive:
        twin.labels = {"speed": {"source": next(iter(twin.labels.values()))["source"], "derive": settings.derive}}
    return twin


# Courses of time
# ---------------


def course(rng: np.random.Generator, low: float, high: float, waves: int = 4) -> Course:
    """Return a smooth random course between two values: a sum of slow waves."""
    frequencies, phases = rng.uniform(0.03, 0.2, waves), rng.uniform(0, 2 * np.pi, waves)
    weights = rng.dirichlet(np.ones(waves) * 3)

    def at(times: np.ndarray) -> np.ndarray:
        waved = np.sin(2 * np.pi * frequencies * np.asarray(times)[:, None] + phases) @ weights
        return np.asarray(low + (high - low) * (1 + waved) / 2)

    return at


def beside(*courses: Course) -> Course:
    """Return courses as columns (time, axis)."""
    return lambda times: np.stack([at(times) for at in courses], axis=1)


def speed_of(place: Course) -> Course:
    """Return the length of the velocity (time, 1) of a course of places, smoothed like a derived speed."""
    step, reach = 0.02, np.arange(-15, 16) * 0.02
    weights = np.exp(-0.5 * (reach / 0.1) ** 2)

    def at(times: np.ndarray) -> np.ndarray:
        def smooth(shift: float) -> np.ndarray:
            return sum(w * place(times + shift + r) for w, r in zip(weights / weights.sum(), reach, strict=True))

        return np.asarray(np.linalg.norm((smooth(step) - smooth(-step)) / (2 * step), axis=1)[:, None])

    return at


def unless_near(at: Course, borders: np.ndarray, reach: float) -> Course:
    """Return a course that is NaN near ``borders``, where a mean over a bin has no meaning."""

    def known(times: np.ndarray) -> np.ndarray:
        values = np.array(at(times), dtype=float)
        away = np.abs(np.asarray(times)[:, None] - borders).min(axis=1, initial=np.inf)
        values[away < reach] = np.nan
        return values

    return known


# Units
# -----


def write_spikes(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write a units table whose units fire at changing rates, and keep their times in the twin."""
    units, twin.spikes = int(rng.integers(5, 8)), []
    for _ in range(units):
        at = course(rng, 1.0, rng.uniform(8, 20))
        times = np.sort(rng.uniform(twin.start, twin.stop, rng.poisson(20 * twin.seconds)))
        twin.spikes.append(times[rng.uniform(0, 20, len(times)) < at(times)])
    group = typed_group(h5, "/units", "Units")
    group["id"] = np.arange(units)
    group["spike_times"] = np.concatenate(twin.spikes)
    group["spike_times_index"] = np.cumsum([len(times) for times in twin.spikes])
    group.attrs["colnames"] = ["spike_times"]


def write_rois(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write dF/F of a few regions of interest at 10 frames per s."""
    rois, frames = int(rng.integers(6, 10)), twin.start + np.arange(round(twin.seconds * 10)) / 10
    twin.traces = beside(*(course(rng, 0.0, rng.uniform(1, 3)) for _ in range(rois)))
    write_series(h5, DFF, "RoiResponseSeries", TIMESTAMPS, frames, twin.traces(frames), "a.u.")
    plane = typed_group(h5, PLANE, "PlaneSegmentation")
    plane["id"], plane["is_cell"] = np.arange(rois), np.arange(rois) % 2
    plane.attrs["colnames"] = ["is_cell"]
    region = h5[DFF].create_dataset("rois", data=np.arange(rois))
    region.attrs["table"], region.attrs["neurodata_type"] = plane.ref, "DynamicTableRegion"


# Kinds of recordings
# -------------------


def roaming(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write units, a position in a box that is away from (0, 0), and a head direction that turns many times."""
    write_spikes(h5, twin, rng)
    scale, far = rng.choice([1.0, 100.0]), rng.uniform(0.15, 0.4)
    place = beside(*(course(rng, scale * far, scale * (far + 1)) for _ in range(2)))
    swing, pace = course(rng, -2.0, 2.0), rng.uniform(0.4, 0.8)
    write_series(h5, POSITION, "SpatialSeries", TIMESTAMPS, twin.times, place(twin.times), "m" if scale == 1 else "cm")

    def angle(times: np.ndarray) -> np.ndarray:
        return np.mod(pace * times + swing(times), 2 * np.pi)

    write_series(h5, DIRECTION, "SpatialSeries", TIMESTAMPS, twin.times, angle(twin.times), "radians")
    twin.truths = {
        POSITION: Truth("continuous", place, 0.04 * scale),
        f"{POSITION}:speed": Truth("continuous", speed_of(place), 0.1 * scale),
        DIRECTION: Truth("circular", angle, 0.15),
    }
    twin.labels = {"position": {"source": POSITION}, "head_direction": {"source": DIRECTION}}


def imaging(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write dF/F and a running speed."""
    write_rois(h5, twin, rng)
    running = beside(course(rng, 1.0, rng.uniform(20, 40)))
    write_series(h5, SPEED, "TimeSeries", TIMESTAMPS, twin.times, running(twin.times)[:, 0], "cm/s")
    twin.truths = {SPEED: Truth("continuous", running, 1.2)}
    twin.labels = {"speed": {"source": SPEED}}


def laps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write units, a position that runs along a track and starts again, and the context that is shown."""
    write_spikes(h5, twin, rng)
    pace, sway = rng.uniform(20, 30), course(rng, -15.0, 15.0)  # cm/s, cm

    def way(times: np.ndarray) -> np.ndarray:
        return np.asarray(pace * (times - twin.start) + sway(times) + 20)

    fine = np.arange(twin.start - 1, twin.stop + 1, 0.005)
    resets = fine[1:][np.diff(np.floor(way(fine) / LAP)) != 0]
    place = unless_near(lambda times: np.mod(way(times), LAP)[:, None], resets, AROUND_RESET)
    stored = np.mod(way(twin.times), LAP)
    write_series(h5, TRACK, "SpatialSeries", TIMESTAMPS, twin.times, stored, "cm")
    changes = np.r_[twin.start, np.sort(rng.uniform(twin.start + 2, twin.stop - 2, 9))]
    codes = rng.permutation(np.arange(len(changes)) % len(CONTEXTS))

    def context(times: np.ndarray) -> np.ndarray:
        held = codes[np.clip(np.searchsorted(changes, times, side="right") - 1, 0, None)]
        names = np.array(CONTEXTS, dtype=object)[held]
        names[np.abs(np.asarray(times)[:, None] - changes).min(axis=1) < twin.width] = ""
        return names

    held = codes[np.clip(np.searchsorted(changes, twin.times, side="right") - 1, 0, None)]
    write_series(h5, CONTEXT, "TimeSeries", TIMESTAMPS, twin.times, np.zeros(len(held)), "n/a")
    del h5[CONTEXT]["data"]
    names = np.array(CONTEXTS, dtype=object)[held]
    h5[CONTEXT].create_dataset("data", data=names, dtype=h5py.string_dtype()).attrs["unit"] = "n/a"
    twin.truths = {
        TRACK: Truth("continuous", place, 2.5),
        f"{TRACK}:speed": Truth("continuous", unless_near(speed_of(beside(way)), resets, AROUND_RESET), 3.0),
        CONTEXT: Truth("discrete", context),
    }
    twin.labels = {"track": {"source": TRACK}, "context": {"source": CONTEXT}}


def choices(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Write units and trials of different lengths, with the side that was chosen."""
    write_spikes(h5, twin, rng)
    lengths, pauses = rng.uniform(1.0, 2.0, 200), rng.uniform(0.3, 0.8, 200)
    starts = twin.start + np.cumsum(np.r_[0.5, (lengths + pauses)[:-1]])
    count = int(np.sum(starts + lengths < twin.stop - 0.5))
    rows = np.stack([starts, starts + lengths], axis=1)[:count]
    sides = np.array(SIDES, dtype=object)[rng.permutation(np.arange(count) % 2)]
    write_table(h5, TRIALS, rows.tolist(), side=sides.astype(str), reward=rng.permutation(np.arange(count) % 2) == 1)

    def side(times: np.ndarray) -> np.ndarray:
        row = np.searchsorted(rows[:, 0], times, side="right") - 1
        inside = (row >= 0) & (times < rows[np.clip(row, 0, None), 1])
        return np.where(inside, sides[np.clip(row, 0, None)], "")

    twin.truths = {f"{TRIALS}#side": Truth("discrete", side)}
    twin.labels = {"side": {"source": f"{TRIALS}#side"}}


KINDS: dict[str, Callable[[h5py.File, Twin, np.random.Generator], None]] = {
    "roaming": roaming,
    "imaging": imaging,
    "laps": laps,
    "choices": choices,
}
