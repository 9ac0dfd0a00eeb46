"""The linear track: its position is encoded; the same position rolled by half the recording is not."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.train import train
from xcebra_nwb.core.config import schema

pytestmark = pytest.mark.slow

QUICK = {"training": {"steps": 400, "batch_size": 256, "learning_rate": 1e-3, "seeds": 3, "nulls": 8}}


def assessed(source: Path, directory: Path) -> dict:
    settings = schema.validate(QUICK)
    extract(source, directory, settings, "linear-track")
    train(directory, settings)
    attribute(directory, settings)
    assess(directory)
    return json.loads((directory / "assessment.json").read_text())["labels"]["position"]


@pytest.fixture
def linear_track(shared_data: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "linear_track.nwb"
    shutil.copyfile(shared_data / "rat_ca1_linear_track.nwb", copy)
    return copy


def test_the_position_on_the_linear_track_is_supported(linear_track: Path, tmp_path: Path) -> None:
    found = assessed(linear_track, tmp_path / "out")
    assert found["verdict"] == "supported", found["because"]
    assert found["decoding"]["score"] > 0.3
    assert max(found["decoding"]["nulls"]) < 0.1


@pytest.mark.thorough
def test_the_rolled_position_is_not_encoded(linear_track: Path, tmp_path: Path) -> None:
    with h5py.File(linear_track, "r+") as file:
        data = file["processing/behavior/Position/led/data"]
        data[...] = np.roll(data[...], len(data) // 2, axis=0)
    found = assessed(linear_track, tmp_path / "out")
    assert found["verdict"] == "not encoded", found["because"]
