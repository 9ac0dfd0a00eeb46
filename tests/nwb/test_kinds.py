"""Types that extend a type of NWB are of that type."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.nwb_builders import add_position, add_units, edited, new, save, steady_spikes, wandering
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.reading.kinds import is_kind

POSITION = "/processing/behavior/Position/position"


def typed(h5: h5py.File, kind: str) -> h5py.Group:
    group = h5.create_group(kind or "none")
    if kind:
        group.attrs["neurodata_type"] = kind
    return group


def with_specification(h5: h5py.File, stored: str) -> None:
    h5.create_dataset("specifications/ndx-maze/0.1.0/ndx-maze.extensions", data=stored)


def test_types_are_known_by_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.nwb", "w") as h5:
        assert is_kind(typed(h5, "SpatialSeries"), "SpatialSeries")
        assert is_kind(typed(h5, "PoseEstimationSeries"), "SpatialSeries")
        assert is_kind(h5["PoseEstimationSeries"], "TimeSeries")
        assert is_kind(typed(h5, "TwoPhotonSeries"), "ImageSeries")
        assert not is_kind(typed(h5, "TimeSeries"), "SpatialSeries")
        assert not is_kind(typed(h5, "NeverHeardOf"), "SpatialSeries")
        assert not is_kind(typed(h5, ""), "SpatialSeries")


def test_the_specifications_of_the_file_tell_other_types(tmp_path: Path) -> None:
    inner = {"neurodata_type_def": "MazeSeries", "neurodata_type_inc": "PoseEstimationSeries"}
    document = {"groups": [{"neurodata_type_def": "Maze", "groups": [inner]}]}
    with h5py.File(tmp_path / "file.nwb", "w") as h5:
        with_specification(h5, json.dumps(document))
        assert is_kind(typed(h5, "MazeSeries"), "SpatialSeries")
        assert not is_kind(typed(h5, "Maze"), "SpatialSeries")


@pytest.mark.parametrize("stored", ["{", "[" * 50_000, "3", '{"neurodata_type_def": 3, "neurodata_type_inc": []}'])
def test_specifications_that_cannot_be_read_say_nothing(tmp_path: Path, stored: str) -> None:
    with h5py.File(tmp_path / "file.nwb", "w") as h5:
        with_specification(h5, stored)
        assert not is_kind(typed(h5, "MazeSeries"), "SpatialSeries")


def test_types_that_extend_each_other_in_a_circle_end(tmp_path: Path) -> None:
    pair = [
        {"neurodata_type_def": "A", "neurodata_type_inc": "B"},
        {"neurodata_type_def": "B", "neurodata_type_inc": "A"},
    ]
    with h5py.File(tmp_path / "file.nwb", "w") as h5:
        with_specification(h5, json.dumps({"groups": pair}))
        assert not is_kind(typed(h5, "A"), "SpatialSeries")


def test_a_frozen_pose_is_lost_tracking(tmp_path: Path) -> None:
    times, position = wandering(60.0, np.random.default_rng(0))
    position[200:1000] = position[200]  # from 10 to 50 s
    nwb = new()
    add_units(nwb, steady_spikes())
    add_position(nwb, times, position)
    path = save(nwb, tmp_path / "pose.nwb")
    with edited(path) as h5:
        h5[POSITION].attrs["neurodata_type"] = "PoseEstimationSeries"
    dataset = extract_session(path, validate({"labels": {"nose": {"source": POSITION}}}), "one")
    frozen = (dataset["time"] > 10.1) & (dataset["time"] < 49.9)
    assert not dataset["valid"].values[frozen.values].any()
