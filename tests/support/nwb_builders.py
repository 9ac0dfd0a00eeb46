"""Tiny NWB files, written with pynwb piece by piece; :func:`edited` damages them with h5py afterwards."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralTimeSeries, CompassDirection, Position, SpatialSeries
from pynwb.epoch import TimeIntervals
from pynwb.file import Subject
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

Array = np.ndarray | Sequence[Any]


# Files
# -----


def new(identifier: str = "tiny", subject: str | None = "rat") -> NWBFile:
    """Return an empty file in memory."""
    nwb = NWBFile(
        session_description="made for a test",
        identifier=identifier,
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
        session_id="one",
    )
    if subject is not None:
        nwb.subject = Subject(subject_id=subject, species="Rattus norvegicus", age="P90D", sex="U")
    return nwb


def save(nwb: NWBFile, path: Path) -> Path:
    """Write ``nwb`` to ``path`` and return it."""
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def _bytes(nwb: NWBFile) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return save(nwb, Path(folder) / "x.nwb").read_bytes()


def as_zarr(path: Path) -> Path:
    """Write a copy of the HDF5 file ``path`` as Zarr beside it, as hdmf-zarr lays it out, and return its folder."""
    folder = path.with_name(f"{path.name}.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hdmf-zarr's own
        from hdmf_zarr import NWBZarrIO

        with NWBHDF5IO(path, "r") as source, NWBZarrIO(folder.as_posix(), mode="w") as target:
            target.export(src_io=source, write_args={"link_data": False})
    return folder


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """Open the file for a change that pynwb would not make."""
    with h5py.File(path, "r+") as h5:
        yield h5


# Units
# -----


def add_units(
    nwb: NWBFile,
    spikes: Sequence[Array],
    obs_intervals: Sequence[Array] | None = None,
    **columns: Sequence[Any],
) -> None:
    """Add a table of units at the root.

    Args:
        nwb: the file.
        spikes: spike times of each unit, s.
        obs_intervals: of each unit, (interval, 2), s.
        columns: by name, with a value for each unit.
    """
    for name in columns:
        nwb.add_unit_column(name, f"{name} of the unit")
    for row, times in enumerate(spikes):
        observed = {} if obs_intervals is None else {"obs_intervals": np.asarray(obs_intervals[row], dtype=float)}
        values = {name: column[row] for name, column in columns.items()}
        nwb.add_unit(spike_times=np.asarray(times, dtype=float), **observed, **values)


# Behaviour, and tables of intervals
# ----------------------------------


def _timing(times: Array | None, rate: float | None, start: float) -> dict[str, Any]:
    if times is None:
        return {"rate": rate, "starting_time": start}
    return {"timestamps": np.asarray(times, dtype=float)}


def behavior(nwb: NWBFile) -> Any:
    """Return processing/behavior, which the first call makes."""
    if "behavior" not in nwb.processing:
        nwb.create_processing_module("behavior", "behaviour")
    return nwb.processing["behavior"]


def _container(nwb: NWBFile, name: str, kind: type) -> Any:
    module = behavior(nwb)
    if name not in module.data_interfaces:
        module.add(kind(name=name))
    return module[name]


def add_position(
    nwb: NWBFile,
    times: Array | None,
    values: Array,
    name: str = "position",
    unit: str = "meters",
    rate: float | None = None,
    start: float = 0.0,
    **scaling: float,
) -> None:
    """Add a SpatialSeries (time, axis) to Position; ``scaling`` is conversion and offset."""
    series = SpatialSeries(
        name=name,
        data=np.asarray(values),
        unit=unit,
        reference_frame="corner",
        **_timing(times, rate, start),
        **scaling,
    )
    _container(nwb, "Position", Position).add_spatial_series(series)


def add_head_direction(nwb: NWBFile, times: Array, angles: Array, unit: str = "radians") -> None:
    """Add a SpatialSeries (time,) to CompassDirection."""
    series = SpatialSeries(
        name="head_direction", data=np.asarray(angles), unit=unit, reference_frame="east", timestamps=np.asarray(times)
    )
    _container(nwb, "CompassDirection", CompassDirection).add_spatial_series(series)


def add_behaviour(nwb: NWBFile, name: str, times: Array, values: Array, unit: str = "m/s") -> None:
    """Add a TimeSeries to BehavioralTimeSeries."""
    series = TimeSeries(name=name, data=np.asarray(values), unit=unit, timestamps=np.asarray(times, dtype=float))
    _container(nwb, "BehavioralTimeSeries", BehavioralTimeSeries).add_timeseries(series)


def add_intervals(nwb: NWBFile, name: str, intervals: Array, **columns: Sequence[Any]) -> None:
    """Add a table of intervals (row, 2): trials, epochs, invalid_times, or one of any other name."""
    table = TimeIntervals(name=name, description=f"{name} of a test")
    for column in columns:
        table.add_column(column, f"{column} of the row")
    for row, (start, stop) in enumerate(np.asarray(intervals, dtype=float)):
        values = {column: content[row] for column, content in columns.items()}
        table.add_row(start_time=start, stop_time=stop, **values)
    if name in {"trials", "epochs", "invalid_times"}:
        setattr(nwb, name, table)
    else:
        nwb.add_time_intervals(table)


# Activity that is sampled
# ------------------------


def add_rates(
    nwb: NWBFile,
    times: Array | None,
    values: Array,
    unit: str = "Hz",
    name: str = "firing_rates",
    rate: float | None = None,
    start: float = 0.0,
    **scaling: float,
) -> None:
    """Add a TimeSeries (time, unit) to processing/ecephys."""
    if "ecephys" not in nwb.processing:
        nwb.create_processing_module("ecephys", "binned spikes")
    series = TimeSeries(name=name, data=np.asarray(values), unit=unit, **_timing(times, rate, start), **scaling)
    nwb.processing["ecephys"].add(series)


def add_traces(nwb: NWBFile, times: Array, values: Array, stem: str = "Activity_", description: str = "Neuron") -> None:
    """Add a 1-D TimeSeries per column of ``values`` (time, unit) to acquisition, under numbered names."""
    for column, trace in enumerate(np.asarray(values).T):
        nwb.add_acquisition(
            TimeSeries(
                name=f"{stem}{column:04d}",
                data=trace,
                unit="none",
                timestamps=np.asarray(times, dtype=float),
                description=f"{description}: {column}",
            )
        )


def add_rois(nwb: NWBFile, times: Array, values: Array, location: str = "V1") -> None:
    """Add DfOverF and a Fluorescence neuropil of the same shape (time, roi) to processing/ophys."""
    device = nwb.create_device("microscope")
    plane = nwb.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel(name="green", description="GCaMP", emission_lambda=520.0),
        description="one plane",
        device=device,
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location=location,
    )
    module = nwb.create_processing_module("ophys", "imaging")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    planes = segmentation.create_plane_segmentation("cells", plane, name="PlaneSegmentation")
    values = np.asarray(values)
    planes.add_column("is_cell", "1 for neurons")
    for roi in range(values.shape[1]):
        planes.add_roi(image_mask=np.ones((2, 2)), is_cell=roi % 2)
    for container, name in ((DfOverF(), "dff"), (Fluorescence(), "neuropil")):
        module.add(container)
        region = planes.create_roi_table_region("all", region=list(range(values.shape[1])))
        series = RoiResponseSeries(name=name, data=values, rois=region, unit="a.u.", timestamps=np.asarray(times))
        container.add_roi_response_series(series)


# Spikes and walks
# ----------------


def poisson(rng: np.random.Generator, rate: float, start: float, stop: float) -> np.ndarray:
    """Return sorted spike times of a steady unit, s."""
    return np.sort(rng.uniform(start, stop, rng.poisson(rate * (stop - start))))


def steady_spikes(units: int = 4, start: float = 0.0, stop: float = 60.0, rate: float = 5.0) -> list[np.ndarray]:
    """Return spike times of ``units`` steady units, the same at every call."""
    rng = np.random.default_rng(7)
    return [poisson(rng, rate, start, stop) for _ in range(units)]


def circling(seconds: float = 60.0, rate: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """Return sample times (s) and positions (time, 2) of a walk on a circle, one lap in ten seconds."""
    times = np.arange(round(seconds * rate)) / rate
    angle = 2 * np.pi * times / 10
    return times, np.stack([np.cos(angle), np.sin(angle)], axis=1)


def wandering(seconds: float, generator: np.random.Generator, rate: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """Return sample times (s) and positions (time, 2) of a walk to and fro on a circle, which never repeats itself."""
    times = np.arange(round(seconds * rate)) / rate
    speed = np.repeat(generator.normal(0, 2.0, round(seconds) + 1), round(rate))[: len(times)]  # rad/s, new every s
    angle = np.cumsum(speed) / rate
    return times, np.stack([np.cos(angle), np.sin(angle)], axis=1)


# Whole sessions
# --------------


def tiny(path: Path, seconds: float = 60.0, units: int = 6, seed: int = 0, only_position: bool = False) -> Path:
    """Write an ordinary session: units tuned to the place on a circle, position, head direction and speed.

    A whole analysis of a session with ``only_position`` takes a third of the time. The same session is the same file.
    """
    path.write_bytes(_tiny(seconds, units, seed, only_position))
    return path


@cache
def _tiny(seconds: float, units: int, seed: int, only_position: bool) -> bytes:
    rng = np.random.default_rng(seed)
    times, position = wandering(seconds, np.random.default_rng([seed, 1]))
    angle = np.arctan2(position[:, 1], position[:, 0])
    nwb = new("tiny", subject=f"rat{seed}")
    preferred = 2 * np.pi * np.arange(units) / units
    expected = 20 * np.exp(2 * (np.cos(angle[:, None] - preferred) - 1)) / 20  # spikes per sample, (time, unit)
    counts = rng.poisson(expected)
    spikes = [np.sort(np.repeat(times, count) + rng.uniform(0, 1 / 20, count.sum())) for count in counts.T]
    add_units(nwb, spikes, obs_intervals=[[[0, seconds]]] * units, location=["CA1"] * units)
    add_position(nwb, times, position)
    if only_position:
        return _bytes(nwb)
    slow = np.ones(20) / 20
    looking = 3 * np.convolve(np.random.default_rng([seed, 3]).normal(size=len(times)), slow, mode="same")  # rad, aside
    add_head_direction(nwb, times, np.mod(angle + np.pi / 2 + looking, 2 * np.pi))
    pace = np.convolve(np.random.default_rng([seed, 2]).normal(size=len(times)), slow, mode="same")
    add_behaviour(nwb, "speed", times, 0.2 + 0.1 * np.abs(pace))
    return _bytes(nwb)


def without_behaviour(path: Path) -> Path:
    """Write a session that is refused, because it has units and nothing else."""
    nwb = new("lonely")
    add_units(nwb, steady_spikes())
    return save(nwb, path)
