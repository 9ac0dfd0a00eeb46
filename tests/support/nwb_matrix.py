"""The cases of the matrix: neural layouts, labels and masks of small files, each with the values that must come out.

A test takes one of each, and one of the ways to store them (nwb_storage.py). All files last 12 s and are read in bins
of 1 s. Three units have the counts of ``COUNTS``, spike by spike or as values at the centres of the bins. The values of
a label in every bin stand beside the label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.support.nwb_storage import Storage, as_zarr, typed_group, write_series, write_table

BINS = 12
COUNTS = np.array(
    [
        [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8],
        [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5],
        [1, 4, 1, 4, 2, 1, 3, 5, 6, 2, 3, 7],
    ]
).T  # (bin, unit)
SAMPLES = np.arange(120) / 10 + 0.05  # s: ten in every bin
CENTRES = [b + 0.5 for b in range(BINS)]  # s; also the mean of the sample times in every bin

Expected = Sequence[float | int | Sequence[float] | None]


# Masks: why bins are left out
# ----------------------------


@dataclass(frozen=True)
class Mask:
    """A reason why bins are left out.

    Attributes:
        gone: bins that are not valid.
        kept: the first bin of the dataset, and the bin after the last.
        borders: where a segment begins, s.
        config: keys of the config's section ``time``.
    """

    name: str
    gone: tuple[int, ...] = ()
    kept: tuple[int, int] = (0, BINS)
    borders: tuple[float, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


NO_MASK = Mask("nothing")
MASKS = [
    Mask("observed", gone=(5, 6)),
    Mask("invalid_times", gone=(2, 3, 9)),
    Mask("within", kept=(2, 9), config={"within": [2.0, 9.0]}),
    Mask("within_query", gone=(4, 5), config={"within": "/intervals/epochs: label == 'run'"}),
    Mask("trials", borders=(3.0, 7.0)),
    Mask("label_gap", gone=(5, 6, 7)),
    Mask("label_nan", gone=(5, 6, 7)),
]


# Layouts: where the activity of the units stands
# -----------------------------------------------


def spike_times(unit: int) -> np.ndarray:
    """Return the spike times of a unit; the first and the last of unit 0 lie beyond the labels."""
    found = [b + 0.02 + 0.9 * np.arange(n) / n for b, n in enumerate(COUNTS[:, unit])]
    return np.concatenate([[-0.5], *found, [12.5]] if unit == 0 else found)


def write_units(h5: h5py.File, path: str, storage: Storage, mask: Mask) -> None:
    """Write a units table, with observation intervals for the mask ``observed``."""
    group = typed_group(h5, path, "Units")
    times = [spike_times(unit) + storage.shift for unit in range(3)]
    group["id"] = np.arange(3)
    group["spike_times"] = np.concatenate(times)
    group["spike_times_index"] = np.cumsum([len(spikes) for spikes in times])
    if mask.name == "observed":
        rows = [[[0, 12]], [[0, 5], [7, 12]], [[0, 12]]]
        group["obs_intervals"] = np.concatenate([np.asarray(row, dtype=float) for row in rows]) + storage.shift
        group["obs_intervals_index"] = [1, 3, 4]
    group.attrs["colnames"] = ["spike_times"]


def series_of_counts(path: str, kind: str, unit: str) -> Callable[[h5py.File, str, Storage, Mask], None]:
    """Return a function that writes the counts as a series at the centres of the bins."""

    def write(h5: h5py.File, _: str, storage: Storage, mask: Mask) -> None:
        write_series(h5, path, kind, storage, np.arange(BINS) + 0.5, COUNTS.astype(float), unit)

    return write


def write_traces(h5: h5py.File, path: str, storage: Storage, mask: Mask) -> None:
    """Write the counts as one series a unit."""
    for unit, counts in enumerate(COUNTS.T.astype(float)):
        write_series(h5, f"/acquisition/Cell_{unit}", "TimeSeries", storage, np.arange(BINS) + 0.5, counts, "n/a")


DFF, RATES, BINNED = "/processing/ophys/DfOverF/dff", "/processing/ecephys/rates", "/processing/spikes/binned"
LAYOUTS: dict[str, tuple[str, Callable[[h5py.File, str, Storage, Mask], None]]] = {
    "units": ("/units", write_units),
    "units_in_a_module": ("/processing/ecephys/Units", write_units),
    "rates": (RATES, series_of_counts(RATES, "TimeSeries", "Hz")),
    "rois": (DFF, series_of_counts(DFF, "RoiResponseSeries", "n/a")),
    "counts": (BINNED, series_of_counts(BINNED, "TimeSeries", "counts")),
    "traces": ("/acquisition/Cell_*", write_traces),
}


# Labels
# ------


@dataclass(frozen=True)
class LabelCase:
    """A label: how a file stores it, how a config names it, and which values must come out.

    Attributes:
        expected: the value in every bin; None where it is missing.
        series: the path of the series, for labels that are sampled.
        values: of the samples, (sample, ...).
        write: writes a label that is not sampled; takes the open file and the shift of all times, s.
        borders: where the label begins a segment, s.
        tolerance: the largest difference from ``expected``.
    """

    name: str
    config: dict[str, Any]
    kind: str
    units: str
    expected: Expected
    series: str = ""
    values: np.ndarray | None = None
    times: np.ndarray = field(default_factory=lambda: SAMPLES)
    type: str = "TimeSeries"
    unit: str = "n/a"
    write: Callable[[h5py.File, float], None] = lambda h5, shift: None
    classes: tuple[str, ...] = ()
    borders: tuple[float, ...] = ()
    tolerance: float = 1e-6


def _wrapped(angles: Sequence[float]) -> list[float]:
    return np.angle(np.exp(1j * np.asarray(angles))).tolist()


BEHAVIOR = "/processing/behavior"
LED = f"{BEHAVIOR}/Position/led"
ROWS = [[0, 3], [3, 7], [8, 12]]
IN_BETWEEN = np.where(np.arange(120) % 2, 100.0, -100.0)  # its mean over a bin is 0
THIRD = np.repeat([0, 1, 1, 0, 2, 2, 2, 1, 0, 0, 1, 2], 10)
MIXED = np.where(np.arange(120) % 10 < np.where(np.arange(120) // 10 == 3, 5, 4), (THIRD + 1) % 3, THIRD)
TEXTS = np.array(["rest", "run", "turn"], dtype=object)
TURNING = _wrapped([0.7 * (b + 0.5) for b in range(BINS)])
LABELS = [
    LabelCase(
        "position", {"source": LED}, "continuous", "cm", [[t, 2 * t - 5] for t in CENTRES],
        series=LED, type="SpatialSeries", unit="cm", values=np.c_[SAMPLES, 2 * SAMPLES - 5],
    ),
    LabelCase(
        "position_in_a_free_container", {"source": f"{BEHAVIOR}/Maze 2: east/spot"}, "continuous", "m", CENTRES,
        series=f"{BEHAVIOR}/Maze 2: east/spot", type="SpatialSeries", unit="m", values=SAMPLES,
    ),
    LabelCase(
        "position_in_the_module", {"source": f"{BEHAVIOR}/track"}, "continuous", "m", [-t for t in CENTRES],
        series=f"{BEHAVIOR}/track", type="SpatialSeries", unit="m", values=-SAMPLES,
    ),
    LabelCase(
        "position_in_acquisition", {"source": "/acquisition/tracking"}, "continuous", "px", [[t, -t] for t in CENTRES],
        series="/acquisition/tracking", type="SpatialSeries", unit="px",
        values=np.c_[SAMPLES, IN_BETWEEN - SAMPLES],
    ),
    LabelCase(
        "compass_in_degrees", {"source": f"{BEHAVIOR}/CompassDirection"}, "circular", "rad", TURNING,
        series=f"{BEHAVIOR}/CompassDirection/hd", type="SpatialSeries", unit="degrees",
        values=np.mod(np.rad2deg(0.7 * SAMPLES), 360),
    ),
    LabelCase(
        "compass_in_meters", {"source": f"{BEHAVIOR}/CompassDirection/hd"}, "circular", "rad", TURNING,
        series=f"{BEHAVIOR}/CompassDirection/hd", type="SpatialSeries", unit="meters",
        values=np.mod(0.7 * SAMPLES, 2 * np.pi),
    ),
    LabelCase(
        "angle_in_cycles", {"source": f"{BEHAVIOR}/BehavioralTimeSeries/wheel", "kind": "circular"}, "circular", "rad",
        TURNING,
        series=f"{BEHAVIOR}/BehavioralTimeSeries/wheel", unit="cycles", values=0.7 * SAMPLES / (2 * np.pi),
    ),
    LabelCase(
        "faster_than_the_bins", {"source": f"{BEHAVIOR}/BehavioralTimeSeries/speed"}, "continuous", "m/s", CENTRES,
        series=f"{BEHAVIOR}/BehavioralTimeSeries/speed", unit="m/s", values=SAMPLES + IN_BETWEEN,
    ),
    LabelCase(
        "slower_than_the_bins", {"source": f"{BEHAVIOR}/BehavioralTimeSeries/slow"}, "continuous", "V",
        [None, *CENTRES[1:11], 11.0],  # nothing is invented before the first sample, and the last stands for itself
        series=f"{BEHAVIOR}/BehavioralTimeSeries/slow", unit="V",
        values=np.arange(1.0, 12, 2), times=np.arange(1.0, 12, 2),
    ),
    LabelCase(
        "in_an_odd_module", {"source": "/processing/Recorded behavior data/lever: x"}, "continuous", "V", CENTRES,
        series="/processing/Recorded behavior data/lever: x", unit="V", values=SAMPLES,
    ),
    LabelCase(
        "codes", {"source": f"{BEHAVIOR}/state"}, "discrete", "", [0, 1, 1, None, 2, 2, 2, 1, 0, 0, 1, 2],
        series=f"{BEHAVIOR}/state", values=MIXED, classes=("0", "1", "2"),
    ),
    LabelCase(
        "texts", {"source": f"{BEHAVIOR}/state"}, "discrete", "", [0, 1, 1, None, 2, 2, 2, 1, 0, 0, 1, 2],
        series=f"{BEHAVIOR}/state", values=TEXTS[MIXED], classes=("rest", "run", "turn"),
    ),
    LabelCase(
        "pupil", {"source": f"{BEHAVIOR}/PupilTracking/diameter"}, "continuous", "mm", [2 * t for t in CENTRES],
        series=f"{BEHAVIOR}/PupilTracking/diameter", unit="mm", values=2 * SAMPLES,
    ),
    LabelCase(
        "gaze", {"source": f"{BEHAVIOR}/EyeTracking/right"}, "continuous", "degrees", [[t, -t] for t in CENTRES],
        series=f"{BEHAVIOR}/EyeTracking/right", type="SpatialSeries", unit="degrees", values=np.c_[SAMPLES, -SAMPLES],
    ),
    LabelCase(
        "part_of_a_pose", {"source": f"{BEHAVIOR}/pose", "columns": [4, 1]}, "continuous", "px",
        [[4 * t, t] for t in CENTRES],
        series=f"{BEHAVIOR}/pose", unit="px", values=SAMPLES[:, None] * np.array([9, 1, 9, 9, 4, 9]),
    ),
    LabelCase(
        "speed", {"source": LED, "derive": "speed", "smoothing": 0}, "continuous", "cm/s",
        [5 * t for t in CENTRES], series=LED, type="SpatialSeries", unit="cm", tolerance=0.03,
        values=np.c_[1.5 * SAMPLES**2, 2 * SAMPLES**2],
    ),
    LabelCase(
        "heading", {"source": LED, "derive": "heading", "smoothing": 0}, "circular", "rad", TURNING,
        series=LED, type="SpatialSeries", unit="cm", tolerance=0.02,
        values=np.c_[np.sin(0.7 * SAMPLES), -np.cos(0.7 * SAMPLES)],
    ),
    LabelCase(
        "distance", {"source": LED, "derive": "distance", "point": [0, 1]}, "continuous", "cm",
        [5 * t for t in CENTRES], series=LED, type="SpatialSeries", unit="cm",
        values=np.c_[3 * SAMPLES, 4 * SAMPLES + 1],
    ),
    LabelCase(
        "linear_position",
        {"source": LED, "derive": "linear_position", "track": [[0, 0], [3, 4], [9, 4]]},
        "continuous", "cm", [5 * t / 10 for t in CENTRES], series=LED, type="SpatialSeries", unit="cm",
        values=np.array([3.0, 4.0]) * np.minimum(SAMPLES, 10)[:, None] / 10
        + np.c_[np.maximum(SAMPLES - 10, 0) / 2, np.zeros(120)],
    ),
    LabelCase(
        "trial_texts", {"source": "/intervals/trials#side"}, "discrete", "", [1, 1, 1, 0, 0, 0, 0, None, 1, 1, 1, 1],
        write=lambda h5, shift: write_table(h5, "/intervals/trials", ROWS, shift, side=["right", "left", "right"]),
        classes=("left", "right"), borders=(3.0,),
    ),
    LabelCase(
        "trial_numbers", {"source": "/intervals/trials#contrast"}, "continuous", "",
        [0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, None, 0.9, 0.9, 0.9, 0.9],
        write=lambda h5, shift: write_table(h5, "/intervals/trials", ROWS, shift, contrast=[0.1, 0.5, 0.9]),
        borders=(3.0,),
    ),
    LabelCase(
        "trial_truths", {"source": "/intervals/other trials#go"}, "discrete", "",
        [1, 1, 1, 0, 0, 0, 0, None, 1, 1, 1, 1],
        write=lambda h5, shift: write_table(h5, "/intervals/other trials", ROWS, shift, go=[True, False, True]),
        classes=("False", "True"), borders=(3.0,),
    ),
    LabelCase(
        "sleep_in_a_module", {"source": f"{BEHAVIOR}/sleep#state"}, "discrete", "",
        [0, 0, 0, 1, 1, 1, 1, None, 0, 0, 0, 0],
        write=lambda h5, shift: write_table(h5, f"{BEHAVIOR}/sleep", ROWS, shift, state=["nrem", "rem", "nrem"]),
        classes=("nrem", "rem"), borders=(3.0,),
    ),
    LabelCase(
        "time_within_trials", {"source": "/intervals/trials", "derive": "time_within"}, "continuous", "s",
        [0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, None, 0.5, 1.5, 2.5, 3.5],
        write=lambda h5, shift: write_table(h5, "/intervals/trials", ROWS, shift), borders=(3.0,),
    ),
    LabelCase(
        "time_from_a_cue", {"source": "/intervals/trials#cue_time", "derive": "time_from"}, "continuous", "s",
        [-0.5, 0.5, 1.5, -1.5, -0.5, 0.5, 1.5, None, 0.5, 1.5, 2.5, 3.5],
        write=lambda h5, shift: write_table(h5, "/intervals/trials", ROWS, shift, cue_time=[1.0, 5.0, 8.0]),
        borders=(3.0,),
    ),
    LabelCase(
        "inside_epochs", {"source": "/intervals/ripples"}, "discrete", "", [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        write=lambda h5, shift: write_table(h5, "/intervals/ripples", [[0, 3], [6, 9], [9, 12]], shift),
        classes=("outside", "inside"),
    ),
    LabelCase(
        "behavioral_epochs", {"source": f"{BEHAVIOR}/BehavioralEpochs/running"}, "discrete", "",
        [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1], classes=("outside", "running"),
        write=lambda h5, shift: write_series(
            h5, f"{BEHAVIOR}/BehavioralEpochs/running", "IntervalSeries", Storage("timestamps", shift),
            np.array([0.0, 3, 6, 12]), np.array([1, -1, 1, -1], dtype=np.int8), "n/a"),
    ),
    LabelCase(
        "since_an_event", {"source": f"{BEHAVIOR}/BehavioralEvents/licks", "derive": "time_from"}, "continuous", "s",
        [0.5, 1.5, 2.5, 3.5, 0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, 4.5],
        write=lambda h5, shift: write_series(
            h5, f"{BEHAVIOR}/BehavioralEvents/licks", "TimeSeries", Storage("timestamps", shift),
            np.array([0.0, 4, 7, 12]), np.ones(4), "n/a"),
    ),
]  # fmt: skip


# Files
# -----


def write_file(path: Path, layout: str, label: LabelCase, mask: Mask, storage: Storage) -> Path:
    """Write the file of one case and return it, a folder if it is Zarr."""
    with h5py.File(path, "w") as h5:
        h5.attrs.update({"nwb_version": "2.7.0", "neurodata_type": "NWBFile", "namespace": "core"})
        texts = {"identifier": "matrix", "session_description": "made for a test", "session_start_time": "2026-01-01"}
        for name, text in texts.items():
            h5[name] = text
        LAYOUTS[layout][1](h5, LAYOUTS[layout][0], storage, mask)
        if label.values is not None:
            times, values = _with_holes(label, mask)
            write_series(h5, label.series, label.type, storage, times, values, label.unit)
        label.write(h5, storage.shift)
        if mask.name == "invalid_times":
            write_table(h5, "/intervals/invalid_times", [[2.5, 3.5], [9.1, 9.2]], storage.shift)
        if mask.name == "within_query":
            write_table(h5, "/intervals/epochs", [[0, 4], [4, 6], [6, 12]], storage.shift, label=["run", "rest", "run"])
        if mask.name == "trials":
            write_table(h5, "/intervals/trials", [[0, 3], [3, 7], [7, 12]], storage.shift)
    return as_zarr(path) if storage.zarr else path


def _with_holes(label: LabelCase, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
    assert label.values is not None
    hole = (label.times > 5) & (label.times < 8)
    if mask.name == "label_gap":
        return label.times[~hole], label.values[~hole]
    if mask.name == "label_nan":
        values = label.values.astype(float)
        values[hole] = np.nan
        return label.times, values
    return label.times, label.values
