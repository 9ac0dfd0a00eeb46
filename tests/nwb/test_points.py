"""Labels from several points or series, and the confidence of tracking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Time, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import open_nwb

TIME: Time = validate({}).time
TIMES, WALK = build.circling(20.0)
TURN = 0.7 * np.sin(TIMES) + 0.5 * TIMES
AHEAD = 0.1 * np.stack([np.cos(TURN), np.sin(TURN)], axis=1)
GRID = Grid(-0.025, 0.05, len(TIMES))
FOLDER = "/processing/behavior/Pose"
RNG = np.random.default_rng(0)


def points_file(path: Path, unit: str = "m", **points: np.ndarray) -> Path:
    nwb = build.new()
    build.behavior(nwb).add(Position(name="Pose"))
    for name, values in points.items():
        nwb.processing["behavior"]["Pose"].add_spatial_series(
            SpatialSeries(name=name, data=values, unit=unit, reference_frame="corner", timestamps=TIMES[: len(values)])
        )
    return build.save(nwb, path)


def with_confidence(path: Path, name: str, confidence: np.ndarray) -> Path:
    with build.edited(path) as h5:
        h5[f"{FOLDER}/{name}"].attrs["neurodata_type"] = "PoseEstimationSeries"
        h5[f"{FOLDER}/{name}/confidence"] = confidence
    return path


def one(path: Path, source: Any, **keys: Any) -> Label:
    config = validate({"labels": {"it": {"source": source, **keys}}}).labels["it"]
    with open_nwb(path) as file:
        return configured_label(file, "it", config)


def values(label: Label) -> np.ndarray:
    return label.binned(GRID, TIME)[0]


LEDS = [f"{FOLDER}/front", f"{FOLDER}/back"]


def test_a_direction_leads_from_the_second_point_to_the_first(tmp_path: Path) -> None:
    path = points_file(tmp_path / "a.nwb", front=WALK + AHEAD, back=WALK - AHEAD)
    label = one(path, LEDS, derive="direction")
    assert (label.kind, label.units) == ("circular", "rad")
    assert f"direction from {LEDS[1]} to {LEDS[0]}" in label.notes[-1]
    assert np.allclose(np.exp(1j * values(label)), np.exp(1j * TURN))
    turned = one(path, LEDS[::-1], derive="direction")
    assert np.allclose(np.exp(1j * values(turned)), -np.exp(1j * TURN))


def test_a_direction_from_four_columns_and_from_a_container(tmp_path: Path) -> None:
    both = np.concatenate([WALK + AHEAD, WALK - AHEAD], axis=1)
    nwb = build.new()
    build.add_behaviour(nwb, "leds", TIMES, np.c_[both, TIMES], unit="m")
    path = build.save(nwb, tmp_path / "wide.nwb")
    source = "/processing/behavior/BehavioralTimeSeries/leds"
    label = one(path, source, columns=[0, 1, 2, 3], derive="direction")
    assert np.allclose(np.exp(1j * values(label)), np.exp(1j * TURN))
    with pytest.raises(UsageError, match="no pairs of x and y"):
        one(path, source, derive="direction")
    pair = points_file(tmp_path / "pair.nwb", a=WALK + AHEAD, b=WALK - AHEAD)
    assert np.allclose(np.exp(1j * values(one(pair, FOLDER, derive="direction"))), np.exp(1j * TURN))


def test_a_lost_point_and_points_that_lie_together_have_no_direction(tmp_path: Path) -> None:
    front, back = WALK + AHEAD, WALK - AHEAD
    front[50:90], front[200:240], front[300:340] = -1, -1, -1
    back[120:160] = front[120:160]
    label = one(points_file(tmp_path / "lost.nwb", front=front, back=back), LEDS, derive="direction")
    found = values(label)
    for start in (50, 120, 200, 300):
        assert np.isnan(found[start + 1 : start + 39]).all()
    assert "(-1, -1) comes back exactly" in " ".join(label.suspicious)
    kept = np.r_[0:48, 92:118, 162:198]
    assert np.allclose(np.exp(1j * found[kept]), np.exp(1j * TURN[kept]))


def test_series_of_one_axis_are_one_position(tmp_path: Path) -> None:
    height = 0.1 * np.sin(3 * TIMES)
    path = points_file(tmp_path / "xyz.nwb", x=WALK[:, 0], y=WALK[:, 1], z=height)
    label = one(path, [f"{FOLDER}/{axis}" for axis in "xyz"])
    assert (label.kind, label.axes, label.units) == ("continuous", ("x", "y", "z"), "m")
    assert np.allclose(values(label), np.c_[WALK, height])
    speed = one(path, [f"{FOLDER}/x", f"{FOLDER}/y"], derive="speed", smoothing=0)
    assert np.nanmedian(values(speed)) == pytest.approx(2 * np.pi / 10, rel=0.01)


def test_series_that_were_not_sampled_together_do_not_stand_side_by_side(tmp_path: Path) -> None:
    path = points_file(tmp_path / "apart.nwb", x=WALK[:, 0], y=WALK[:-1, 1])
    with build.edited(path) as h5:
        h5[f"{FOLDER}/y/timestamps"][:] += 0.01
    with pytest.raises(UsageError, match="have different times"):
        one(path, [f"{FOLDER}/x", f"{FOLDER}/y"])
    with pytest.raises(UsageError, match="no /processing/behavior/Pose/w in the file"):
        one(path, [f"{FOLDER}/x", f"{FOLDER}/w"])


def test_samples_that_only_one_series_has_are_left_out_aloud(tmp_path: Path) -> None:
    path = points_file(tmp_path / "a.nwb", front=WALK + AHEAD, back=(WALK - AHEAD)[:-20])
    label = one(path, LEDS, derive="direction")
    assert f"{LEDS[0]}: 20 samples at times that the other series lack" in " ".join(label.notes)
    assert np.allclose(np.exp(1j * values(label)[:380]), np.exp(1j * TURN[:380]))


def body() -> dict[str, np.ndarray]:
    return {"nose": WALK + 2 * AHEAD, "tail": WALK - 2 * AHEAD, "paw": WALK + 0.1 * np.c_[np.sin(9 * TIMES), TIMES * 0]}


def test_a_pose_is_relative_to_the_body(tmp_path: Path) -> None:
    points = body()
    path = points_file(tmp_path / "pose.nwb", **points)
    expected = np.stack(list(points.values()), axis=1)
    expected = expected - expected.mean(axis=1, keepdims=True)
    label = one(path, [f"{FOLDER}/{name}" for name in points], derive="pose")
    assert (label.kind, label.units) == ("continuous", "m")
    assert label.axes == ("nose_x", "nose_y", "tail_x", "tail_y", "paw_x", "paw_y")
    assert np.allclose(values(label), expected.reshape(len(TIMES), 6))
    of_container = one(path, FOLDER, derive="pose")
    assert sorted(of_container.axes) == sorted(label.axes)
    nwb = build.new()
    build.add_behaviour(nwb, "wide", TIMES, np.stack(list(points.values()), axis=1), unit="px")
    wide = one(build.save(nwb, tmp_path / "w.nwb"), "/processing/behavior/BehavioralTimeSeries/wide", derive="pose")
    assert wide.axes[:3] == ("point0_x", "point0_y", "point1_x") and np.allclose(values(wide), values(label))


def test_a_key_point_that_is_lost_does_not_move_the_others(tmp_path: Path) -> None:
    points = body()
    confidence = np.ones(len(TIMES))
    confidence[100:103] = 0.1
    points["paw"][100:103] += 50
    path = with_confidence(points_file(tmp_path / "pose.nwb", **points), "paw", confidence)
    hidden = with_confidence(points_file(tmp_path / "hidden.nwb", **body()), "tail", np.where(TIMES < 15, 0.1, 1.0))
    found = values(one(path, FOLDER, derive="pose"))
    clean = values(one(points_file(tmp_path / "clean.nwb", **body()), FOLDER, derive="pose"))
    assert np.abs(found - clean).max() < 0.05
    label = one(hidden, FOLDER, derive="pose")
    assert len(label.axes) == 4 and "tail is seen in 25% of the samples" in " ".join(label.notes)


@pytest.mark.parametrize("where", ["inside", "beside"])
def test_samples_of_low_confidence_are_left_out_and_counted(tmp_path: Path, where: str) -> None:
    bad = RNG.random(len(TIMES)) < 0.1
    nose = np.where(bad[:, None], RNG.uniform(600, 900, WALK.shape), WALK + AHEAD)
    confidence = np.where(bad, 0.02, 0.99)
    if where == "inside":
        path = with_confidence(points_file(tmp_path / "n.nwb", nose=nose, tail=WALK), "nose", confidence)
    else:
        path = points_file(tmp_path / "n.nwb", nose=nose, tail=WALK, nose_likelihood=confidence)
    label = one(path, f"{FOLDER}/nose")
    assert f"{bad.sum()} of 400 samples" in " ".join(label.notes) and "under 0.6" in " ".join(label.notes)
    assert np.nanmax(np.abs(values(label))) < 1.3
    assert np.nanmax(values(one(path, f"{FOLDER}/nose", min_confidence=0.01))) > 500
    assert np.nanmax(values(one(path, f"{FOLDER}/nose", min_confidence=0))) > 500
    with pytest.raises(UsageError, match="no confidence lies beside"):
        one(path, f"{FOLDER}/tail", min_confidence=0.5)


def test_a_confidence_that_is_none_or_takes_everything_is_said(tmp_path: Path) -> None:
    path = with_confidence(points_file(tmp_path / "p.nwb", nose=WALK), "nose", np.full(len(TIMES), 88.0))
    assert "runs to 88, not to 1, and was not used" in " ".join(one(path, f"{FOLDER}/nose").notes)
    path = with_confidence(points_file(tmp_path / "q.nwb", nose=WALK), "nose", np.full(len(TIMES), 0.3))
    with pytest.raises(Refusal, match=r"no sample is left: .*under 0\.6"):
        one(path, f"{FOLDER}/nose")


def add_codes(nwb: NWBFile) -> None:
    diameter = 4 + np.sin(TIMES)
    diameter[30:60], diameter[200:220], diameter[300:310] = 0, 0, 0
    build.behavior(nwb).add(TimeSeries(name="pupil_diameter", data=diameter, unit="mm", timestamps=TIMES))
    position = WALK + 3
    position[30:60], position[200:220], position[300:310] = 0, 0, 0
    build.add_position(nwb, TIMES, position)
    texts = np.where(TIMES < 10, "run", np.where(TIMES < 15, "rest ", "N/A")).tolist()
    build.behavior(nwb).add(TimeSeries(name="state", data=texts, unit="n.a.", timestamps=TIMES))


def test_values_that_stand_for_nothing_are_left_out_and_shown_by_inspect(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes(stop=20.0))
    add_codes(nwb)
    path = build.save(nwb, tmp_path / "codes.nwb")
    assert np.nanmin(values(one(path, "/processing/behavior/pupil_diameter"))) > 2.9
    position = values(one(path, "/processing/behavior/Position/position"))
    assert np.isnan(position[32:58]).all() and np.nanmin(position) > 1.9
    state = one(path, "/processing/behavior/state")
    assert state.classes == ("rest", "run") and (values(state)[305:] == -1).all()
    said = {remark.path: remark.what for remark in inventory(path).suspicious}
    assert "0 stands for no measurement: 60 of 400 (15 %)" in said["/processing/behavior/pupil_diameter"]
    assert "(0, 0) comes back exactly" in said["/processing/behavior/Position/position"]
    assert "'N/A' stands for nothing: 100 of 400" in said["/processing/behavior/state"]


@pytest.mark.parametrize("code", [-999, -1])
def test_a_code_is_known_by_the_number_that_is_stored(tmp_path: Path, code: int) -> None:
    speed = np.round(100 * np.abs(20 + 10 * np.sin(TIMES)))
    speed[100:130], speed[220:230], speed[300:320] = code, code, code
    nwb = build.new()
    build.add_position(nwb, TIMES, speed.astype(np.int16), name="running", unit="cm/s", conversion=0.01)
    label = one(build.save(nwb, tmp_path / "s.nwb"), "/processing/behavior/Position/running")
    assert f"stored {code} " in label.suspicious[0] and "60 of 400" in label.suspicious[0]
    assert np.nanmin(values(label)) > 9
