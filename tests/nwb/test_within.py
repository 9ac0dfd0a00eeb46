"""Which times ``time.within`` allows, and the parts of a recording that it can choose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pynwb.behavior import BehavioralEpochs
from pynwb.epoch import TimeIntervals
from pynwb.misc import IntervalSeries

from tests.support import nwb_builders as build
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.parts import Part, parts
from xcebra_nwb.nwb.reading.file import NwbFile, open_nwb
from xcebra_nwb.nwb.reading.within import within_intervals

STATES = "/processing/behavior/states"
MOVING = "/processing/behavior/BehavioralEpochs/moving"
STAGES = "/processing/behavior/BehavioralEpochs/stages"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NwbFile]:
    """Two mazes and rest in /intervals/epochs; sleep states in a table, and two IntervalSeries, in processing."""
    nwb = build.new()
    nwb.add_epoch(0.0, 300.0, ["session"])
    nwb.add_epoch(0.0, 100.0, ["maze1"])
    nwb.add_epoch(100.0, 140.0, ["rest", "it's dark"])
    nwb.add_epoch(140.0, 300.0, ["maze2"])
    states = TimeIntervals(name="states", description="states of sleep")
    states.add_column("state", "which")
    states.add_column("dark", "lights off")
    for start, state in ((0.0, "NREM"), (50.0, "REM "), (90.0, "NREM"), (150.0, "nan"), (160.0, "wake")):
        states.add_row(start_time=start, stop_time=start + 40, state=state, dark=state != "wake")
    module = build.behavior(nwb)
    module.add(states)
    moving = IntervalSeries(name="moving", data=[1, -1, 1, -1], timestamps=[0.0, 60.0, 100.0, 160.0])
    stages = IntervalSeries(name="stages", data=[1, -1, 2, -2], timestamps=[170.0, 210.0, 210.0, 290.0])
    module.add(BehavioralEpochs(name="BehavioralEpochs", interval_series=[moving, stages]))
    build.add_intervals(nwb, "trials", [[t, t + 2] for t in range(0, 300, 3)], side=["a", "b"] * 50)
    path = build.save(nwb, tmp_path_factory.mktemp("within") / "within.nwb")
    with open_nwb(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (f"{STATES}: state == 'NREM'", [[0, 40], [90, 130]]),
        (f"{STATES}: state == 'REM'", [[50, 90]]),  # written with a blank
        (f"{STATES}: dark", [[0, 40], [50, 130], [150, 190]]),
        (f"{STATES}: dark == False", [[160, 200]]),
        (STATES, [[0, 40], [50, 130], [150, 200]]),
        ("/intervals/epochs: tags == 'maze2'", [[140, 300]]),
        ('/intervals/epochs: tags == "rest, it\'s dark"', [[100, 140]]),
        (MOVING, [[0, 60], [100, 160]]),
        (f"{MOVING}/", [[0, 60], [100, 160]]),
        (f"{STAGES}: kind == 2", [[210, 290]]),
    ],
)
def test_any_table_or_series_of_intervals_chooses_times(file: NwbFile, within: str, expected: Any) -> None:
    found = within_intervals(file, within)
    assert found is not None and np.allclose(found, expected)


@pytest.mark.parametrize(
    ("within", "says"),
    [
        ("/processing/behavior/state: state == 'REM'", rf"candidates: {STATES}.*columns: .*{STATES} \(.*state, dark\)"),
        (f"{STATES}: stat == 'REM'", "no column 'stat'; did you mean state"),
        (f"{STATES}: state == 'N2'", "no row of .*state: NREM, REM, nan, wake"),
        (f"{STATES}:state == 'REM'", f"candidates: {STATES}"),
        (f"{STATES}: ", "cannot read"),
        ("epochs: state == 'REM'", "cannot read"),
    ],
)
def test_what_chooses_nothing_says_what_could(file: NwbFile, within: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        within_intervals(file, within)
    assert re.search(says, f"{caught.value.message} ({caught.value.remedy})")


def test_parts_are_mazes_and_states_and_no_trials(file: NwbFile) -> None:
    found = parts(file)
    assert [(part.name, part.what, part.rows, part.seconds) for part in found] == [
        ("maze1", "space", 1, 100.0),
        ("rest, it's dark", "state", 1, 40.0),
        ("maze2", "space", 1, 160.0),
        ("NREM", "state", 2, 80.0),
        ("REM", "state", 1, 40.0),
        ("wake", "state", 1, 40.0),
        ("dark", "epoch", 4, 160.0),
        ("not dark", "epoch", 1, 40.0),
        ("moving", "epoch", 2, 120.0),
        ("stages", "epoch", 2, 120.0),
    ]
    for part in found:
        chosen = within_intervals(file, part.within)
        assert chosen is not None and float(np.sum(chosen[:, 1] - chosen[:, 0])) == part.seconds


def test_tables_beside_each_other_are_parts(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "linear_track", [[0, 100], [200, 300]])
    build.add_intervals(nwb, "open_field", [[100, 190]])
    build.add_intervals(nwb, "ripples", [[t, t + 0.1] for t in range(100)])
    with open_nwb(build.save(nwb, tmp_path / "mazes.nwb")) as file:
        assert parts(file) == [
            Part("linear_track", "/intervals/linear_track", "/intervals", "space", 2, 200.0),
            Part("open_field", "/intervals/open_field", "/intervals", "space", 1, 90.0),
        ]


def test_one_part_is_none(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "epochs", [[0, 100], [100, 200]], label=["run", "run"])
    with open_nwb(build.save(nwb, tmp_path / "one.nwb")) as file:
        assert parts(file) == []
