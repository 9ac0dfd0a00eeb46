"""Lap resets and teleports are borders; fast movements, glitches and sensors at rest are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb import TimeSeries

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Time, validate
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.labels import derived
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.jumps import jumps
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.series import Samples

TIME: Time = validate({}).time
TIMES = np.arange(0, 60, 0.02)
SPEED = 20 + 5 * np.sin(TIMES)  # cm/s
WAY = np.cumsum(SPEED) * 0.02
LAPS = np.mod(WAY, 150.0)
RESETS = np.flatnonzero(np.diff(LAPS) < -100)
RNG = np.random.default_rng(0)


def found(values: np.ndarray, times: np.ndarray = TIMES) -> np.ndarray:
    return jumps(Samples(times, values.reshape(len(values), -1)))


def test_a_reset_of_every_lap_is_a_jump() -> None:
    assert len(RESETS) == 8
    assert np.array_equal(found(LAPS), np.stack([TIMES[RESETS], TIMES[RESETS + 1]], axis=1))


def test_a_reset_to_a_random_start_is_a_jump() -> None:
    lap = np.r_[0, np.cumsum(np.diff(LAPS) < -100)]
    assert len(found(LAPS + 15 * RNG.random(9)[lap])) == 8


def test_a_reset_that_takes_two_samples_is_one_jump() -> None:
    smeared = LAPS.copy()
    smeared[RESETS + 1] = 60.0
    breaks = found(smeared)
    assert len(breaks) == 8 and np.allclose(breaks[:, 1] - breaks[:, 0], 0.04)


def test_a_teleport_to_one_place_of_an_arena_is_a_jump() -> None:
    away = np.mod(np.arange(3000), 300) * 0.15
    angle = RNG.uniform(0, 2 * np.pi, 10)[np.arange(3000) // 300] + 0.01 * away
    assert len(found(away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))) == 9


def test_a_jump_from_a_pause_to_the_start_is_one_too() -> None:
    lap = np.r_[np.full(50, -20.0), np.linspace(0, 150, 250)]
    breaks = found(np.tile(lap, 10))
    assert np.allclose(np.round(breaks[:, 1] / 0.02), np.sort(np.r_[50:3000:300, 300:3000:300]))


def saccades() -> np.ndarray:
    gaze = np.repeat(RNG.uniform(-10, 10, 150), 20)
    return gaze + 0.05 * RNG.normal(size=3000)


def glitches() -> np.ndarray:
    values = np.sin(TIMES)
    values[[300, 800, 1500, 2200]] = 30.0
    return values


def tongue() -> np.ndarray:
    out = np.zeros(3000)
    for start in RNG.integers(0, 2900, 60):
        out[start : start + 3] = RNG.uniform(3, 10)
    return out + 0.1 * RNG.normal(size=3000)


@pytest.mark.parametrize(
    "values",
    [WAY, np.sin(TIMES), saccades(), glitches(), tongue(), RNG.choice([0.0, 1.0, 5.0], 3000), RNG.normal(size=3000)],
    ids=["way", "smooth", "saccades", "glitches", "tongue", "levels", "noise"],
)
def test_movements_are_no_jumps(values: np.ndarray) -> None:
    assert not len(found(values))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_is_derived_across_a_jump(smoothing: float) -> None:
    samples = Samples(TIMES, LAPS[:, None])
    for derive in (derived.velocity, derived.speed):
        result = derive(samples, smoothing, breaks=found(LAPS))
        assert np.abs(result.values[:, 0] - np.interp(result.times, TIMES, SPEED)).max() < 2.0
    assert np.abs(derived.acceleration(samples, smoothing, breaks=found(LAPS)).values).max() < 20
    assert derived.speed(samples, smoothing).values.max() > 300  # without breaks


def label_of(tmp_path: Path, values: np.ndarray, unit: str = "cm", times: np.ndarray = TIMES, **keys: Any) -> Label:
    nwb = build.new()
    series = TimeSeries(name="pos", data=values, unit=unit, timestamps=times, **keys.pop("series", {}))
    build.behavior(nwb).add(series)
    path = build.save(nwb, tmp_path / "laps.nwb")
    config = validate({"labels": {"it": {"source": "/processing/behavior/pos", **keys}}}).labels["it"]
    with open_nwb(path) as file:
        return configured_label(file, "it", config)


@pytest.mark.parametrize("width", [0.05, 0.02, 0.01, 0.5])
def test_no_bin_mixes_both_sides_of_a_jump(tmp_path: Path, width: float) -> None:
    label = label_of(tmp_path, LAPS)
    assert np.allclose(label.borders, TIMES[RESETS] + 0.01)
    assert "8 jumps within a sample" in " ".join(label.notes)
    grid = Grid(0.0, width, round(59.9 / width))
    values = label.binned(grid, TIME)[0][:, 0]
    truth = np.interp(grid.centres, TIMES, WAY) % 150.0
    known = np.isfinite(values)
    off = np.abs(values - truth)[known]
    assert np.minimum(off, 150 - off).max() < 7 * width + 0.6
    assert 0 < np.sum(~known) <= 3 * len(RESETS)
    touching = (values[known] > 15) & (values[known] < 135)
    assert (off[touching] < 20).all()


def test_the_speed_of_a_position_with_laps_has_borders_there(tmp_path: Path) -> None:
    label = label_of(tmp_path, LAPS, derive="speed")
    assert np.allclose(label.borders, TIMES[RESETS] + 0.01)
    grid = Grid(0.0, 0.05, 1190)
    values = label.binned(grid, TIME)[0][:, 0]
    assert np.nanmax(np.abs(values - np.interp(grid.centres, TIMES, SPEED))) < 2.0


def test_a_sensor_that_is_no_place_has_no_borders(tmp_path: Path) -> None:
    force = np.where(np.mod(WAY, 150) > 120, 5.0 + 0.01 * RNG.normal(size=3000), 0.0)
    assert not len(label_of(tmp_path, force, unit="N").borders)


HELD = np.sort(RNG.uniform(0, 60, 40))
LEVELS = RNG.choice([0.2, 0.5, 0.8], 40) + 1e-6 * RNG.normal(size=40)


def fine_mean(values: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the mean of held values in each bin from a thousand points a bin."""
    at = grid.start + (np.arange(grid.count * 1000) + 0.5) * grid.width / 1000
    rows = np.searchsorted(HELD, at, side="right") - 1
    held = np.where(rows >= 0, values[np.clip(rows, 0, None)], np.nan)
    return held.reshape(grid.count, 1000).mean(axis=1)


