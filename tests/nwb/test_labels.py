"""Labels: what ``auto`` takes, how values are cleaned, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Config, Time, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.choice import choose_labels
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.sampled_label import SeriesLabel
from xcebra_nwb.nwb.reading.file import open_nwb

TIMES, POSITION = build.circling(20.0)
ANGLE = np.mod(np.arctan2(POSITION[:, 1], POSITION[:, 0]), 2 * np.pi)
TIME: Time = validate({}).time


def choose(path: Path, labels: Any = "auto") -> tuple[list[Label], list[str]]:
    config: Config = validate({"labels": labels})
    with open_nwb(path) as file:
        return choose_labels(file, config.labels)


def one(path: Path, source: str, kind: str = "auto") -> Label:
    return choose(path, {"it": {"source": source, "kind": kind}})[0][0]


def series(label: Label) -> np.ndarray:
    assert isinstance(label, SeriesLabel)
    return label.samples.values


def names(labels: list[Label]) -> dict[str, str]:
    return {label.name: label.kind for label in labels}


def test_the_usual_behaviour_is_found(tmp_path: Path) -> None:
    labels, notes = choose(build.tiny(tmp_path / "tiny.nwb"))
    assert names(labels) == {"position": "continuous", "head_direction": "circular", "speed": "continuous"}
    assert (
        notes[0] == "label position: /processing/behavior/Position/position, continuous: a SpatialSeries in a Position"
    )


def test_velocity_goes_with_position(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_position(nwb, TIMES, POSITION, name="cursor")
    build.add_behaviour(nwb, "velocity", TIMES, np.random.default_rng(0).normal(size=POSITION.shape))
    build.add_behaviour(nwb, "lever force", TIMES, np.random.default_rng(1).normal(size=len(TIMES)), unit="N")
    labels, _ = choose(build.save(nwb, tmp_path / "reach.nwb"))
    assert names(labels) == {"cursor_position": "continuous", "velocity": "continuous", "lever_force": "continuous"}


def test_of_near_copies_one_is_taken_and_the_others_are_named_with_their_agreement(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_position(nwb, TIMES, POSITION, name="front LED")
    build.add_position(nwb, TIMES, POSITION, name="twin")
    build.add_position(nwb, TIMES, POSITION + 1, name="back LED")
    build.add_position(nwb, TIMES + 1000, POSITION + 1, name="other maze")
    labels, notes = choose(build.save(nwb, tmp_path / "leds.nwb"))
    assert names(labels) == {"position": "continuous"}
    holder = "/processing/behavior/Position"
    assert any(f"{holder}/front LED: a near copy of {holder}/back LED (R² 1)" in note for note in notes)
    assert any("other maze: there is a position of the animal already" in note for note in notes)


def test_positions_lying_in_acquisition_are_found(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "moved.nwb")
    with build.edited(path) as h5:
        h5.move("processing/behavior/Position/position", "acquisition/tracking")
        del h5["processing/behavior"]
    labels, _ = choose(path)
    assert [(label.name, label.source) for label in labels] == [("position", "/acquisition/tracking")]


def test_degrees_become_radians_and_units_are_guessed_aloud(tmp_path: Path) -> None:
    for unit, values in (("degrees", np.rad2deg(ANGLE)), ("radians", ANGLE), ("unknown", np.rad2deg(ANGLE))):
        nwb = build.new()
        build.add_head_direction(nwb, TIMES, values, unit=unit)
        label = one(build.save(nwb, tmp_path / f"{unit}.nwb"), "/processing/behavior/CompassDirection")
        assert (label.kind, label.units) == ("circular", "rad")
        assert np.allclose(series(label)[:, 0], ANGLE)
        assert bool(label.notes) == (unit == "unknown")


def test_two_angles_are_a_place_not_a_direction(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_position(nwb, TIMES, POSITION, name="place on the sphere", unit="degrees")
    build.add_position(nwb, TIMES, np.mod(7.3 * TIMES, 2 * np.pi), name="heading", unit="rad")
    labels, _ = choose(build.save(nwb, tmp_path / "gaze.nwb"))
    assert names(labels) == {"position": "continuous", "head_direction": "circular"}


def test_offset_and_conversion_are_applied(tmp_path: Path) -> None:
    nwb = build.new()
    counts = np.round(POSITION * 1000).astype(np.int16)
    build.add_position(nwb, None, counts, rate=20.0, start=5.0, conversion=0.001, offset=2.0)
    label = one(build.save(nwb, tmp_path / "scaled.nwb"), "/processing/behavior/Position/position")
    assert np.allclose(series(label), counts * 0.001 + 2)
    assert label.times[0] == 5.0
    assert label.range == pytest.approx((4.975, 24.975))


def test_missing_and_unsorted_samples_are_cleaned(tmp_path: Path) -> None:
    times, values = TIMES.copy(), POSITION.copy()
    times[[3, 4]] = times[[4, 3]]
    values[[3, 4]] = values[[4, 3]]
    times[10], values[20, 1] = np.nan, np.nan
    nwb = build.new()
    build.add_position(nwb, times, values)
    label = one(build.save(nwb, tmp_path / "dirty.nwb"), "/processing/behavior/Position/position")
    keep = np.ones(len(TIMES), dtype=bool)
    keep[[10, 20]] = False
    assert np.array_equal(label.times, TIMES[keep])
    assert np.array_equal(series(label), POSITION[keep])
    said = " ".join(label.notes)
    assert "were sorted" in said and "not finite" in said and "1 samples with NaN" in said


def test_a_restarting_clock_is_refused(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_position(nwb, np.r_[TIMES, TIMES], np.r_[POSITION, POSITION])
    path = build.save(nwb, tmp_path / "restart.nwb")
    with pytest.raises(Refusal, match="restart half way"):
        one(path, "/processing/behavior/Position/position")


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_empty_and_constant_labels_are_refused(tmp_path: Path, value: float) -> None:
    nwb = build.new()
    build.add_position(nwb, TIMES, np.full_like(POSITION, value))
    path = build.save(nwb, tmp_path / "flat.nwb")
    wanted = "nothing but NaN" if np.isnan(value) else "constant"
    with pytest.raises(Refusal, match=rf"label it \(/processing/behavior/Position/position\) .*{wanted}"):
        one(path, "/processing/behavior/Position/position")
    with pytest.raises(Refusal, match=f"no behaviour that can be used: label position .*{wanted}; intervals: none"):
        choose(path)


def test_few_whole_numbers_are_classes(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_behaviour(nwb, "state", TIMES, (TIMES // 5).astype(int) * 10, unit="n.a.")
    path = build.save(nwb, tmp_path / "state.nwb")
    label = one(path, "/processing/behavior/BehavioralTimeSeries/state")
    assert (label.kind, label.classes) == ("discrete", ("0", "10", "20", "30"))
    codes, _ = label.binned(Grid(0.0, 5.0, 4), TIME)
    assert codes.tolist() == [0, 1, 2, 3]
    assert one(path, "/processing/behavior/BehavioralTimeSeries/state", "continuous").kind == "continuous"


def test_a_lost_position_is_taken_out_but_a_still_speed_is_not(tmp_path: Path) -> None:
    stuck = POSITION.copy()
    stuck[100:300] = 7.0  # 5.0 s to 14.95 s
    nwb = build.new()
    build.add_position(nwb, TIMES, stuck)
    build.add_behaviour(nwb, "speed", TIMES, stuck[:, 0])
    path = build.save(nwb, tmp_path / "stuck.nwb")
    time: Time = validate({"time": {"max_still": 5.0}}).time
    grid = Grid(0.0, 1.0, 20)
    values, lost = one(path, "/processing/behavior/Position/position").binned(grid, time)
    assert np.flatnonzero(lost).tolist() == list(range(5, 15))
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == list(range(5, 15))
    assert not one(path, "/processing/behavior/BehavioralTimeSeries/speed").binned(grid, time)[1].any()
    never: Time = validate({"time": {"max_still": None}}).time
    assert not one(path, "/processing/behavior/Position/position").binned(grid, never)[1].any()


def test_columns_of_an_interval_table(tmp_path: Path) -> None:
    nwb = build.new()
    rows = [[0, 2], [3, 5], [4.5, 6], [8, 9]]
    sides = ["right", "left", "left", "right"]
    build.add_intervals(nwb, "trials", rows, choice=sides, contrast=[0.1, 0.2, np.nan, 0.4])
    path = build.save(nwb, tmp_path / "trials.nwb")
    choice = one(path, "/intervals/trials#choice")
    assert (choice.kind, choice.classes) == ("discrete", ("left", "right"))
    grid = Grid(0.0, 1.0, 10)
    assert choice.binned(grid, TIME)[0].tolist() == [1, 1, -1, 0, 0, 0, -1, -1, 1, -1]
    half = Grid(0.0, 0.5, 12)  # 4.5 to 5 s lies in two rows, which agree
    assert choice.binned(half, TIME)[0].tolist() == [1, 1, 1, 1, -1, -1, 0, 0, 0, 0, 0, 0]
    contrast = one(path, "/intervals/trials#contrast")
    assert contrast.kind == "continuous"
    assert np.allclose(
        contrast.binned(grid, TIME)[0][:, 0], [0.1, 0.1, np.nan, 0.2, 0.2, *[np.nan] * 3, 0.4, np.nan], equal_nan=True
    )
    with pytest.raises(UsageError, match="candidates: /intervals/trials#choice"):
        one(path, "/intervals/trials#chioce")
    with pytest.raises(UsageError, match="cannot be circular"):
        one(path, "/intervals/trials#choice", "circular")


def test_a_column_of_angles_is_circular_when_asked(tmp_path: Path) -> None:
    nwb = build.new()
    rows = np.stack([np.arange(8.0), np.arange(8.0) + 1], axis=1)
    target = np.array([0.0, 180, 45, 225, 90, 270, 135, 315])
    build.add_intervals(nwb, "trials", rows, target=target)
    path = build.save(nwb, tmp_path / "a.nwb")
    angle = {"source": "/intervals/trials#target", "kind": "circular"}
    for unit in ({"unit": "degrees"}, {}):
        (found,) = choose(path, {"it": angle | unit})[0]
        assert (found.kind, found.units) == ("circular", "rad")
        values = found.binned(Grid(0.0, 1.0, 8), TIME)[0]
        assert values.shape == (8,)
        assert np.allclose(np.exp(1j * values), np.exp(1j * np.deg2rad(target)))
    with pytest.raises(Refusal, match="must be degrees"):
        choose(path, {"it": angle | {"unit": "radians"}})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"source": "/intervals/trials#target", "unit": "degrees"}, "a unit is read for angles only"),
        ({"source": "/intervals/trials#target", "columns": [0]}, "columns are those of a series"),
        (
            {"source": "/intervals/trials", "kind": "continuous"},
            "inside or outside, which is discrete and cannot be continuous",
        ),
    ],
)
def test_no_key_is_taken_and_not_read(keys: dict, says: str, tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "trials", [[0, 1], [2, 3]], target=[0.5, 1.5])
    with pytest.raises(UsageError, match=says):
        choose(build.save(nwb, tmp_path / "a.nwb"), {"it": keys})


def test_auto_falls_back_on_the_table_that_covers_the_most_time(tmp_path: Path) -> None:
    nwb = build.new()
    rows = np.stack([np.arange(20.0), np.arange(20.0) + 0.8], axis=1)
    two, rare = ["a", "b"] * 10, [0] * 19 + [1]
    build.add_intervals(
        nwb, "trials", rows, side=two, rare=rare, twin=[2, 3] * 10, number=list(range(20)), same=["a"] * 20
    )
    build.add_intervals(nwb, "short", rows * 0.1 + 50, side=two)
    build.add_intervals(nwb, "invalid_times", rows + 100, side=two)
    labels, notes = choose(build.save(nwb, tmp_path / "trials.nwb"))
    assert [(label.name, label.source) for label in labels] == [("side", "/intervals/trials#side")]
    said = " ".join(notes)
    assert "not taken, its rarest class has 5% of the rows: /intervals/trials#rare" in said
    assert "not taken, the same classes as side: /intervals/trials#twin" in said
    assert "not taken, bookkeeping: /intervals/trials#number" in said
    assert "not taken, a single value: /intervals/trials#same" in said
    assert "not taken, /intervals/trials has what the experiment is about: /intervals/short" in said


def test_nothing_to_find_is_refused_with_what_there_is(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "epochs", [[0, 60]])
    build.add_behaviour(nwb, "lick sensor voltage", TIMES, ANGLE, unit="V")
    with pytest.raises(Refusal) as caught:
        choose(build.save(nwb, tmp_path / "none.nwb"))
    assert "no behaviour found" in caught.value.message and "epochs (1 row)" in caught.value.message
    assert "source: /processing/behavior/BehavioralTimeSeries/lick sensor voltage" in caught.value.remedy


def test_an_unknown_source_names_the_candidates(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb")
    with pytest.raises(UsageError, match=r"labels.it: no /processing/behavior/Position/led in the file .candidates: "):
        one(path, "/processing/behavior/Position/led")
    with pytest.raises(UsageError, match="valid means something else"):
        choose(path, {"valid": {"source": "/processing/behavior/Position/position"}})
    with pytest.raises(UsageError, match="has 2 columns, a circular label has one"):
        one(path, "/processing/behavior/Position/position", "circular")
    with pytest.raises(UsageError, match="too many classes"):
        one(path, "/processing/behavior/CompassDirection/head_direction", "discrete")


def test_names_are_made_valid_and_unique() -> None:
    assert clean_name("Tracked 2D position") == "Tracked_2D_position"
    assert clean_name("2D: x/y") == "label_2D_x_y"
    assert clean_name("---") == "label"
    assert clean_name("time") == "time_2"
    assert clean_name("led", ["led", "led_2"]) == "led_3"


def test_columns_of_a_pose_are_counted_through_its_parts_and_axes(tmp_path: Path) -> None:
    pose = np.arange(len(TIMES) * 6.0).reshape(-1, 3, 2) ** 1.5  # (time, part, axis)
    nwb = build.new()
    build.add_behaviour(nwb, "pose", TIMES, pose)
    path = build.save(nwb, tmp_path / "pose.nwb")
    source = "/processing/behavior/BehavioralTimeSeries/pose"
    second_part = choose(path, {"it": {"source": source, "columns": [2, 3]}})[0][0]
    np.testing.assert_array_equal(series(second_part), pose[:, 1])
    assert second_part.axes == ("2", "3")
    last = choose(path, {"it": {"source": source, "columns": [5]}})[0][0]
    np.testing.assert_array_equal(series(last), pose[:, 2, [1]])


def test_truth_values_of_a_series_keep_their_names(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_behaviour(nwb, "licking", TIMES, POSITION[:, 0] > 0)
    licking = one(build.save(nwb, tmp_path / "licks.nwb"), "/processing/behavior/BehavioralTimeSeries/licking")
    assert licking.classes == ("False", "True")
    np.testing.assert_array_equal(series(licking)[:, 0], POSITION[:, 0] > 0)


def test_a_voltage_called_theta_is_no_angle_whose_phase_is_taken(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_behaviour(nwb, "theta", TIMES, 500 * POSITION[:, 0], unit="a.u.")
    source = "/processing/behavior/BehavioralTimeSeries/theta"
    path = build.save(nwb, tmp_path / "theta.nwb")
    label = choose(path, {"it": {"source": source, "derive": "phase", "band": [0.05, 0.2]}})[0][0]
    np.testing.assert_array_equal(series(label)[:, 0], 500 * POSITION[:, 0])
    assert not any("degrees" in note for note in label.notes)


@pytest.mark.parametrize(("says", "is_in", "scale"), [("degrees", "radians", 1.0), ("radians", "degrees", 180 / np.pi)])
def test_the_remedy_for_an_impossible_unit_names_the_true_one(
    tmp_path: Path, says: str, is_in: str, scale: float
) -> None:
    nwb = build.new()
    build.add_head_direction(nwb, TIMES, np.mod(TIMES, 2 * np.pi) * scale, unit=says)
    with pytest.raises(Refusal) as caught:
        one(build.save(nwb, tmp_path / "unit.nwb"), "/processing/behavior/CompassDirection")
    assert f"unit: {is_in}" in caught.value.remedy
