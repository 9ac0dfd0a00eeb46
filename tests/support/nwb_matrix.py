"""The parts of the matrix: neural layouts, labels, masks and formats of small files, each with what must come out.

All files last 12 s and are read in bins of 1 s. Three units have the counts of ``COUNTS``, spike by spike or as values
at the centres of the bins. What a label must be in every bin is written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from numcodecs import VLenUTF8

BINS = 12
COUNTS = np.array(
    [
        [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8],
        [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5],
        [1, 4, 1, 4, 2, 1, 3, 5, 6, 2, 3, 7],
    ]
).T  # (bin, unit)
SAMPLES = np.arange(120) / 10 + 0.05  # s: ten in every bin
RAMP = [b + 0.5 for b in range(BINS)]  # the mean time in every bin
N = None  # missing

Expected = Sequence[float | int | Sequence[float] | None]


@dataclass(frozen=True)
class Format:
    """How a file stores what it stores."""

    name: str
    shift: float = 0.0
    zarr: bool = False


TIMESTAMPS = Format("timestamps")
FORMATS = [
    Format("rate"),
    Format("float32"),
    Format("scaled"),
    Format("unsorted"),
    Format("shared_times"),
    Format("compressed"),
    Format("linked"),
    Format("times_missing"),
    Format("repeated"),
    Format("shifted", shift=1000.0),
    Format("negative", shift=-500.0),
    Format("zarr", zarr=True),
]


@dataclass(frozen=True)
class Mask:
    """What takes bins out: ``gone`` (bins), ``kept`` (the first bin and the one after the last), ``borders`` (s)."""

    name: str
    gone: tuple[int, ...] = ()
    kept: tuple[int, int] = (0, BINS)
    borders: tuple[float, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


NOTHING = Mask("nothing")
MASKS = [
    Mask("observed", gone=(5, 6)),
    Mask("invalid_times", gone=(2, 3, 9)),
    Mask("within", kept=(2, 9), config={"within": [2.0, 9.0]}),
    Mask("within_query", gone=(4, 5), config={"within": "/intervals/epochs: label == 'run'"}),
    Mask("trials", borders=(3.0, 7.0)),
    Mask("label_gap", gone=(5, 6, 7)),
    Mask("label_nan", gone=(5, 6, 7)),
]


@dataclass(frozen=True)
class LabelCase:
    """A label: how it is written, named and what it is in every bin (``N``: missing)."""

    name: str
    config: dict[str, Any]
    kind: str
    units: str
    expected: Expected
    series: str = ""  # the path of the series, for labels that are sampled
    values: np.ndarray | None = None  # (sample, ...)
    times: np.ndarray = field(default_factory=lambda: SAMPLES)
    type: str = "TimeSeries"
    unit: str = "n/a"
    write: Callable[[h5py.File, float], None] = lambda h5, shift: None
    classes: tuple[str, ...] = ()
    borders: tuple[float, ...] = ()
    tolerance: float = 1e-6


def put(h5: h5py.File, path: str, kind: str, how: Format, times: np.ndarray, data: np.ndarray, unit: str) -> None:
    """Write a series of ``kind`` at ``path`` in the format ``how``."""
    times = times + how.shift
    where = "/acquisition/elsewhere" if how.name == "linked" else path
    group = _group(h5, where, kind)
    options: dict[str, Any] = {"chunks": True, "compression": "gzip"} if how.name == "compressed" else {}
    if how.name == "repeated":
        times, data = np.repeat(times, 2), np.repeat(data, 2, axis=0)
    if how.name == "unsorted":
        order = np.random.default_rng(1).permutation(len(times))
        times, data = times[order], data[order]
    if how.name == "times_missing":
        times, data = np.r_[times, np.nan, np.nan], np.concatenate([data, data[:2]])
    if how.name == "scaled":
        data = (data - 3.0) / 0.25
    stored = group.create_dataset("data", data=data, **options)
    stored.attrs["unit"] = unit
    if how.name == "scaled":
        stored.attrs["conversion"], stored.attrs["offset"] = 0.25, 3.0
    if how.name == "rate":
        start = group.create_dataset("starting_time", data=times[0])
        start.attrs["rate"] = 1 / (times[1] - times[0])
    elif how.name == "shared_times":
        _group(h5, "/acquisition/clock", "TimeSeries")["timestamps"] = times
        group["timestamps"] = h5py.SoftLink("/acquisition/clock/timestamps")
    else:
        group.create_dataset("timestamps", data=times.astype(np.float32) if how.name == "float32" else times)
    if how.name == "linked":
        _group(h5, path.rsplit("/", 1)[0], "")
        h5[path] = h5py.SoftLink(where)


def table(h5: h5py.File, path: str, intervals: Sequence[Sequence[float]], shift: float = 0.0, **columns: Any) -> None:
    """Write a table of intervals with scalar columns; texts as texts, times in ``*_time`` shifted too."""
    group = _group(h5, path, "TimeIntervals")
    rows = np.asarray(intervals, dtype=float) + shift
    group["id"], group["start_time"], group["stop_time"] = np.arange(len(rows)), rows[:, 0], rows[:, 1]
    for name, content in columns.items():
        values = np.asarray(content)
        if values.dtype.kind == "U":
            group.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
        else:
            group[name] = values + shift if name.endswith("_time") else values
    group.attrs["colnames"] = ["start_time", "stop_time", *columns]


def _group(h5: h5py.File, path: str, kind: str) -> h5py.Group:
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts)):
        holder = h5.require_group("/".join(parts[:depth]))
        if depth > 1 and "neurodata_type" not in holder.attrs:
            named = parts[depth - 1]
            holder.attrs["neurodata_type"] = named if named[0].isupper() and " " not in named else "ProcessingModule"
    group = h5.require_group(path)
    if kind:
        group.attrs["neurodata_type"] = kind
    return group


def spikes(unit: int) -> np.ndarray:
    """Return the spike times of a unit; the first and the last of unit 0 lie beyond the labels."""
    found = [b + 0.02 + 0.9 * np.arange(n) / n for b, n in enumerate(COUNTS[:, unit])]
    return np.concatenate([[-0.5], *found, [12.5]] if unit == 0 else found)


def units(h5: h5py.File, path: str, how: Format, mask: Mask) -> None:
    """Write a units table, with observation intervals for the mask ``observed``."""
    group = _group(h5, path, "Units")
    every = [spikes(unit) + how.shift for unit in range(3)]
    group["id"] = np.arange(3)
    group["spike_times"] = np.concatenate(every)
    group["spike_times_index"] = np.cumsum([len(one) for one in every])
    if mask.name == "observed":
        rows = [[[0, 12]], [[0, 5], [7, 12]], [[0, 12]]]
        group["obs_intervals"] = np.concatenate([np.asarray(one, dtype=float) for one in rows]) + how.shift
        group["obs_intervals_index"] = [1, 3, 4]
    group.attrs["colnames"] = ["spike_times"]


def sampled(path: str, kind: str, unit: str) -> Callable[[h5py.File, str, Format, Mask], None]:
    """Return what writes the counts as a series at the centres of the bins."""

    def write(h5: h5py.File, _: str, how: Format, mask: Mask) -> None:
        put(h5, path, kind, how, np.arange(BINS) + 0.5, COUNTS.astype(float), unit)

    return write


def traces(h5: h5py.File, path: str, how: Format, mask: Mask) -> None:
    """Write the counts as one series a unit."""
    for unit in range(3):
        put(h5, f"/acquisition/Cell_{unit}", "TimeSeries", how, np.arange(BINS) + 0.5, COUNTS[:, unit] * 1.0, "n/a")


LAYOUTS: dict[str, tuple[str, Callable[[h5py.File, str, Format, Mask], None]]] = {
    "units": ("/units", units),
    "units_in_a_module": ("/processing/ecephys/Units", units),
    "rates": ("/processing/ecephys/rates", sampled("/processing/ecephys/rates", "TimeSeries", "Hz")),
    "rois": ("/processing/ophys/DfOverF/dff", sampled("/processing/ophys/DfOverF/dff", "RoiResponseSeries", "n/a")),
    "counts": ("/processing/spikes/binned", sampled("/processing/spikes/binned", "TimeSeries", "counts")),
    "traces": ("/acquisition/Cell_*", traces),
}
IN_BETWEEN = np.where(np.arange(120) % 2, 100.0, -100.0)  # what a bin's mean takes out
THIRD = np.repeat([0, 1, 1, 0, 2, 2, 2, 1, 0, 0, 1, 2], 10)
MIXED = np.where(np.arange(120) % 10 < np.where(np.arange(120) // 10 == 3, 5, 4), (THIRD + 1) % 3, THIRD)
TEXTS = np.array(["rest", "run", "turn"], dtype=object)
B = "/processing/behavior"
ROWS = [[0, 3], [3, 7], [8, 12]]


def _wrapped(angles: Sequence[float]) -> list[float]:
    return np.angle(np.exp(1j * np.asarray(angles))).tolist()


TURN = _wrapped([0.7 * (b + 0.5) for b in range(BINS)])
LABELS = [
    LabelCase(
        "position", {"source": f"{B}/Position/led"}, "continuous", "cm", [[t, 2 * t - 5] for t in RAMP],
        series=f"{B}/Position/led", type="SpatialSeries", unit="cm", values=np.c_[SAMPLES, 2 * SAMPLES - 5],
    ),
    LabelCase(
        "position_in_a_free_container", {"source": f"{B}/Maze 2: east/spot"}, "continuous", "m", RAMP,
        series=f"{B}/Maze 2: east/spot", type="SpatialSeries", unit="m", values=SAMPLES,
    ),
    LabelCase(
        "position_in_the_module", {"source": f"{B}/track"}, "continuous", "m", [-t for t in RAMP],
        series=f"{B}/track", type="SpatialSeries", unit="m", values=-SAMPLES,
    ),
    LabelCase(
        "position_in_acquisition", {"source": "/acquisition/tracking"}, "continuous", "px", [[t, -t] for t in RAMP],
        series="/acquisition/tracking", type="SpatialSeries", unit="px",
        values=np.c_[SAMPLES, IN_BETWEEN - SAMPLES],
    ),
    LabelCase(
        "compass_in_degrees", {"source": f"{B}/CompassDirection"}, "circular", "rad", TURN,
        series=f"{B}/CompassDirection/hd", type="SpatialSeries", unit="degrees",
        values=np.mod(np.rad2deg(0.7 * SAMPLES), 360),
    ),
    LabelCase(
        "compass_in_meters", {"source": f"{B}/CompassDirection/hd"}, "circular", "rad", TURN,
        series=f"{B}/CompassDirection/hd", type="SpatialSeries", unit="meters", values=np.mod(0.7 * SAMPLES, 2 * np.pi),
    ),
    LabelCase(
        "angle_in_cycles", {"source": f"{B}/BehavioralTimeSeries/wheel"}, "circular", "rad", TURN,
        series=f"{B}/BehavioralTimeSeries/wheel", unit="cycles", values=0.7 * SAMPLES / (2 * np.pi),
    ),
    LabelCase(
        "faster_than_the_bins", {"source": f"{B}/BehavioralTimeSeries/speed"}, "continuous", "m/s", RAMP,
        series=f"{B}/BehavioralTimeSeries/speed", unit="m/s", values=SAMPLES + IN_BETWEEN,
    ),
    LabelCase(
        "slower_than_the_bins", {"source": f"{B}/BehavioralTimeSeries/slow"}, "continuous", "V",
        [N, *RAMP[1:11], 11.0],  # nothing is invented before the first sample, and the last one stands for itself
        series=f"{B}/BehavioralTimeSeries/slow", unit="V", values=np.arange(1.0, 12, 2), times=np.arange(1.0, 12, 2),
    ),
    LabelCase(
        "in_an_odd_module", {"source": "/processing/Recorded behavior data/lever: x"}, "continuous", "V", RAMP,
        series="/processing/Recorded behavior data/lever: x", unit="V", values=SAMPLES,
    ),
    LabelCase(
        "codes", {"source": f"{B}/state"}, "discrete", "", [0, 1, 1, N, 2, 2, 2, 1, 0, 0, 1, 2],
        series=f"{B}/state", values=MIXED, classes=("0", "1", "2"),
    ),
    LabelCase(
        "texts", {"source": f"{B}/state"}, "discrete", "", [0, 1, 1, N, 2, 2, 2, 1, 0, 0, 1, 2],
        series=f"{B}/state", values=TEXTS[MIXED], classes=("rest", "run", "turn"),
    ),
    LabelCase(
        "pupil", {"source": f"{B}/PupilTracking/diameter"}, "continuous", "mm", [2 * t for t in RAMP],
        series=f"{B}/PupilTracking/diameter", unit="mm", values=2 * SAMPLES,
    ),
    LabelCase(
        "gaze", {"source": f"{B}/EyeTracking/right"}, "continuous", "degrees", [[t, -t] for t in RAMP],
        series=f"{B}/EyeTracking/right", type="SpatialSeries", unit="degrees", values=np.c_[SAMPLES, -SAMPLES],
    ),
    LabelCase(
        "part_of_a_pose", {"source": f"{B}/pose", "columns": [4, 1]}, "continuous", "px", [[4 * t, t] for t in RAMP],
        series=f"{B}/pose", unit="px", values=SAMPLES[:, None] * np.array([9, 1, 9, 9, 4, 9]),
    ),
    LabelCase(
        "speed", {"source": f"{B}/Position/led", "derive": "speed", "smoothing": 0}, "continuous", "cm/s",
        [5 * t for t in RAMP], series=f"{B}/Position/led", type="SpatialSeries", unit="cm", tolerance=0.03,
        values=np.c_[1.5 * SAMPLES**2, 2 * SAMPLES**2],
    ),
    LabelCase(
        "heading", {"source": f"{B}/Position/led", "derive": "heading", "smoothing": 0}, "circular", "rad", TURN,
        series=f"{B}/Position/led", type="SpatialSeries", unit="cm", tolerance=0.02,
        values=np.c_[np.sin(0.7 * SAMPLES), -np.cos(0.7 * SAMPLES)],
    ),
    LabelCase(
        "distance", {"source": f"{B}/Position/led", "derive": "distance", "point": [0, 1]}, "continuous", "cm",
        [5 * t for t in RAMP], series=f"{B}/Position/led", type="SpatialSeries", unit="cm",
        values=np.c_[3 * SAMPLES, 4 * SAMPLES + 1],
    ),
    LabelCase(
        "linear_position",
        {"source": f"{B}/Position/led", "derive": "linear_position", "track": [[0, 0], [3, 4], [9, 4]]},
        "continuous", "cm", [5 * t / 10 for t in RAMP], series=f"{B}/Position/led", type="SpatialSeries", unit="cm",
        values=np.array([3.0, 4.0]) * np.minimum(SAMPLES, 10)[:, None] / 10
        + np.c_[np.maximum(SAMPLES - 10, 0) / 2, np.zeros(120)],
    ),
    LabelCase(
        "trial_texts", {"source": "/intervals/trials#side"}, "discrete", "", [1, 1, 1, 0, 0, 0, 0, N, 1, 1, 1, 1],
        write=lambda h5, s: table(h5, "/intervals/trials", ROWS, s, side=["right", "left", "right"]),
        classes=("left", "right"), borders=(3.0,),
    ),
    LabelCase(
        "trial_numbers", {"source": "/intervals/trials#contrast"}, "continuous", "",
        [0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, N, 0.9, 0.9, 0.9, 0.9],
        write=lambda h5, s: table(h5, "/intervals/trials", ROWS, s, contrast=[0.1, 0.5, 0.9]), borders=(3.0,),
    ),
    LabelCase(
        "trial_truths", {"source": "/intervals/other trials#go"}, "discrete", "", [1, 1, 1, 0, 0, 0, 0, N, 1, 1, 1, 1],
        write=lambda h5, s: table(h5, "/intervals/other trials", ROWS, s, go=[True, False, True]),
        classes=("False", "True"), borders=(3.0,),
    ),
    LabelCase(
        "sleep_in_a_module", {"source": f"{B}/sleep#state"}, "discrete", "", [0, 0, 0, 1, 1, 1, 1, N, 0, 0, 0, 0],
        write=lambda h5, s: table(h5, f"{B}/sleep", ROWS, s, state=["nrem", "rem", "nrem"]),
        classes=("nrem", "rem"), borders=(3.0,),
    ),
    LabelCase(
        "time_within_trials", {"source": "/intervals/trials", "derive": "time_within"}, "continuous", "s",
        [0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, N, 0.5, 1.5, 2.5, 3.5],
        write=lambda h5, s: table(h5, "/intervals/trials", ROWS, s), borders=(3.0,),
    ),
    LabelCase(
        "time_from_a_cue", {"source": "/intervals/trials#cue_time", "derive": "time_from"}, "continuous", "s",
        [-0.5, 0.5, 1.5, -1.5, -0.5, 0.5, 1.5, N, 0.5, 1.5, 2.5, 3.5],
        write=lambda h5, s: table(h5, "/intervals/trials", ROWS, s, cue_time=[1.0, 5.0, 8.0]), borders=(3.0,),
    ),
    LabelCase(
        "inside_epochs", {"source": "/intervals/ripples"}, "discrete", "", [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
        write=lambda h5, s: table(h5, "/intervals/ripples", [[0, 3], [6, 9], [9, 12]], s),
        classes=("outside", "inside"),
    ),
    LabelCase(
        "behavioral_epochs", {"source": f"{B}/BehavioralEpochs/running"}, "discrete", "",
        [1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1], classes=("outside", "running"),
        write=lambda h5, s: put(
            h5, f"{B}/BehavioralEpochs/running", "IntervalSeries", Format("timestamps", s), np.array([0.0, 3, 6, 12]),
            np.array([1, -1, 1, -1], dtype=np.int8), "n/a"),
    ),
    LabelCase(
        "since_an_event", {"source": f"{B}/BehavioralEvents/licks", "derive": "time_from"}, "continuous", "s",
        [0.5, 1.5, 2.5, 3.5, 0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, 4.5],
        write=lambda h5, s: put(
            h5, f"{B}/BehavioralEvents/licks", "TimeSeries", Format("timestamps", s), np.array([0.0, 4, 7, 12]),
            np.ones(4), "n/a"),
    ),
]  # fmt: skip


def write(path: Path, layout: str, label: LabelCase, mask: Mask, how: Format) -> Path:
    """Write the file of one case and return it, a folder if it is Zarr."""
    with h5py.File(path, "w") as h5:
        h5.attrs.update({"nwb_version": "2.7.0", "neurodata_type": "NWBFile", "namespace": "core"})
        texts = {"identifier": "matrix", "session_description": "made for a test", "session_start_time": "2026-01-01"}
        for name, text in texts.items():
            h5[name] = text
        LAYOUTS[layout][1](h5, LAYOUTS[layout][0], how, mask)
        if label.values is not None:
            times, values = _with_holes(label, mask)
            put(h5, label.series, label.type, how, times, values, label.unit)
        label.write(h5, how.shift)
        if mask.name == "invalid_times":
            table(h5, "/intervals/invalid_times", [[2.5, 3.5], [9.1, 9.2]], how.shift)
        if mask.name == "within_query":
            table(h5, "/intervals/epochs", [[0, 4], [4, 6], [6, 12]], how.shift, label=["run", "rest", "run"])
        if mask.name == "trials":
            table(h5, "/intervals/trials", [[0, 3], [3, 7], [7, 12]], how.shift)
    return as_zarr(path) if how.zarr else path


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


def as_zarr(path: Path) -> Path:
    """Return a folder with the content of an HDF5 file, laid out as hdmf-zarr does: links and scalars in attributes."""
    folder = path.with_suffix(".nwb.zarr")
    with h5py.File(path) as h5:
        root = zarr.open_group(str(folder), mode="w")
        root.attrs.update(_attributes(h5))
        _copy(h5, root, "")
    return folder


def _copy(source: h5py.Group, target: zarr.Group, where: str) -> None:
    links = []
    for name in source:
        link, item = source.get(name, getlink=True), source[name]
        if isinstance(link, h5py.SoftLink):
            links.append({"name": name, "path": link.path, "source": ".", "object_id": "", "source_object_id": ""})
        elif isinstance(item, h5py.Group):
            group = target.create_group(name)
            group.attrs.update(_attributes(item))
            _copy(item, group, f"{where}/{name}")
        else:
            _copy_values(item, target, name)
    if links:
        target.attrs["zarr_link"] = links


def _copy_values(item: h5py.Dataset, target: zarr.Group, name: str) -> None:
    text = h5py.check_string_dtype(item.dtype) is not None
    values = np.atleast_1d(np.asarray(item.asstr()[()] if text else item[()], dtype=object if text else item.dtype))
    array = target.create_dataset(name, data=values, object_codec=VLenUTF8() if text else None, shape=values.shape)
    array.attrs.update(_attributes(item) | ({"zarr_dtype": "scalar"} if not item.shape else {}))


def _attributes(item: Any) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in item.attrs.items()}
