"""What holds for any recording: spikes are counted once, time has no origin, and order and bystanders mean nothing."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numcodecs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.bins import masks
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.neural.activity import Activity

TICK = 2.0**-6  # s: times that are whole numbers of it can be shifted by whole seconds without rounding
UNITS, SECONDS = 4, 24
CONFIG = validate({"neural": {"min_spikes": 0, "min_coverage": 0}, "time": {"bin_width": 0.25}})
SOME = settings(max_examples=15, deadline=None, derandomize=True)
moments = st.lists(st.integers(0, int(SECONDS / TICK)), min_size=1, max_size=40).map(
    lambda ticks: np.sort(ticks) * TICK
)


@dataclass
class Recording:
    """A recording in memory: spike times per unit, and the times of a label that wanders."""

    spikes: list[np.ndarray]
    observed: list[np.ndarray]
    label: np.ndarray
    invalid: np.ndarray


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    everywhere = np.array([[0.0, SECONDS]])
    pieces = st.sampled_from([everywhere, np.array([[0.0, 10.0], [12.0, SECONDS]]), np.array([[2.5, SECONDS]])])
    start = draw(st.integers(0, SECONDS - 2))
    return Recording(
        spikes=[np.unique(np.r_[0.5, SECONDS - 0.5, draw(moments)]) for _ in range(UNITS)],
        observed=[draw(pieces) for _ in range(UNITS)],
        label=np.arange(0, SECONDS, 0.125),
        invalid=np.array([[start, start + 1.0]]),
    )


def written(recording: Recording, shift: float = 0.0, order: list[int] | None = None, bystanders: bool = False) -> Any:
    """The recording as an NWB file in memory."""
    rows = order or list(range(UNITS))
    spikes, observed = [recording.spikes[row] for row in rows], [recording.observed[row] for row in rows]
    stream = io.BytesIO()
    with h5py.File(stream, "w") as h5:
        h5.attrs["nwb_version"], h5.attrs["neurodata_type"] = "2.6.0", "NWBFile"
        units = _group(h5, "units", "Units", colnames=["spike_times", "obs_intervals"])
        units["id"] = rows
        units["spike_times"], units["spike_times_index"] = np.concatenate(spikes) + shift, _ends(spikes)
        units["obs_intervals"], units["obs_intervals_index"] = np.concatenate(observed) + shift, _ends(observed)
        _group(h5, "processing/behavior/Position", "Position")
        series = _group(h5, "processing/behavior/Position/position", "SpatialSeries")
        series["timestamps"] = recording.label + shift
        series["data"] = np.stack([np.cos(recording.label), np.sin(recording.label * 1.7)], axis=1)
        series["data"].attrs["unit"], series["reference_frame"] = "m", "the corner"
        invalid = _group(h5, "intervals/invalid_times", "TimeIntervals", colnames=["start_time", "stop_time"])
        invalid["start_time"], invalid["stop_time"] = (recording.invalid + shift).T
        if bystanders:
            _bystanders(h5)
    return stream


def _group(h5: h5py.File, path: str, kind: str, **attributes: Any) -> h5py.Group:
    group = h5.create_group(path)
    group.attrs.update({"neurodata_type": kind} | attributes)
    return group


def _ends(rows: list[np.ndarray]) -> np.ndarray:
    return np.cumsum([len(row) for row in rows])


def _bystanders(h5: h5py.File) -> None:
    """Objects that have no part in the result: raw data, pictures, an unknown type, links, an empty module."""
    raw = _group(h5, "acquisition/ElectricalSeries", "ElectricalSeries")
    raw["data"], raw["starting_time"] = np.zeros((100, 2)), 0.0
    raw["starting_time"].attrs["rate"] = 30_000.0
    _group(h5, "acquisition/picture", "ImageSeries")["data"] = np.zeros((3, 2, 2))
    _group(h5, "acquisition/odd", "NeverSeenSeries")["values"] = np.arange(3)
    _group(h5, "processing/behavior/empty", "BehavioralTimeSeries")
    h5["acquisition/again"] = h5py.SoftLink("/units")
    h5["acquisition/gone"] = h5py.SoftLink("/nowhere")
    h5["units/waveform_mean"] = np.zeros((UNITS, 30, 4))


def extracted(source: Any) -> xr.Dataset:
    return extract_session(source, CONFIG, "one")


@SOME
@given(
    spikes=st.lists(moments | st.lists(st.floats(-1, 30), max_size=30).map(np.sort), min_size=1, max_size=4),
    start=st.floats(0, 5),
    width=st.floats(0.01, 3),
    count=st.integers(1, 60),
    hidden=st.lists(st.integers(0, 59)),
)
def test_counts_are_the_spikes_inside_the_bins(
    spikes: list[np.ndarray], start: float, width: float, count: int, hidden: list[int]
) -> None:
    grid = Grid(start, width, count)
    table = pd.DataFrame({"unit_id": range(len(spikes))})
    activity = Activity(grid, table, "spikes", "count", None, spikes=[np.asarray(one, dtype=float) for one in spikes])
    counts, valid = activity.matrix().values, ~np.isin(np.arange(count), hidden)
    for unit, times in enumerate(spikes):
        inside = [int(np.sum((times >= low) & (times < high))) for low, high in pairwise(grid.edges)]
        assert counts[:, unit].tolist() == inside
    assert activity.spike_counts(valid).tolist() == counts[valid].sum(axis=0, dtype=int).tolist()


@pytest.mark.slow
@SOME
@given(recording=recordings())
def test_counts_of_a_session_are_the_spikes_in_its_observed_bins(recording: Recording) -> None:
    session = extracted(written(recording))
    valid, edges = session["valid"].values, session["time"].values[:, None] + np.array([-0.125, 0.125])
    for unit, times in enumerate(recording.spikes):
        inside = sum(int(np.sum((times >= low) & (times < high))) for low, high in edges[valid])
        assert session["activity"].values[valid, unit].sum(dtype=int) == inside == session["n_spikes"].values[unit]
    grid = Grid(float(edges[0, 0]), 0.25, len(valid))
    assert not valid[masks.touching(grid, recording.invalid)].any()
    assert masks.observed_by_all(grid, recording.observed)[valid].all()


@pytest.mark.slow
@settings(SOME, max_examples=8)
@given(recording=recordings(), shift=st.integers(-1000, 100_000))
def test_shifting_all_times_shifts_time_alone(recording: Recording, shift: int) -> None:
    here, there = extracted(written(recording)), extracted(written(recording, shift=float(shift)))
    xr.testing.assert_identical(
        there.assign_coords(time=here["time"]).drop_attrs(deep=False), here.drop_attrs(deep=False)
    )
    assert np.array_equal(there["time"].values, here["time"].values + shift)


@pytest.mark.slow
@SOME
@given(recording=recordings(), order=st.permutations(range(UNITS)))
def test_the_order_of_units_and_irrelevant_objects_change_nothing(recording: Recording, order: list[int]) -> None:
    plain, other = extracted(written(recording)), extracted(written(recording, order=order, bystanders=True))
    back = other.isel(unit=np.argsort(order)).drop_attrs(deep=False)
    xr.testing.assert_identical(back.drop_vars("row"), plain.drop_vars("row").drop_attrs(deep=False))


@pytest.mark.slow
@settings(SOME, max_examples=8)
@given(recording=recordings())
def test_hdf5_and_zarr_give_the_same_dataset(recording: Recording) -> None:
    stream = written(recording, bystanders=True)
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(stream) as h5:
            _to_zarr(h5, zarr.open_group(folder, mode="w"))
        found, expected = extracted(Path(folder)), extracted(stream)
    xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert found.attrs["choices"] == expected.attrs["choices"] and found.attrs["masks"] == expected.attrs["masks"]


def _to_zarr(source: h5py.Group, target: zarr.Group) -> None:
    """Copy a group as hdmf-zarr lays it out."""
    target.attrs.update({key: _plain(value) for key, value in source.attrs.items()})
    for name in source:
        link = source.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink):
            target.attrs["zarr_link"] = [{"name": name, "source": ".", "path": link.path}]
        elif isinstance(link, h5py.HardLink) and isinstance(source[name], h5py.Group):
            _to_zarr(source[name], target.create_group(name))
        elif isinstance(link, h5py.HardLink):
            _array(source[name], target, name)


def _array(data: h5py.Dataset, target: zarr.Group, name: str) -> None:
    text = h5py.check_string_dtype(data.dtype) is not None
    values = np.asarray(data.asstr()[()] if text else data[()])
    codec = {"object_codec": numcodecs.VLenUTF8(), "dtype": object} if text else {"dtype": values.dtype}
    array = target.create_dataset(name, data=values.reshape(values.shape or (1,)), **codec)
    array.attrs.update({key: _plain(value) for key, value in data.attrs.items()})
    array.attrs["zarr_dtype"] = "scalar" if data.shape == () else str(data.dtype)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
