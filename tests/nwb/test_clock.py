"""Times that lie are named with the remedy that is right for them, by inspect and by extraction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from tests.support.nwb_builders import add_behaviour, add_intervals, add_units, edited, new, save, steady_spikes
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.clock import doubts, fillers, oddities

TIMES = np.arange(1800) / 30  # s
SPEED = 1 + np.abs(np.sin(TIMES))
SERIES = "/processing/behavior/BehavioralTimeSeries/speed"
NAMED = {"labels": {"speed": {"source": SERIES}}}


def session(folder: Path, times: np.ndarray, spikes: list[np.ndarray] | None = None, unit: str = "") -> Path:
    """Write a minute of four units and a speed at the given times."""
    nwb = new()
    add_units(nwb, steady_spikes() if spikes is None else spikes)
    add_behaviour(nwb, "speed", TIMES, SPEED)
    path = save(nwb, folder / "session.nwb")
    with edited(path) as h5:
        if times.size < len(SPEED):
            del h5[f"{SERIES}/data"]
            h5.create_dataset(f"{SERIES}/data", data=SPEED[: times.size]).attrs["unit"] = "m/s"
        del h5[f"{SERIES}/timestamps"]
        stamps = h5.create_dataset(f"{SERIES}/timestamps", data=times)
        if unit:
            stamps.attrs["unit"] = unit
    return path


def refused(path: Path, config: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        extract_session(path, validate(config), "one")
    assert "max_gap" not in caught.value.remedy and "bin_width" not in caught.value.remedy
    return caught.value


def taken(path: Path, config: dict[str, Any] = NAMED) -> tuple[xr.Dataset, str]:
    dataset = extract_session(path, validate(config), "one")
    return dataset, " | ".join(json.loads(dataset.attrs["choices"]))


def suspicious(path: Path) -> str:
    return " | ".join(f"{remark.path}: {remark.what}" for remark in inventory(path).suspicious)


@pytest.mark.parametrize(
    ("times", "words", "remedy"),
    [
        (np.arange(1800.0), "whole numbers, 0, 1, 2 and so on: frame numbers?", "divided by the frame rate"),
        (np.floor(TIMES), "whole seconds: 30 samples share each", "about 30 Hz"),
        (np.round(TIMES * 1000), "whole numbers in steps of 33: milliseconds or sample", "divide them by 1000"),
        (TIMES * 1000, "like seconds and milliseconds", "write both in seconds"),
        ((TIMES + 8e6).astype(np.float32), r"float32, which holds 8.00006e+06 s only in steps of 0.5 s", "as float64"),
        ((TIMES + 1.7e9) * 1000, "milliseconds or smaller units since 1970", "in seconds"),
        (np.full(1800, 3.0), "all 1800 times are 3 s", "times of the samples"),
    ],
)
def test_times_that_lie_are_refused_with_their_own_remedy(
    tmp_path: Path, times: np.ndarray, words: str, remedy: str
) -> None:
    path = session(tmp_path, times)
    for config in (NAMED, NAMED | {"time": {"max_gap": 2.0}}):
        caught = refused(path, config)
        assert caught.code is Code.TIMES_NOT_TRUSTED
        assert words in caught.message and remedy in caught.remedy
    told = inventory(path)
    assert told.refusal is not None and words in told.refusal.reason + suspicious(path)


def test_frame_numbers_of_a_part_are_not_to_be_bridged(tmp_path: Path) -> None:
    path = session(tmp_path, np.arange(60.0), spikes=steady_spikes(stop=300.0))
    assert refused_as_slow(path).code is Code.LABEL_TOO_SLOW  # 60 samples say nothing
    path = session(tmp_path, np.arange(200.0), spikes=steady_spikes(stop=300.0))
    caught = refused(path, NAMED)
    assert caught.code is Code.TIMES_NOT_TRUSTED and "frame numbers?" in caught.message
    assert "frame numbers?" in inventory(path).series[0].doubt
    _, said = taken(path, NAMED | {"time": {"max_gap": 1.5}})  # if its user knows that there is one sample a second
    assert "frame numbers?" in said


def refused_as_slow(path: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        extract_session(path, validate(NAMED), "one")
    return caught.value


def test_slow_samples_that_outlast_the_recording_are_like_milliseconds(tmp_path: Path) -> None:
    caught = refused(session(tmp_path, TIMES[:200] * 1003.3), NAMED)
    assert caught.code is Code.TIMES_NOT_TRUSTED and "milliseconds" in caught.message


@pytest.mark.parametrize(("unit", "scale"), [("milliseconds", 1e3), ("ms", 1e3), ("Microseconds", 1e6), ("s", 1.0)])
def test_the_unit_of_timestamps_is_read(tmp_path: Path, unit: str, scale: float) -> None:
    dataset, said = taken(session(tmp_path, TIMES * scale, unit=unit))
    plain, _ = taken(session(tmp_path, TIMES))
    assert np.allclose(dataset["speed"], plain["speed"], atol=1e-9)
    assert (f"{SERIES}: timestamps are in {unit} by their attribute unit" in said) == (scale != 1.0)


def test_a_unit_that_is_none_of_time_is_named_or_refused(tmp_path: Path) -> None:
    _, said = taken(session(tmp_path, TIMES, unit="n.a."))
    assert "the unit of timestamps is 'n.a.', which is no unit of time; s is assumed" in said
    assert "no unit of time" in refused(session(tmp_path, np.arange(1800.0), unit="frames"), NAMED).message


def test_the_unit_of_a_starting_time_is_read(tmp_path: Path) -> None:
    path = session(tmp_path, TIMES)
    with edited(path) as h5:
        del h5[f"{SERIES}/timestamps"]
        start = h5.create_dataset(f"{SERIES}/starting_time", data=10_000.0)
        start.attrs["rate"], start.attrs["unit"] = 30.0, "ms"
    dataset, said = taken(path)
    assert dataset["time"].values[0] == pytest.approx(10.0, abs=0.1)
    assert "starting_time are in ms" in said


def test_times_of_zero_that_stand_for_nothing_are_left_out(tmp_path: Path) -> None:
    lost = np.random.default_rng(0).random(1800) < 0.02
    lost[0], lost[-100:] = False, True
    plain, _ = taken(session(tmp_path, TIMES))
    dataset, said = taken(session(tmp_path, np.where(lost, 0.0, TIMES)))
    count = dataset.sizes["time"]
    assert np.allclose(dataset["speed"], plain["speed"].values[:count], atol=0.05)
    assert (
        f"{lost.sum()} of 1800 times are 0 or -1 out of order: no time was recorded; the samples were left out" in said
    )
    assert f"{lost.sum()} of 1800 times are 0 or -1" in suspicious(tmp_path / "session.nwb")


def test_fillers_come_out_of_order_or_more_than_once_in_front() -> None:
    assert not fillers(np.array([0.0, 0.1, 0.2])).any()
    assert not fillers(np.array([-1.0, 0.0, 1.0])).any()
    assert fillers(np.array([0.0, 0.0, 0.2, 0.3])).tolist() == [True, True, False, False]
    assert fillers(np.array([1.0, -1.0, 2.0, -1.0])).tolist() == [False, True, False, True]
    assert not fillers(np.zeros(3)).any()


def test_coarse_times_are_named_and_used(tmp_path: Path) -> None:
    _, said = taken(session(tmp_path, (TIMES + 5e5).astype(np.float32), [train + 5e5 for train in steady_spikes()]))
    assert "float32, which holds 500060 s only in steps of 0.0312 s" in said
    _, said = taken(session(tmp_path, np.round(TIMES, 1)))
    assert "times repeat the one before: they are known only to 0.1 s" in said


@pytest.mark.parametrize(
    "times", [TIMES, TIMES.astype(np.float32), TIMES + 1.7e9, np.repeat(TIMES[::2], 2), np.arange(50.0), TIMES * 7.3]
)
def test_honest_times_raise_no_fatal_doubt(times: np.ndarray) -> None:
    assert not any(doubt.fatal for doubt in doubts(times.astype(float)))


def test_times_since_1970_are_only_named() -> None:
    assert oddities(TIMES + 1.7e9) == ["times count from 1970 (POSIX): they begin on 2023-11-14"]


def test_trials_in_milliseconds_of_a_part_are_refused(tmp_path: Path) -> None:
    nwb = new()
    add_units(nwb, steady_spikes(stop=300.0))
    starts = np.arange(0, 70, 2.5)
    add_intervals(nwb, "trials", np.stack([starts, starts + 2], 1) * 1000, side=list(np.arange(28) % 2))
    path = save(nwb, tmp_path / "trials.nwb")
    caught = refused(path, {})
    assert caught.code is Code.TIMES_NOT_TRUSTED and "/intervals/trials#side" in caught.message
    told = inventory(path).refusal
    assert told is not None and (told.reason, told.remedy) == (caught.message, caught.remedy)


def test_a_rate_that_is_a_period_is_refused(tmp_path: Path) -> None:
    path = session(tmp_path, TIMES)
    with edited(path) as h5:
        del h5[f"{SERIES}/timestamps"]
        h5.create_dataset(f"{SERIES}/starting_time", data=0.0).attrs["rate"] = 1 / 30
    caught = refused(path, NAMED)
    assert caught.code is Code.TIMES_NOT_TRUSTED and "lasts" in caught.message


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
def test_timestamps_in_a_row_or_column_are_read(tmp_path: Path, shape: tuple[int, int]) -> None:
    dataset, _ = taken(session(tmp_path, TIMES.reshape(shape)))
    plain, _ = taken(session(tmp_path, TIMES))
    assert np.array_equal(dataset["speed"], plain["speed"])


def test_two_times_for_a_sample_are_refused(tmp_path: Path) -> None:
    path = session(tmp_path, TIMES)
    with edited(path) as h5:
        del h5[f"{SERIES}/timestamps"]
        h5[f"{SERIES}/timestamps"] = np.stack([TIMES, TIMES + 0.01])
    with pytest.raises(Refusal, match="timestamps of shape 2 x 1800, where each sample needs one"):
        extract_session(path, validate(NAMED), "one")
    assert any("2 x 1800" in remark.what for remark in inventory(path).problems)


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("timed", [True, False])
def test_data_in_rows_are_read_as_samples(tmp_path: Path, columns: int, timed: bool) -> None:
    path = session(tmp_path, TIMES)
    values = np.stack([SPEED, 2 * SPEED[::-1]])[:columns]
    with edited(path) as h5:
        del h5[f"{SERIES}/data"]
        h5.create_dataset(f"{SERIES}/data", data=values).attrs["unit"] = "m/s"
        if not timed:
            del h5[f"{SERIES}/timestamps"]
            h5.create_dataset(f"{SERIES}/starting_time", data=0.0).attrs["rate"] = 30.0
    dataset, said = taken(path)
    plain, _ = taken(session(tmp_path, TIMES))
    assert np.allclose(dataset["speed"].values.reshape(-1, columns)[:, 0], plain["speed"])
    assert f"{SERIES}: data stand as (column, time) in the file and were transposed" in said


def test_columns_of_a_table_in_columns_are_read(tmp_path: Path) -> None:
    nwb = new()
    add_units(nwb, steady_spikes())
    starts = np.arange(0, 60, 5.0)
    add_intervals(nwb, "trials", np.stack([starts, starts + 4], 1), side=list(np.arange(12) % 2))
    path = save(nwb, tmp_path / "trials.nwb")
    config = {"labels": {"side": {"source": "/intervals/trials#side"}}}
    flat, _ = taken(path, config)
    with edited(path) as h5:
        for name in ("id", "start_time", "stop_time", "side"):
            held = h5[f"intervals/trials/{name}"][()]
            del h5[f"intervals/trials/{name}"]
            h5[f"intervals/trials/{name}"] = held[:, None]
    standing, _ = taken(path, config)
    assert np.array_equal(flat["side"], standing["side"])
    assert inventory(path).intervals[0].rows == 12


def test_a_link_to_times_that_are_not_there_is_named(tmp_path: Path) -> None:
    path = session(tmp_path, TIMES)
    with edited(path) as h5:
        del h5[f"{SERIES}/timestamps"]
        h5[f"{SERIES}/timestamps"] = h5py.ExternalLink("raw.nwb", "/acquisition/es/timestamps")
    for config in ({}, NAMED):
        with pytest.raises(Exception, match=f"{SERIES}/timestamps: dangling link to raw.nwb"):
            extract_session(path, validate(config), "one")
    told = inventory(path).refusal
    assert told is not None and "dangling link to raw.nwb" in told.reason


def test_a_label_that_lasts_far_longer_than_the_recording_is_named(tmp_path: Path) -> None:
    _, said = taken(session(tmp_path, TIMES * 5.1), NAMED)
    assert f"{SERIES} lasts 305.8 s, the neural data 59.9 s: check that both are in seconds" in said


def test_a_clock_since_1970_beside_one_since_the_start_is_called_so(tmp_path: Path) -> None:
    caught = refused(session(tmp_path, TIMES + 1.7e9), NAMED)
    assert caught.code is Code.NO_COMMON_TIME and "the labels count from 1970 (POSIX)" in caught.remedy
