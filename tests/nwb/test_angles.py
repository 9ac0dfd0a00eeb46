"""Which angles are directions, which run over many turns, and which cannot have their unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import TimeSeries
from pynwb.behavior import SpatialSeries

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Time, validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import open_nwb

TIME: Time = validate({}).time
TIMES = 0.1 * np.arange(400)
TURNING = 0.8 * TIMES + 0.2 * np.sin(TIMES)  # over five turns, rad
WRAPPED = np.mod(TURNING, 2 * np.pi)
JOINT = np.deg2rad(50) * np.sin(TIMES)


def label_of(tmp_path: Path, name: str, unit: str, data: np.ndarray, spatial: bool = False, **keys: Any) -> Label:
    nwb = build.new()
    kind = SpatialSeries if spatial else TimeSeries
    frame = {"reference_frame": "start"} if spatial else {}
    build.behavior(nwb).add(kind(name=name, data=data, unit=unit, timestamps=TIMES[: len(data)], **frame))
    path = build.save(nwb, tmp_path / "angle.nwb")
    config = validate({"labels": {"it": {"source": f"/processing/behavior/{name}", **keys}}}).labels["it"]
    with open_nwb(path) as file:
        return configured_label(file, "it", config)


@pytest.mark.parametrize("spatial", [True, False])
def test_a_wheel_that_turns_on_is_no_direction(tmp_path: Path, spatial: bool) -> None:
    wheel = label_of(tmp_path, "wheel_position", "radians", TURNING * 9, spatial)
    assert (wheel.kind, wheel.units) == ("continuous", "radians")
    assert "runs over 46 turns" in " ".join(wheel.notes) and "derive: velocity" in " ".join(wheel.notes)
    binned = wheel.binned(Grid(-0.05, 0.1, 400), TIME)[0][:, 0]
    assert np.allclose(binned, TURNING * 9)


def test_the_speed_of_a_wheel_that_turns_fast_is_not_folded(tmp_path: Path) -> None:
    fast = 40 * TIMES  # 4 rad a sample, more than half a turn
    speed = label_of(tmp_path, "wheel_angle", "rad", fast, derive="velocity", smoothing=0)
    assert speed.units == "rad/s"
    assert np.allclose(speed.binned(Grid(-0.05, 0.1, 400), TIME)[0], 40)


def test_a_wheel_is_wrapped_aloud_where_that_is_asked(tmp_path: Path) -> None:
    wheel = label_of(tmp_path, "wheel_position", "radians", TURNING, kind="circular")
    assert wheel.kind == "circular" and "runs over 5.1 turns and was wrapped" in " ".join(wheel.notes)
    binned = wheel.binned(Grid(-0.05, 0.1, 400), TIME)[0]
    assert np.allclose(np.exp(1j * binned), np.exp(1j * TURNING))


@pytest.mark.parametrize("name", ["joint", "whisker_angle", "pitch", "curvature"])
def test_a_small_angle_is_no_direction_by_its_unit(tmp_path: Path, name: str) -> None:
    label = label_of(tmp_path, name, "radians", JOINT)
    assert label.kind == "continuous"
    assert np.allclose(label.binned(Grid(-0.05, 0.1, 400), TIME)[0][:, 0], JOINT)


@pytest.mark.parametrize("name", ["head_direction", "yaw", "bodyAzimuth", "movement_direction", "CompassDirection"])
def test_a_small_angle_that_is_called_a_direction_is_one(tmp_path: Path, name: str) -> None:
    assert label_of(tmp_path, name, "radians", JOINT).kind == "circular"


def test_an_angle_that_wraps_is_a_direction_whatever_its_name(tmp_path: Path) -> None:
    assert label_of(tmp_path, "body", "radians", WRAPPED).kind == "circular"
    assert label_of(tmp_path, "body2", "degrees", np.rad2deg(np.angle(np.exp(1j * TURNING)))).kind == "circular"


@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        ("body", 180 + 180 * np.sin(TIMES)),
        ("body", 180 * np.sin(TIMES)),
        ("head_direction", 180 + 150 * np.sin(TIMES)),
    ],
)
def test_degrees_called_radians_that_never_wrap_are_refused(tmp_path: Path, name: str, degrees: np.ndarray) -> None:
    with pytest.raises(Refusal, match="so they must be degrees") as caught:
        label_of(tmp_path, name, "radians", degrees)
    assert caught.value.code is Code.UNIT_NOT_TRUSTED
    assert label_of(tmp_path, name, "degrees", degrees, kind="circular").kind == "circular"


def test_no_bin_averages_over_the_wrap_of_one_of_several_angles(tmp_path: Path) -> None:
    angles = np.stack([np.angle(np.exp(1j * TURNING)), JOINT, JOINT / 2], axis=1)
    label = label_of(tmp_path, "head", "radians", angles)
    assert label.kind == "continuous" and "column x wraps" in " ".join(label.notes)
    values = label.binned(Grid(-0.05, 0.2, 200), TIME)[0]
    known = np.isfinite(values).all(axis=1)
    middle = np.angle(np.exp(1j * (TURNING[::2] + TURNING[1::2]) / 2))
    assert 0 < np.sum(~known) <= 6
    assert np.abs(np.exp(1j * values[known, 0]) - np.exp(1j * middle[known])).max() < 0.05
    azimuth = label_of(tmp_path, "head", "radians", angles, columns=[0])
    assert azimuth.kind == "circular"


@pytest.mark.parametrize("stored", [np.float64, np.float32, np.int16])
def test_whole_numbers_are_classes_however_they_are_stored(tmp_path: Path, stored: type) -> None:
    codes = np.repeat(np.random.default_rng(0).integers(1, 4, 40), 10)
    values = codes.astype(stored)
    if stored is not np.int16:
        values[50:60] = np.nan
    state = label_of(tmp_path, "state", "n.a.", values)
    assert (state.kind, state.classes) == ("discrete", ("1", "2", "3"))
    binned = state.binned(Grid(-0.05, 0.1, 400), TIME)[0]
    assert np.array_equal(binned[:50] + 1, codes[:50])
    assert stored is np.int16 or (binned[55:58] == -1).all()
