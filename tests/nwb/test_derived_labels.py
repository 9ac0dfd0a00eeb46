"""Derived labels against formulas, their invariances, and what cannot be derived."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcebra_nwb.core.config.labels import Label
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels import derived
from xcebra_nwb.nwb.reading.series import Samples

TIMES = np.arange(0, 20, 0.02)
ANGLE = 0.5 * TIMES  # rad
CIRCLE = Samples(TIMES, 3 * np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1))
INNER = slice(50, -50)  # away from the ends, where a derivative and a Gaussian are one-sided


def wrapped(difference: np.ndarray) -> np.ndarray:
    return np.angle(np.exp(1j * difference))


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_on_a_circle(smoothing: float) -> None:
    assert np.allclose(derived.speed(CIRCLE, smoothing).values[INNER], 1.5, atol=2e-3)
    expected = 1.5 * np.stack([-np.sin(ANGLE), np.cos(ANGLE)], axis=1)
    assert np.allclose(derived.velocity(CIRCLE, smoothing).values[INNER], expected[INNER], atol=2e-3)
    assert np.allclose(derived.acceleration(CIRCLE, smoothing).values[INNER], 0, atol=2e-2)
    direction = derived.heading(CIRCLE, smoothing).values[:, 0]
    assert np.allclose(wrapped(direction - ANGLE - np.pi / 2)[INNER], 0, atol=2e-3)
    assert np.allclose(derived.distance(CIRCLE, np.zeros(2)).values, 3)


def test_an_animal_that_gets_faster() -> None:
    samples = Samples(TIMES, (2 * TIMES**2)[:, None])
    assert np.allclose(derived.speed(samples, 0.0).values[INNER, 0], 4 * TIMES[INNER])
    assert np.allclose(derived.acceleration(samples, 0.0).values[INNER], 4)


def test_an_angle_turns_through_its_ends() -> None:
    turning = Samples(TIMES, np.mod(2 * TIMES, 2 * np.pi)[:, None])
    assert np.allclose(derived.velocity(turning, 0.1, "circular").values[INNER], 2)
    assert derived.velocity(turning, 0.0, "continuous").values.min() < -10


def test_nothing_is_derived_across_a_gap() -> None:
    jump = Samples(np.r_[TIMES, TIMES + 21], np.r_[CIRCLE.values, CIRCLE.values + 1000])
    assert np.allclose(derived.speed(jump, 0.0).values[:, 0], 1.5, atol=1e-2)
    assert len(derived.speed(jump, 0.0).times) == 2 * len(TIMES)
    alone = Samples(np.r_[TIMES, 30.0], np.r_[CIRCLE.values, [[0.0, 0.0]]])
    assert len(derived.speed(alone, 0.0).times) == len(TIMES)  # one sample has no derivative


def test_repeated_times_count_once() -> None:
    twice = Samples(np.repeat(TIMES, 2), np.repeat(CIRCLE.values, 2, axis=0))
    assert np.array_equal(derived.speed(twice, 0.1).values, derived.speed(CIRCLE, 0.1).values)


def test_who_stands_still_has_no_heading() -> None:
    way = np.where(TIMES < 10, TIMES, 10.0)
    moving = derived.heading(Samples(TIMES, np.stack([way, np.zeros_like(way)], axis=1)), 0.0)
    assert moving.times[-1] == pytest.approx(10, abs=0.05)
    assert np.allclose(moving.values, 0)


def test_a_straight_track_and_one_with_corners() -> None:
    way = np.abs(np.mod(TIMES, 10) - 5)
    straight = Samples(TIMES, way[:, None] * [0.6, 0.8] + [7.0, -2.0])
    assert np.allclose(derived.linear_position(straight, None, "place").values[:, 0], way)
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 2.0]])
    bent = np.where(way[:, None] < 3, way[:, None] * [1.0, 0.0], [3.0, 0.0] + (way[:, None] - 3) * [0.0, 1.0])
    assert np.allclose(derived.linear_position(Samples(TIMES, bent), corners, "place").values[:, 0], way)
    with pytest.raises(Refusal, match=r"place: the positions do not lie along a line: .*track") as caught:
        derived.linear_position(CIRCLE, None, "place")
    assert caught.value.code is Code.LABEL_NOT_DERIVABLE


def test_the_phase_of_an_oscillation_among_others() -> None:
    times = np.arange(0, 10, 0.002)
    values = np.cos(2 * np.pi * 8 * times) + 3 * np.cos(2 * np.pi * times) + 0.5 * np.cos(2 * np.pi * 60 * times)
    found = derived.phase(Samples(times, values[:, None]), (6, 10), "theta")
    assert np.allclose(wrapped(found.values[:, 0] - 2 * np.pi * 8 * found.times), 0, atol=0.2)
    assert found.times[0] == pytest.approx(1 / 6, abs=0.01)
    with pytest.raises(Refusal, match=r"theta: 300 Hz needs more than 600 samples a second, there are 500"):
        derived.phase(Samples(times, values[:, None]), (200, 300), "theta")
    with pytest.raises(Refusal, match="no stretch without a gap has four cycles of 6 Hz"):
        derived.phase(Samples(times[:200], values[:200, None]), (6, 10), "theta")


@settings(deadline=None, max_examples=30)
@given(st.floats(-np.pi, np.pi), st.floats(-100, 100), st.floats(-1000, 1000), st.integers(0, 2**32))
def test_speed_knows_neither_where_nor_when(turn: float, shift: float, later: float, seed: int) -> None:
    values = np.cumsum(np.random.default_rng(seed).normal(size=(60, 2)), axis=0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    here = derived.speed(Samples(TIMES[:60], values), 0.1)
    there = derived.speed(Samples(TIMES[:60] + later, values @ rotation.T + shift), 0.1)
    assert np.allclose(here.values, there.values, rtol=1e-6, atol=1e-6)
    assert np.allclose(there.times - later, here.times)


@pytest.mark.parametrize(
    ("keys", "columns", "says"),
    [
        ({"derive": "heading"}, 3, r"derive: heading needs 2 columns, /p has 3 .*columns: \[0, 1\]"),
        ({"derive": "phase", "band": [6, 10]}, 2, "derive: phase needs one column"),
        ({"derive": "distance", "point": [1.0]}, 2, "point has 1 numbers, /p 2 columns"),
        ({"derive": "linear_position", "track": [[0.0], [1.0]]}, 2, "corners have 1 numbers, not 2"),
    ],
)
def test_columns_that_do_not_fit(keys: dict[str, Any], columns: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        derived.derivation(Label(source="/p", **keys), "it", "continuous", "m", columns)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"smoothing": 0.2}, "smoothing is for derive: velocity or speed or acceleration or heading"),
        ({"derive": "speed", "point": [0, 0]}, "point is for derive: distance"),
        ({"derive": "distance"}, "derive: distance needs point"),
        ({"derive": "phase"}, "derive: phase needs band"),
        ({"derive": "phase", "band": [10, 6]}, r"band: \[10.0, 6.0\] is empty"),
        ({"derive": "time_from", "window": [1, 1]}, r"window: \[1.0, 1.0\] is empty"),
        ({"derive": "heading", "kind": "continuous"}, "derive: heading gives a circular label"),
        ({"derive": "spede"}, "Input should be 'velocity'"),
        ({"colums": [0]}, "unknown key labels.it.colums .did you mean columns"),
        ({"columns": [-1]}, "greater than or equal to 0"),
        ({"columns": []}, "at least 1 item"),
        ({"columns": [1, 1]}, r"columns: \[1, 1\] names one twice"),
    ],
)
def test_keys_that_do_not_fit(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        validate({"labels": {"it": {"source": "/p", **keys}}})


def test_units_follow() -> None:
    def units(unit: str, **keys: Any) -> str:
        return derived.derivation(Label(source="/p", **keys), "it", "continuous", unit, 2)[1]

    assert units("cm", derive="speed") == "cm/s"
    assert units("cm", derive="acceleration") == "cm/s^2"
    assert units("", derive="velocity") == "1/s"
    assert units("cm", derive="heading") == "rad"
    assert units("cm", derive="distance", point=[0, 0]) == units("cm", derive="linear_position") == "cm"
