"""Inspect: what it tells of a tiny file, as a whole, and of files that are odd."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support import nwb_builders as build
from xcebra_nwb.commands.inspect import config_of, inspect, render
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.models import Inventory


def test_a_tiny_file_as_a_whole(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb")
    text = render(inspect(path))
    assert text.splitlines()[1:] == [
        "  identifier tiny, session one, subject rat0, species Rattus norvegicus, start 2026-01-01T00:00:00+00:00",
        "  made for a test",
        "",
        "Neural data",
        "* /units: 6 units, 2216 spikes, 0.043007 to 59.9734 s, 6 obs_intervals, "
        "columns location, spike_times, obs_intervals",
        "",
        "Series that could be labels",
        "* /processing/behavior/BehavioralTimeSeries/speed: TimeSeries, 1200, 20 Hz, m/s, 0 to 59.95 s, continuous",
        "* /processing/behavior/CompassDirection/head_direction: SpatialSeries, 1200, 20 Hz, radians, 0 to 59.95 s, "
        "circular",
        "* /processing/behavior/Position/position: SpatialSeries, 1200 x 2, 20 Hz, meters, 0 to 59.95 s, continuous",
        "",
        "Intervals",
        "  none found",
        "",
        "Gaps",
        "  none over three sample periods",
        "",
        "Suspicious",
        "  nothing",
        "",
        "What auto takes",
        "  neural data: /units (6 units): the units table at the root",
        "  label position: /processing/behavior/Position/position, continuous: a SpatialSeries in a Position",
        "  label head_direction: /processing/behavior/CompassDirection/head_direction, circular: "
        "a SpatialSeries in a CompassDirection",
        "  label speed: /processing/behavior/BehavioralTimeSeries/speed, continuous: "
        "a TimeSeries in a BehavioralTimeSeries, called speed",
        "  region of each unit: /units/location",
        "  smoothing: 0.1 s (standard deviation)",
        "  bin width: 0.05 s",
        "",
        "What extraction would make of it",
        "  6 units, 1199 of 1199 bins in use",
        "",
        "A config to start from",
        "  neural: {source: /units}",
        "  labels:",
        "    position: {source: /processing/behavior/Position/position, kind: continuous}",
        "    head_direction: {source: /processing/behavior/CompassDirection/head_direction, kind: circular}",
        "    speed: {source: /processing/behavior/BehavioralTimeSeries/speed, kind: continuous}",
        "    # speed_2: {source: /processing/behavior/Position/position, derive: speed}",
        "    # heading: {source: /processing/behavior/Position/position, derive: heading}",
    ]


def test_it_survives_json(tmp_path: Path) -> None:
    told = inspect(build.tiny(tmp_path / "tiny.nwb"))
    content = json.loads(json.dumps(told.model_dump(mode="json"), allow_nan=False))
    assert Inventory.model_validate(content) == told


def test_a_refusal_is_told_not_raised(tmp_path: Path) -> None:
    told = inspect(build.without_behaviour(tmp_path / "lonely.nwb"))
    assert told.refusal is not None and "no behaviour found" in told.refusal.reason
    assert "Refused under auto" in render(told)
    assert told.automatic.neural == ["/units"]


def test_suspicious_times_gaps_and_intervals_are_told(tmp_path: Path) -> None:
    times, position = build.circling()
    nwb = build.new()
    spikes = [*build.steady_spikes(2), np.array([5.0, 4.0, np.nan]), np.array([]), 1000 * np.arange(200.0)]
    build.add_units(nwb, spikes)
    late = np.r_[times[:600], times[600:] + 30]
    late[0] = -1.54e9
    build.add_position(nwb, late, position)
    build.add_behaviour(nwb, "speed", 1000 * times + 1e6, position[:, 0])
    build.add_behaviour(nwb, "heading", np.r_[times[:600], times[:600]], position[:, 0])
    build.add_intervals(nwb, "trials", [[5, 6], [8, 7]], side=["a", "b"])
    path = build.save(nwb, tmp_path / "odd.nwb")
    told = inspect(path)
    said = [f"{remark.path}: {remark.what}" for remark in told.suspicious]
    behaviour = "/processing/behavior/BehavioralTimeSeries"
    assert "/units: 1 spike times that are not finite were left out" in said
    assert "/units: the spike times of 1 units were not in order and were sorted" in said
    assert "/units: 1 units without a spike" in said
    assert "/processing/behavior/Position/position: 1 absurd times, such as -1.54e+09 s" in said
    assert f"{behaviour}/heading: times restart: two runs cover the same stretch" in said
    assert f"{behaviour}/speed: the times are whole numbers in steps of 50: milliseconds or sample numbers?" in said
    assert "/intervals/trials: 1 rows stop before they start" in said
    (gap,) = [gap for gap in told.gaps if gap.path.endswith("position") and gap.longest < 1e6] or told.gaps[:1]
    assert gap.count == 2
    (table,) = told.intervals
    assert (table.rows, table.labels, table.covered) == (2, ["side"], 1.0)


def test_a_file_in_which_nothing_could_be_a_label_has_no_config(tmp_path: Path) -> None:
    told = inspect(build.without_behaviour(tmp_path / "lonely.nwb"))
    assert told.config == "" and "A config to start from" not in render(told)
    with pytest.raises(Refusal, match=r"no behaviour found.*take one that also has behaviour"):
        config_of(told)


def odd_one(path: Path, kind: str) -> Path:
    """A file of which ``auto`` alone cannot make a session, or takes only a part."""
    times, position = build.circling()
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    if kind == "only trials":
        build.add_intervals(nwb, "trials", np.arange(18.0)[:, None] * 3 + [0, 2])
    if kind == "unnamed series":
        build.add_behaviour(nwb, "lever", times, position[:, 0], unit="V")
        build.add_intervals(
            nwb, "trials", np.arange(18.0)[:, None] * 3 + [0, 2], **{"side, x": [f"s{row}" for row in range(18)]}
        )
    if kind == "slow":
        build.add_position(nwb, times[::40], position[::40] + times[::40, None])
    if kind == "absurd":
        build.add_position(nwb, np.r_[-1.54e9, times], np.r_[[[0.0, 0.0]], position])
        nwb.units.spike_times.data[0] = -1.54e9
    return build.save(nwb, path)


@pytest.mark.parametrize(
    ("kind", "code", "line"),
    [
        ("only trials", Code.NO_LABEL, "  time_in_trials: {source: /intervals/trials, derive: time_within}"),
        ("unnamed series", Code.NO_LABEL, '  side_x: {source: "/intervals/trials#side, x"}'),
        ("slow", Code.LABEL_TOO_SLOW, "time: {max_gap: 2.02}"),
        ("absurd", Code.TIMES_NOT_TRUSTED, "time: {within: [0.039, 59.944]}"),
    ],
)
def test_the_config_to_start_from_works_where_auto_does_not(tmp_path: Path, kind: str, code: Code, line: str) -> None:
    path = odd_one(tmp_path / "odd.nwb", kind)
    told = inspect(path)
    assert (told.refusal and told.refusal.code) is code
    assert line in told.config.splitlines()
    with pytest.raises(Refusal) as caught:
        extract_session(path, validate({}), "odd")
    assert caught.value.code is code
    contract.check(extract_session(path, validate(yaml.safe_load(told.config)), "odd"))


@pytest.mark.slow
def test_what_auto_skips_is_named(tmp_path: Path) -> None:
    times, position = build.circling()
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    build.add_position(nwb, times, position)
    for name in ("lever", "fluid", *(f"sensor {letter}" for letter in "abcdefg")):
        build.add_behaviour(nwb, name, times, position[:, 0] ** 3, unit="V")
    build.add_behaviour(nwb, "pose", times, np.tile(position, 3))
    build.add_intervals(nwb, "trials", [[0, 1], [2, 3]], side=["a", "b"])
    said = inspect(build.save(nwb, tmp_path / "much.nwb")).automatic.choices
    holder = "/processing/behavior/BehavioralTimeSeries"
    shown = ", ".join(f"{holder}/{name}" for name in ("fluid", "lever", "sensor a", "sensor b", "sensor c"))
    assert f"not taken, a voltage: {shown} and 4 more" in said
    assert f"not taken, more than 3 columns: {holder}/pose" in said
    assert "not taken, 2 rows: /intervals/trials" in said


def test_text_from_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    nwb = build.new(subject="rat\x1b[2Jwiped")
    build.add_units(nwb, build.steady_spikes())
    text = render(inspect(build.save(nwb, tmp_path / "sly.nwb")))
    assert "\x1b" not in text and "wiped" in text


def test_a_clock_that_counts_from_1970_keeps_its_milliseconds_in_the_config(tmp_path: Path) -> None:
    began, (times, position) = 1.6e9, build.circling()
    nwb = build.new()
    build.add_units(nwb, [train + began for train in build.steady_spikes()])
    build.add_position(nwb, np.r_[0.0, times + began], np.r_[[[0.0, 0.0]], position])
    told = inspect(build.save(nwb, tmp_path / "unix.nwb"))
    line = next(line for line in told.config.splitlines() if line.startswith("time:"))
    start, stop = yaml.safe_load(line)["time"]["within"]
    assert abs(start - began) < 1 and 55 < stop - start < 61