def test_values_that_hold_make_no_ramp(tmp_path: Path) -> None:
    values = LEVELS.copy()
    values[10] = np.nan
    label = label_of(tmp_path, values, "n.a.", HELD, series={"continuity": "step"})
    grid = Grid(0.0, 0.5, 110)
    assert label.period is None
    assert np.allclose(label.binned(grid, TIME)[0][:, 0], fine_mean(values, grid), atol=1e-3, equal_nan=True)


def test_classes_that_hold_are_counted_by_time(tmp_path: Path) -> None:
    worlds = np.array([1.0, 2.0, 1.0, np.nan, 2.0])
    label = label_of(tmp_path, worlds, "n.a.", np.array([0.0, 1.4, 3.0, 4.0, 5.5]), series={"continuity": "step"})
    assert label.kind == "discrete"
    assert label.binned(Grid(0.0, 1.0, 6), TIME)[0].tolist() == [0, 1, 1, 0, -1, -1]


def test_what_holds_has_no_speed_but_a_distance(tmp_path: Path) -> None:
    keys = {"unit": "cm", "times": HELD, "series": {"continuity": "step"}}
    with pytest.raises(Exception, match="hold until the next sample and have no speed") as caught:
        label_of(tmp_path, LEVELS, **keys, derive="speed")
    assert caught.value.code is Code.LABEL_NOT_DERIVABLE
    away = label_of(tmp_path, LEVELS, **keys, derive="distance", point=[0.1])
    grid = Grid(5.0, 0.5, 90)
    assert np.allclose(away.binned(grid, TIME)[0][:, 0], fine_mean(LEVELS, grid) - 0.1, atol=1e-3)


def test_moments_are_events(tmp_path: Path) -> None:
    since = label_of(tmp_path, np.ones(40), "n.a.", HELD, series={"continuity": "instantaneous"}, derive="time_from")
    assert np.array_equal(since.times, HELD)
    with pytest.raises(Exception, match="holds events"):
        label_of(tmp_path, np.ones(40), "n.a.", HELD, series={"continuity": "instantaneous"})
