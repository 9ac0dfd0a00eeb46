"""labels: auto: what it takes is what an experiment is about, and what it leaves out is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.labels.auto.candidate import Role
from xcebra_nwb.nwb.labels.auto.choose import Choice, choose
from xcebra_nwb.nwb.labels.auto.column_roles import column_role
from xcebra_nwb.nwb.labels.auto.measured import unit_quantity
from xcebra_nwb.nwb.reading.file import open_nwb

TIMES = np.arange(0, 60, 0.05)


def walk(seed: int, columns: int = 1, tau: int = 20) -> np.ndarray:
    """A random course without drift, shape (sample, column)."""
    noise = np.random.default_rng(seed).normal(size=(len(TIMES) + tau, columns))
    return np.stack([np.convolve(noise[:, c], np.ones(tau) / tau, mode="same") for c in range(columns)], axis=1)[
        : len(TIMES)
    ]


def chosen(path: Path) -> Choice:
    with open_nwb(path) as file:
        return choose(file, [])


def kinds(choice: Choice) -> dict[str, str]:
    return {label.name: label.kind for label in choice.labels}


def rows(count: int = 58) -> np.ndarray:
    return np.arange(count)[:, None] + [0.1, 0.9]


@pytest.mark.parametrize(
    "unit", ["m/s", "cm/s", "mm/s", "deg/s", "degrees/s", "rad/s", "meters per second", "px/s", "m s-1"]
)
def test_a_unit_of_change_tells_a_movement(unit: str) -> None:
    assert unit_quantity(unit) == "velocity"


@pytest.mark.parametrize(
    ("unit", "quantity"), [("m/s^2", "acceleration"), ("1/s", ""), ("spikes/s", ""), ("V", "volt")]
)
def test_other_units_tell_no_velocity(unit: str, quantity: str) -> None:
    assert unit_quantity(unit) == quantity


@pytest.mark.parametrize(
    ("column", "role"),
    [
        ("response_choice", Role.CHOICE),
        ("mouse_wheel_choice", Role.CHOICE),
        ("feedback_type", Role.OUTCOME),
        ("is_mouse_rewarded", Role.OUTCOME),
        ("gabor_stimulus_contrast", Role.STIMULUS),
        ("contrast_left", Role.STIMULUS),
        ("stimulus_id", Role.STIMULUS),
        ("trial_type", Role.CONDITION),
        ("probability_left", Role.CONDITION),
        ("included", None),
        ("split", None),
        ("block_index", None),
        ("trial_number", None),
        ("response_time", None),
        ("auto_rewarded", None),
        ("reaction_time_ms", None),
        ("stimulus_onset", None),
        ("rep_num", None),
    ],
)
def test_columns_are_told_by_the_noun_of_their_name(column: str, role: Role | None) -> None:
    assert column_role(column)[0] == role


def test_a_running_speed_does_not_shut_out_stimulus_and_choice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nwb = build.new()
    build.add_behaviour(nwb, "running_speed", TIMES, np.abs(walk(1)[:, 0]), unit="cm/s")
    sides, choices = (rng.choice(["left", "right"], 58).tolist() for _ in range(2))
    build.add_intervals(nwb, "trials", rows(), included=[True] * 29 + [False] * 29, side=sides, choice=choices)
    choice = chosen(build.save(nwb, tmp_path / "task.nwb"))
    assert kinds(choice) == {"choice": "discrete", "side": "discrete", "running_speed": "continuous"}
    assert choice.reasons["/intervals/trials#included"] == "bookkeeping"


def test_a_label_that_another_predicts_is_left_out_with_the_line_that_asks_for_it(tmp_path: Path) -> None:
    nwb = build.new()
    sides = np.random.default_rng(0).choice(["left", "right"], 58).tolist()
    rewarded = [float(side == "left") for side in sides]
    rewarded[3] = 1.0 - rewarded[3]
    build.add_intervals(nwb, "trials", rows(), choice=sides, reward=rewarded)
    choice = chosen(build.save(nwb, tmp_path / "task.nwb"))
    assert list(kinds(choice)) == ["choice"]
    (note,) = [note for note in choice.notes if note.startswith("label not taken")]
    assert "/intervals/trials#choice predicts it" in note
    assert 'labels: {reward: {source: "/intervals/trials#reward", kind: discrete}} asks for it' in note


def test_the_better_of_near_copies_is_taken(tmp_path: Path) -> None:
    speed = np.abs(walk(2)[:, 0])
    gappy = np.where(np.arange(len(TIMES)) % 200 < 80, np.nan, speed)
    nwb = build.new()
    build.add_behaviour(nwb, "a_speed_raw", TIMES, speed + 1e-3 * walk(3)[:, 0], unit="cm/s")
    build.add_behaviour(nwb, "b_speed_filtered", TIMES, speed, unit="cm/s")
    build.add_behaviour(nwb, "c_speed", TIMES, gappy, unit="cm/s")
    choice = chosen(build.save(nwb, tmp_path / "copies.nwb"))
    assert [label.source.rsplit("/", 1)[1] for label in choice.labels] == ["b_speed_filtered"]
    assert sum("near copy of" in note and "R²" in note for note in choice.notes) == 2


def test_a_velocity_recorded_only_when_it_changes_gives_way_to_its_regular_copy(tmp_path: Path) -> None:
    angle = np.cumsum(np.where(np.arange(len(TIMES)) % 200 < 60, walk(4)[:, 0], 0.0))
    moved = np.r_[True, np.diff(angle) != 0]
    nwb = build.new()
    build.add_behaviour(nwb, "wheel_position", TIMES[moved], angle[moved], unit="rad")
    build.add_behaviour(nwb, "wheel_velocity", TIMES, np.gradient(angle, TIMES), unit="rad/s")
    choice = chosen(build.save(nwb, tmp_path / "wheel.nwb"))
    assert [label.source.rsplit("/", 1)[1] for label in choice.labels] == ["wheel_velocity"]


def test_x_and_y_are_one_position(tmp_path: Path) -> None:
    nwb = build.new()
    for axis, values in zip("xy", walk(5, 2).T, strict=True):
        build.add_position(nwb, TIMES, values, name=f"pos_{axis}")
    choice = chosen(build.save(nwb, tmp_path / "axes.nwb"))
    assert [(label.name, label.axes) for label in choice.labels] == [("position", ("pos_x", "pos_y"))]


def test_two_lights_of_one_head_give_a_position_and_a_direction(tmp_path: Path) -> None:
    place, angle = 50 * walk(6, 2, tau=100), 6 * walk(7, tau=100)[:, 0]
    aside = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    nwb = build.new()
    build.add_position(nwb, TIMES, place + aside, name="LED red", unit="cm")
    build.add_position(nwb, TIMES, place - aside, name="LED green", unit="cm")
    choice = chosen(build.save(nwb, tmp_path / "lights.nwb"))
    assert kinds(choice) == {"position": "continuous", "head_direction": "circular"}


def test_names_of_classes_come_before_their_codes(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 4, 58)
    nwb = build.new()
    names = [f"im{code}" for code in codes]
    build.add_intervals(nwb, "trials", rows(), image_id=codes.tolist(), image_name=names)
    choice = chosen(build.save(nwb, tmp_path / "images.nwb"))
    assert list(kinds(choice)) == ["image_name"]


def test_of_any_number_of_candidates_only_so_many_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcebra_nwb.nwb.labels.auto.choose.MOST_OF_A_ROLE", 2)
    nwb = build.new()
    for number in range(4):
        build.add_behaviour(nwb, f"speed_{number}", TIMES, np.abs(walk(number)[:, 0]), unit="cm/s")
    choice = chosen(build.save(nwb, tmp_path / "many.nwb"))
    assert len(choice.labels) == 2
    assert sum("one of more than 2 alike" in note for note in choice.notes) == 2


def test_of_three_angles_without_a_word_none_is_the_direction(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_head_direction(nwb, TIMES, walk(1, 3), unit="radians")
    choice = chosen(build.save(nwb, tmp_path / "angles.nwb"))
    assert not choice.labels
    assert "nothing says which is the azimuth" in next(iter(choice.reasons.values()))


def test_junk_is_not_offered(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, TIMES, walk(8, 2))
    build.add_behaviour(nwb, "photodiode voltage", TIMES, walk(9)[:, 0], unit="V")
    build.add_behaviour(nwb, "frame_index", TIMES, np.arange(len(TIMES)), unit="frame")
    build.add_behaviour(nwb, "whisker_angle", TIMES, walk(10)[:, 0], unit="n/a")
    config = inventory(build.save(nwb, tmp_path / "junk.nwb")).config
    assert "whisker_angle" in config and "derive: speed" in config
    assert "photodiode" not in config and "frame_index" not in config
