"""Values that stand for nothing are found by continuity, and values at which something really stands are kept."""

from __future__ import annotations

import numpy as np
import pytest

from xcebra_nwb.nwb.labels.label import encoded
from xcebra_nwb.nwb.labels.stand_ins import number_stand_ins, text_stand_ins

RNG = np.random.default_rng(0)
STEPS = RNG.normal(size=(1000, 2))
PATH = np.cumsum(STEPS, axis=0) / 10  # a walk around the origin, which crosses it
LOST = np.zeros(len(PATH), dtype=bool)
for start in range(40, 1000, 120):
    LOST[start : start + 15] = True


def with_code(values: np.ndarray, code: float) -> np.ndarray:
    coded = values.copy()
    coded[LOST] = code
    return coded


@pytest.mark.parametrize("code", [0.0, -1.0])
@pytest.mark.parametrize("away", [30.0, 12.0])
def test_a_pair_that_comes_back_by_jumps_is_lost_tracking(code: float, away: float) -> None:
    found = number_stand_ins(with_code(PATH + away, code), tracked=True)
    assert np.array_equal(found.rows, LOST)
    assert found.words[0].startswith(f"({code:g}, {code:g}) comes back exactly")
    assert "120 of 1000 (12 %)" in found.words[0]


def test_a_code_inside_the_arena_is_found_by_the_jumps() -> None:
    assert np.array_equal(number_stand_ins(with_code(50 * smooth_walk(), 0.0), tracked=True).rows, LOST)
    assert not number_stand_ins(PATH, tracked=True).rows.any()


def smooth_walk() -> np.ndarray:
    """Return a walk around the origin that is smooth at the scale of a sample."""
    way = np.arange(1000) / 1000 * 2 * np.pi
    return np.stack([np.cos(7 * way), np.sin(11 * way)], axis=1)


def wheel() -> np.ndarray:
    """Return a wheel in whole steps that stands still at 0 again and again."""
    speed = np.maximum(np.sin(np.arange(1000) / 30), 0) * 20
    return np.round(speed)


def corner() -> np.ndarray:
    """Return a rat that sleeps in the corner (0, 0) and walks there and back."""
    way = np.clip(np.abs(np.sin(np.arange(1000) / 100)) * 40 - 10, 0, None)
    return np.stack([way, way], axis=1)


@pytest.mark.parametrize(
    ("values", "tracked"),
    [
        (wheel(), False),
        (wheel(), True),
        (corner(), True),
        (np.clip(smooth_walk()[:, 0], 0, None), False),
        (np.repeat(RNG.choice([0.0, 0.25, 0.5, 1.0], 50), 20), False),
        (np.where(np.repeat(np.arange(50) % 2, 20), 5 + 0.01 * RNG.normal(size=1000), 0.0), False),
        (RNG.integers(-1, 2, 1000).astype(float), False),
        (np.mod(np.arange(1000.0), 100), True),
        (np.where(np.abs(STEPS[:, 0]) < 1, 0, STEPS[:, 0]), False),
    ],
    ids=["wheel", "wheel_position", "corner", "clipped", "levels", "light", "choice", "laps", "thresholded"],
)
def test_values_at_which_something_stands_are_kept(values: np.ndarray, tracked: bool) -> None:
    assert not number_stand_ins(values, tracked=tracked).rows.any()


@pytest.mark.parametrize("code", [-1.0, 0.0])
def test_a_diameter_is_never_zero_or_less(code: float) -> None:
    diameter = 4 + smooth_walk()[:, 0]
    assert np.array_equal(number_stand_ins(with_code(diameter, code), positive=True).rows, LOST)
    assert number_stand_ins(with_code(diameter, -1.0)).rows.sum() == LOST.sum()


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("fill", [-999, 9999, -(2**15)])
def test_fill_values_lie_far_from_all_others(fill: int, in_order: bool) -> None:
    choices = RNG.integers(0, 2, 60)
    choices[7] = fill
    assert np.flatnonzero(number_stand_ins(choices, in_order=in_order).rows).tolist() == [7]


def test_minus_one_of_a_reaction_time_is_none_but_of_a_choice_is_one() -> None:
    times = RNG.uniform(0.2, 1.5, 60)
    times[::6] = -1
    assert np.array_equal(number_stand_ins(times, in_order=False).rows, times == -1)
    assert not number_stand_ins(RNG.integers(-1, 2, 60), in_order=False).rows.any()
    assert not number_stand_ins(RNG.choice([-1.0, 0.0, 0.5], 60), in_order=False).rows.any()


def test_numbers_that_are_large_by_nature_are_kept() -> None:
    assert not number_stand_ins(np.array([500.0, 700.0, 999.0, 1200.0]), in_order=False).rows.any()
    assert not number_stand_ins(np.array([0, 999]), in_order=False).rows.any()


def test_texts_that_stand_for_nothing_are_no_classes_and_are_counted() -> None:
    side = np.array(["left", "left ", "b'left'", "right", "nan", "N/A", "None", "", "null", "none"], dtype=object)
    codes, classes = encoded(side)
    assert classes == ("left", "none", "right")
    assert codes.tolist() == [0, 0, 0, 2, -1, -1, -1, -1, -1, 1]
    found = text_stand_ins(side)
    assert np.array_equal(found.rows, codes < 0)
    assert "'nan' stands for nothing: 1 of 10 left out" in found.words
    assert "'none' is taken as the name of a class" in found.words
