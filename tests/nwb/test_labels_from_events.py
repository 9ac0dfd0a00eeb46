"""Labels from events and from interval tables without a column; angles by unit and name; names of classes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pynwb import NWBFile, TimeSeries
from pynwb.behavior import BehavioralEpochs, BehavioralEvents
from pynwb.misc import AnnotationSeries, IntervalSeries

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Time, validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.labels import angles
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import open_nwb

TIME: Time = validate({}).time
NAN = np.nan


def one(path: Path, source: str, **keys: Any) -> Label:
    label = validate({"labels": {"it": {"source": source, **keys}}}).labels["it"]
    with open_nwb(path) as file:
        return configured_label(file, "it", label)


def values(label: Label, grid: Grid) -> list[float]:
    binned, lost = label.binned(grid, TIME)
    assert not lost.any()
    return np.asarray(binned).reshape(grid.count).tolist()


def same(found: list[float], expected: list[float]) -> bool:
    return np.allclose(found, expected, equal_nan=True)


def add_deprecated(nwb: NWBFile) -> None:
    """Add types that pynwb would no longer write, but that files have."""
    module = build.behavior(nwb)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* is deprecated")
        licks = TimeSeries(name="licks", data=np.ones(3), unit="n/a", timestamps=np.array([2.0, 5.0, 5.5]))
        sensor = TimeSeries(name="sensor", data=np.array([0, 1, 1, 0, 1]), unit="n/a", rate=1.0, starting_time=0.0)
        module.add(BehavioralEvents(name="BehavioralEvents", time_series=[licks, sensor]))
        running = IntervalSeries(name="running", data=[1, -1, 1, -1], timestamps=[1.0, 3.0, 6.0, 8.0])
        states = IntervalSeries(name="states", data=[1, -1, 2, -2], timestamps=[0.0, 4.0, 4.0, 8.0])
        open_ended = IntervalSeries(name="open", data=[1, 1, -1, 1], timestamps=[0.0, 2.0, 4.0, 6.0])
        module.add(BehavioralEpochs(name="BehavioralEpochs", interval_series=[running, states, open_ended]))
        nwb.add_acquisition(AnnotationSeries(name="notes", data=["go", "stop"], timestamps=[3.0, 7.0]))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nwb = build.new()
    add_deprecated(nwb)
    cues = [1.0, NAN, 7.0]
    build.add_intervals(nwb, "trials", [[0, 3], [3, 5], [6, 9]], cue_time=cues, go=[True, False, True])
    build.add_intervals(nwb, "sleep", [[1, 3], [3, 4], [6, 8]])
    rewards = pytest.importorskip("pynwb.event").EventsTable(name="rewards", description="drops of water")
    for time in (0.5, 6.5):
        rewards.add_row(timestamp=time)
    nwb.add_events_table(rewards)
    path = build.save(nwb, tmp_path_factory.mktemp("events") / "events.nwb")
    with h5py.File(path, "r+") as h5:
        bare = h5.create_group("acquisition/ttl")
        bare.attrs["neurodata_type"] = "Events"
        bare["timestamps"] = [4.0, 1.0, NAN]
    return path


SECONDS = Grid(0.0, 1.0, 9)
BEHAVIOUR = "/processing/behavior"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{BEHAVIOUR}/BehavioralEvents/licks", [NAN, NAN, 0.5, 1.5, 2.5, 0.0, 1.0, 2.0, 3.0]),
        (f"{BEHAVIOUR}/BehavioralEvents/sensor", [NAN, 0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, 4.5]),
        (f"{BEHAVIOUR}/BehavioralEpochs/running", [NAN, 0.5, 1.5, 2.5, 3.5, 4.5, 0.5, 1.5, 2.5]),
        ("/acquisition/notes", [NAN, NAN, NAN, 0.5, 1.5, 2.5, 3.5, 0.5, 1.5]),
        ("/acquisition/ttl", [NAN, 0.5, 1.5, 2.5, 0.5, 1.5, 2.5, 3.5, 4.5]),
        ("/events/rewards", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0]),
        ("/intervals/trials", [0.5, 1.5, 2.5, 0.5, 1.5, NAN, 0.5, 1.5, 2.5]),
        ("/intervals/trials#cue_time", [-0.5, 0.5, 1.5, NAN, NAN, NAN, -0.5, 0.5, 1.5]),
    ],
)
def test_time_from_events_of_every_kind(file: Path, source: str, expected: list[float]) -> None:
    label = one(file, source, derive="time_from")
    assert (label.kind, label.units) == ("continuous", "s")
    assert same(values(label, SECONDS), expected)


def test_a_window_takes_the_nearest_event_and_crosses_rows(file: Path) -> None:
    label = one(file, f"{BEHAVIOUR}/BehavioralEvents/licks", derive="time_from", window=[-1.5, 1])
    assert same(values(label, SECONDS), [-1.5, -0.5, 0.5, -1.5, -0.5, 0.0, 1.0, NAN, NAN])
    assert label.range == (0.5, 6.5)
    label = one(file, "/intervals/trials#cue_time", derive="time_from", window=[0, 3])
    assert same(values(label, SECONDS), [NAN, 0.5, 1.5, 2.5, NAN, NAN, NAN, 0.5, 1.5])


def test_time_and_share_within_a_row(file: Path) -> None:
    label = one(file, "/intervals/trials", derive="time_within")
    assert label.units == "s" and label.trials(SECONDS) is None and len(label.borders) == 6
    assert same(values(label, SECONDS), [0.5, 1.5, 2.5, 0.5, 1.5, NAN, 0.5, 1.5, 2.5])
    label = one(file, "/intervals/trials", derive="share_within")
    assert same(values(label, SECONDS), [1 / 6, 0.5, 5 / 6, 0.25, 0.75, NAN, 1 / 6, 0.5, 5 / 6])


def test_inside_or_outside(file: Path) -> None:
    label = one(file, "/intervals/sleep")
    assert (label.kind, label.classes) == ("discrete", ("outside", "inside"))
    assert values(label, SECONDS) == [-1, 1, 1, 1, 0, 0, 1, 1, -1]
    assert label.trials(SECONDS) is None and len(label.borders) == 0
    label = one(file, f"{BEHAVIOUR}/BehavioralEpochs/running")
    assert label.classes == ("outside", "running")
    assert values(label, SECONDS) == [-1, 1, 1, 0, 0, 0, 1, 1, -1]
    label = one(file, f"{BEHAVIOUR}/BehavioralEpochs/states")
    assert label.classes == ("1", "2")
    assert values(label, SECONDS) == [0, 0, 0, 0, 1, 1, 1, 1, -1]


def test_an_interval_without_an_end_is_none(file: Path) -> None:
    with pytest.raises(Refusal, match="is constant"):  # one interval is left, and nothing between
        one(file, f"{BEHAVIOUR}/BehavioralEpochs/open")


def test_truth_values_have_names(file: Path) -> None:
    assert one(file, "/intervals/trials#go").classes == ("False", "True")


@pytest.mark.parametrize(
    ("source", "keys", "says"),
    [
        (f"{BEHAVIOUR}/BehavioralEvents/licks", {}, "holds events, .* derive: time_from"),
        ("/acquisition/ttl", {}, "holds events"),
        ("/events/rewards", {}, "holds events"),
        (f"{BEHAVIOUR}/BehavioralEvents/licks", {"derive": "time_within"}, "needs a table of intervals"),
        ("/intervals/trials", {"derive": "speed"}, "is computed from a series"),
        ("/intervals/trials#go", {"derive": "time_from"}, "holds no times"),
        ("/intervals/trials#going", {}, "no /intervals/trials#going in the file"),
        ("/intervals/trails#go", {}, "candidates: /intervals/trials#go"),
        ("/acquisition/tt", {}, "no /acquisition/tt in the file"),
    ],
)
def test_what_does_not_fit_is_said(file: Path, source: str, keys: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        one(file, source, **keys)


def test_no_event_is_refused(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "none.nwb"
    path.write_bytes(file.read_bytes())
    with build.edited(path) as h5:
        h5["acquisition/ttl/timestamps"][...] = NAN
    with pytest.raises(Refusal, match="no event") as caught:
        one(path, "/acquisition/ttl", derive="time_from")
    assert caught.value.code is Code.LABEL_EMPTY


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("degrees", np.pi / 180),
        ("Deg.", np.pi / 180),
        ("degrees (0-360)", np.pi / 180),
        ("°", np.pi / 180),
        ("rad", 1.0),
        ("Radians", 1.0),
        ("mrad", 1e-3),
        ("arcmin", np.pi / 10800),
        ("cycles", 2 * np.pi),
        ("turns", 2 * np.pi),
        ("deg/s", None),
        ("rad/s", None),
        ("meters", None),
        ("", None),
    ],
)
def test_units_of_angles(unit: str, factor: float | None) -> None:
    assert angles.radians_per(unit) == factor


@pytest.mark.parametrize(
    "name", ["head_direction", "Head Direction", "yaw", "theta", "body angle", "lfp_phase", "hd_angle"]
)
def test_names_of_angles(name: str) -> None:
    assert angles.named_angle(name)


@pytest.mark.parametrize("name", ["position", "speed", "triangle", "phase_of_task_id_x", "rectangles", "aztheta"])
def test_names_of_other_things(name: str) -> None:
    assert not angles.named_angle(name)


def angle_file(path: Path, unit: str, data: np.ndarray, name: str = "theta") -> Path:
    nwb = build.new()
    build.add_behaviour(nwb, name, 0.1 * np.arange(len(data)), data, unit=unit)
    return build.save(nwb, path)


TURNING = np.mod(0.3 * np.arange(200), 2 * np.pi)
THETA = "/processing/behavior/BehavioralTimeSeries/theta"


@pytest.mark.parametrize(
    ("unit", "data", "said"),
    [
        ("n/a", TURNING, "taken as radians"),
        ("n/a", np.rad2deg(TURNING), "taken as degrees"),
        ("turns", TURNING / (2 * np.pi), ""),
        ("mrad", 1000 * TURNING, ""),
    ],
)
def test_an_angle_in_any_unit(tmp_path: Path, unit: str, data: np.ndarray, said: str) -> None:
    label = one(angle_file(tmp_path / "angle.nwb", unit, data), THETA)
    assert (label.kind, label.units) == ("circular", "rad")
    assert said in " ".join(label.notes) and bool(label.notes) == bool(said)
    binned, _ = label.binned(Grid(-0.05, 0.1, 200), TIME)
    assert np.allclose(np.angle(np.exp(1j * (binned - TURNING))), 0)


@pytest.mark.parametrize(("unit", "data"), [("radians", np.rad2deg(TURNING)), ("degrees", TURNING)])
def test_an_angle_that_cannot_have_its_unit_is_refused_until_it_is_named(
    tmp_path: Path, unit: str, data: np.ndarray
) -> None:
    path = angle_file(tmp_path / "angle.nwb", unit, data)
    with pytest.raises(Refusal, match="so they must be") as caught:
        one(path, THETA)
    assert caught.value.code is Code.UNIT_NOT_TRUSTED
    other = "degrees" if unit == "radians" else "radians"
    label = one(path, THETA, unit=other)
    assert np.allclose(np.angle(np.exp(1j * (label.binned(Grid(-0.05, 0.1, 200), TIME)[0] - TURNING))), 0)


def test_a_bin_in_which_an_angle_turns_round_points_nowhere(tmp_path: Path) -> None:
    path = angle_file(tmp_path / "angle.nwb", "turns", np.r_[np.linspace(0, 1, 20, endpoint=False), np.full(20, 0.25)])
    binned, _ = one(path, THETA).binned(Grid(0.0, 2.0, 2), TIME)
    assert np.isnan(binned[0]) and binned[1] == pytest.approx(np.pi / 2)


def test_enumerated_columns_and_lists_of_texts_keep_their_names(tmp_path: Path) -> None:
    nwb = build.new()
    build.add_intervals(nwb, "trials", [[0, 2], [3, 5], [6, 8]], side=np.array([1, 0, 1]))
    nwb.add_epoch(0.0, 4.0, ["run", "novel"])
    nwb.add_epoch(4.0, 8.0, ["rest"])
    path = build.save(nwb, tmp_path / "enumerated.nwb")
    with build.edited(path) as h5:
        trials = h5["intervals/trials"]
        trials["side_elements"] = np.array([b"left", b"right"])
        trials["side"].attrs["elements"] = trials["side_elements"].ref
    side = one(path, "/intervals/trials#side")
    assert side.classes == ("left", "right")
    assert values(side, SECONDS) == [1, 1, -1, 0, 0, -1, 1, 1, -1]
    tags = one(path, "/intervals/epochs#tags")
    assert tags.classes == ("rest", "run, novel")
    assert values(tags, SECONDS) == [1, 1, 1, 1, 0, 0, 0, 0, -1]


def test_codes_of_labelled_events_have_names(tmp_path: Path) -> None:
    path = angle_file(tmp_path / "codes.nwb", "n/a", np.tile([0, 1, 2, 1], 20), name="state")
    with build.edited(path) as h5:
        h5["processing/behavior/BehavioralTimeSeries/state/data"].attrs["labels"] = ["rest", "walk", "run"]
    assert one(path, "/processing/behavior/BehavioralTimeSeries/state").classes == ("rest", "run", "walk")


def test_columns_of_a_wide_series_and_a_flat_axis(tmp_path: Path) -> None:
    times, walk = build.circling(20.0)
    pose = np.concatenate([walk, 5 * walk + 1, np.full((len(walk), 1), 2.0)], axis=1)
    nwb = build.new()
    build.add_behaviour(nwb, "pose", times, pose, unit="pixels")
    build.add_position(nwb, times, np.c_[walk, np.full(len(walk), 3.0)], name="led")
    path = build.save(nwb, tmp_path / "pose.nwb")
    source = "/processing/behavior/BehavioralTimeSeries/pose"
    tail = one(path, source, columns=[2, 3])
    assert tail.axes == ("2", "3") and np.allclose(tail.binned(Grid(-0.025, 0.05, 400), TIME)[0], 5 * walk + 1)
    led = one(path, "/processing/behavior/Position/led")
    assert led.axes == ("x", "y") and "z never changes and was left out" in " ".join(led.notes)
    with pytest.raises(UsageError, match=r"columns: .* has 5, none with the number 5"):
        one(path, source, columns=[4, 5])
    with pytest.raises(Refusal, match="is constant"):
        one(path, source, columns=[4])


def test_columns_that_stand_as_rows(tmp_path: Path) -> None:
    times, walk = build.circling(20.0)
    nwb = build.new()
    build.add_position(nwb, times, walk, name="led")
    path = build.save(nwb, tmp_path / "rows.nwb")
    with build.edited(path) as h5:
        group = h5["processing/behavior/Position/led"]
        unit = group["data"].attrs["unit"]
        del group["data"], group["timestamps"]
        group.create_dataset("data", data=walk.T).attrs["unit"] = unit
        group.create_dataset("starting_time", data=0.0).attrs["rate"] = 20.0
    led = one(path, "/processing/behavior/Position/led")
    assert "stand as (column, time)" in " ".join(led.notes)
    assert np.allclose(led.binned(Grid(-0.025, 0.05, 400), TIME)[0], walk)
    assert np.allclose(
        one(path, "/processing/behavior/Position/led", columns=[1]).binned(Grid(-0.025, 0.05, 400), TIME)[0],
        walk[:, 1:],
    )
