"""``xcebra_nwb.attribute``: arrays and labelled arrays in, the workflow's numbers out."""

from __future__ import annotations

import inspect
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xcebra_nwb
from tests.support.paths import ROOT
from tests.support.whole_analysis import QUICK
from xcebra_nwb.api.session import user_session
from xcebra_nwb.api.settings import settings
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import load

SMALL: dict[str, Any] = {"training": {"steps": 20, "batch_size": 64}}
TINY = {"seeds": 1, "nulls": 0, "config": SMALL, "progress": False}


def walk(bins: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts (time, unit) of three units, and the position (time,) that two of them follow."""
    rng = np.random.default_rng(0)
    position = np.cumsum(rng.normal(size=bins)) / 10
    rates = np.stack([np.exp(position / 3), np.exp(-position / 3), np.ones(bins)], axis=1)
    return rng.poisson(rates), position


@pytest.mark.slow
def test_arrays_give_the_bits_of_the_workflow(workflow: Path) -> None:
    """Two trainings of 20 steps: this is the promise of the whole interface."""
    session = load(workflow / "session.nc")
    maps = xcebra_nwb.attribute(
        session["activity"].values,
        {"position": session["position"].values},
        bin_width=session.attrs["bin_width"],
        segments=session["segment"].values,
        config=QUICK,
        digest=session.attrs["sha256"],
        progress=False,
    )
    of_files = load_dataset(workflow / "attribution.nc")
    for name, values in of_files.data_vars.items():
        np.testing.assert_array_equal(maps[name].values, values.values, err_msg=str(name))
    assessed = json.loads((workflow / "assessment.json").read_text())
    assert maps["verdict"].values.tolist() == [entry["verdict"] for entry in assessed["labels"].values()]
    assert json.loads(maps.attrs["assessment"])["labels"] == assessed["labels"]


def test_other_data_have_other_random_orders() -> None:
    counts, position = walk()
    made = [user_session(counts, {"position": position + by}, settings(SMALL, 0.05)) for by in (0, 0, 1)]
    digests = [session.attrs["sha256"] for session in made]
    assert digests[0] == digests[1] != digests[2]


def test_the_session_of_arrays_is_that_of_the_file(workflow: Path) -> None:
    session = load(workflow / "session.nc")
    labels = {"position": session["position"].values}
    chosen = settings(QUICK, bin_width=float(session.attrs["bin_width"]))
    made = user_session(session["activity"].values, labels, chosen, session["segment"].values)
    for name in ("activity", "valid", "segment", "position"):
        np.testing.assert_array_equal(made[name].values, session[name].values, err_msg=name)
    assert made["activity"].attrs == session["activity"].attrs
    assert made["activity"].dtype == session["activity"].dtype


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The maps of :func:`walk`, which stay in the folder that is named in their attribute ``kept``."""
    import torch

    folder, before = tmp_path_factory.mktemp("kept") / "rat", torch.get_num_threads()
    counts, position = walk()
    made = xcebra_nwb.attribute(counts, {"position": position}, bin_width=0.05, folder=folder, threads=2, **TINY)
    assert torch.get_num_threads() == before, "the threads of torch are those of the caller afterwards"
    return made.assign_attrs(kept=str(folder))


def test_a_user_gets_from_arrays_to_maps_in_five_lines(maps: xr.Dataset) -> None:
    assert maps["attribution"].sel(map_method="neuron_gradient", label="position").shape == (3,)
    assert set(maps["verdict"].to_series()) <= {"supported", "weak", "not encoded", "not identifiable"}
    assert maps["information"].sel(label="position", unit="1").attrs["units"] == "bit/spike"
    assert maps["carries"].dtype == bool


def test_the_lines_of_the_readme_run(maps: xr.Dataset) -> None:
    """The call is bound to the function; the lines after it run on maps that are there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("## From Python")[1].split("```python\n")[1].split("```")[0]
    calls = []

    def attribute(*given: Any, **named: Any) -> xr.Dataset:
        calls.append(inspect.signature(xcebra_nwb.attribute).bind(*given, **named).arguments)
        return maps

    counts, position = walk()
    names = {"xcebra_nwb": SimpleNamespace(attribute=attribute), "counts": counts, "position": position}
    exec(block.replace("import xcebra_nwb\n", ""), names)
    assert calls[0]["bin_width"] == 0.05


@pytest.mark.slow
def test_an_estimator_makes_the_same_maps(maps: xr.Dataset) -> None:
    counts, position = walk()
    model = xcebra_nwb.XCEBRA(bin_width=0.05, seeds=1, nulls=0, config=SMALL).fit(counts, position=position)
    for name in ("attribution", "latent_map", "information", "verdict"):
        np.testing.assert_array_equal(model.attribution_[name], maps[name])


@pytest.mark.slow
def test_units_stay_beside_their_columns_if_one_is_left_out(maps: xr.Dataset) -> None:
    """A map that is shifted by one unit would look right."""
    counts, position = walk()
    silent = np.insert(counts, 1, 0, axis=1)
    found = xcebra_nwb.attribute(silent, {"position": position}, bin_width=0.05, **TINY)
    first = found["attribution"].isel(map_method=0, label=0)
    assert np.isnan(first[1])
    np.testing.assert_array_equal(first.values[[0, 2, 3]], maps["attribution"].isel(map_method=0, label=0))
    assert json.loads(found.attrs["left_out"]) == ["1"]
    assert found["carries"].dtype == bool


def test_a_folder_keeps_the_session_and_a_second_call_trains_no_more(
    maps: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcebra_nwb.commands.train.train", lambda *arguments: pytest.fail("it trains again"))
    counts, position = walk()
    folder = maps.attrs.pop("kept")
    again = xcebra_nwb.attribute(counts, {"position": position}, bin_width=0.05, folder=folder, **TINY)
    xr.testing.assert_identical(again, maps)
    assert xcebra_nwb.read(folder).name == "rat"


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupt(*arguments: object) -> None:
        assert [path.name for path in tmp_path.glob("*/*")] == ["session.nc"]
        raise KeyboardInterrupt

    monkeypatch.setattr("xcebra_nwb.commands.train.train", interrupt)
    counts, position = walk()
    with pytest.raises(KeyboardInterrupt):
        xcebra_nwb.attribute(counts, {"position": position}, bin_width=0.05, **TINY)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_if_it_is_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    from xcebra_nwb.core.progress import bars, progress

    for shown in (True, False):
        with bars(shown), progress("training 3 members", 2, "steps") as advance:
            advance(2)
        assert ("training 3 members" in capfd.readouterr().err) == shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bin_width": None}, "give the width of its bins"),
        ({"labels": {}}, "at least one label"),
        ({"labels": {"position": [1.0, 2.0]}}, "2 values, and the activity has 400 bins"),
        ({"labels": {"time": np.arange(400)}}, "not a name for a label"),
        ({"labels": {"a": {"values": np.arange(400), "kinds": "discrete"}}}, "did you mean kind?"),
        ({"labels": {"a": {"values": np.arange(400), "kind": "angle"}}}, "no kind 'angle'"),
        ({"labels": {"a": np.array(["x", "y"] * 200), "b": {"values": ["x"] * 400, "kind": "circular"}}}, "cannot be"),
        ({"segments": np.zeros(399, dtype=int)}, "399 values"),
        ({"segments": np.zeros(400)}, "float64"),
        ({"units": "count", "activity": np.full((400, 3), 0.5)}, "counts are whole numbers"),
        ({"config": {"training": {"step": 3}}}, "did you mean steps?"),
        ({"config": {"neural": {"where": "rate > 1"}}}, "there is no file"),
        ({"config": {"time": {"within": "/intervals/epochs"}}}, "is in a file"),
        ({"activity": "data.nwb"}, "values are needed"),
        ({"activity": np.zeros((2, 2, 2))}, "3 dimensions"),
    ],
)
def test_what_does_not_fit_is_one_line(change: dict[str, Any], said: str) -> None:
    counts, position = walk()
    given = {"activity": counts, "labels": {"position": position}, "bin_width": 0.05, **TINY} | change
    with pytest.raises(UsageError, match=said.replace("?", r"\?")) as error:
        xcebra_nwb.attribute(**given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": {"position": np.ones(400)}}, "constant"),
        ({"labels": {"position": np.full(400, np.nan)}, "config": {"neural": {"min_spikes": 0}}}, "no usable bin"),
        ({"activity": np.zeros((400, 3), dtype=int)}, "0 of 3 units left"),
        ({"segments": np.r_[np.zeros(100, dtype=int), np.full(300, -1)]}, "fewer than a batch"),
        (
            {"labels": {"hd": {"values": np.tile(np.arange(0.0, 360, 9), 10), "kind": "circular", "units": "rad"}}},
            "deg",
        ),
    ],
)
def test_data_that_cannot_answer_are_refused(change: dict[str, Any], said: str) -> None:
    counts, position = walk()
    given = {"activity": counts, "labels": {"position": position}, "bin_width": 0.05, **TINY} | change
    with pytest.raises(Refusal, match=said):
        xcebra_nwb.attribute(**given)


# What a label is
# ---------------


def session_of(labels: dict[str, Any], **given: Any) -> xr.Dataset:
    counts, _ = walk()
    config = settings(SMALL, bin_width=0.05)
    return user_session(given.pop("activity", counts), labels, config, given.pop("segments", None))


def test_an_angle_is_known_by_its_name_or_its_kind() -> None:
    turning = np.mod(np.arange(400) / 7, 2 * np.pi)
    made = session_of({"head_direction": turning, "phase": {"values": np.rad2deg(turning), "units": "deg"}})
    assert [made[name].attrs["kind"] for name in ("head_direction", "phase")] == ["circular", "circular"]
    np.testing.assert_array_equal(made["head_direction"], turning)
    np.testing.assert_allclose(made["phase"], turning)


def test_classes_keep_their_names_and_missing_values_are_masked() -> None:
    choice = np.array(["left", "right", "left", None] * 100, dtype=object)
    made = session_of({"choice": choice, "wheel": np.arange(400.0)})
    assert json.loads(made["choice"].attrs["classes"]) == ["left", "right"]
    assert not made["valid"].values[3::4].any()
    assert made["valid"].values[:3].all()
    assert json.loads(made.attrs["masks"]) == {"choice missing": 100}
    codes = np.where(np.arange(400) % 3 == 0, -1, 1)  # a class, not a missing value
    assert json.loads(session_of({"side": codes})["side"].attrs["classes"]) == ["-1", "1"]


def test_trials_and_segments_are_borders() -> None:
    trials = np.repeat(np.arange(4), 100)
    choice = {"values": np.where(trials % 2, "left", "right"), "trials": trials}
    segments = np.where(np.arange(400) < 150, 7, 3)
    made = session_of({"choice": choice}, segments=segments)
    starts = np.flatnonzero(np.diff(made["segment"].values)) + 1
    assert starts.tolist() == [100, 150, 200, 300]
    np.testing.assert_array_equal(made["choice_trial"], trials)
    cut = session_of({"wheel": np.arange(400.0)}, segments=[[1.0, 3.0], [3.0, 9.0]])
    assert np.flatnonzero(cut["valid"].values)[[0, -1]].tolist() == [20, 179]
    assert (np.flatnonzero(np.diff(cut["segment"].values)) + 1).tolist() == [20, 60, 180]


def test_missing_activity_is_masked_and_poor_units_are_left_out() -> None:
    rates = np.random.default_rng(0).normal(size=(400, 4))
    rates[10:20, 2], rates[:300, 3] = np.nan, np.nan
    made = session_of({"wheel": np.arange(400.0)}, activity=rates)
    assert made["unit_id"].values.tolist() == ["0", "1", "2"]
    assert not made["valid"].values[10:20].any()
    assert made["activity"].attrs["kind"] == "rates"
    assert "observed for less than 50%" in made.attrs["choices"]


@pytest.mark.parametrize(("units", "kind"), [("Hz", "rates"), ("a.u.", "rates"), ("dF/F", "calcium"), (None, "rates")])
def test_the_unit_says_what_the_activity_is(units: str | None, kind: str) -> None:
    rates, wheel = np.random.default_rng(0).normal(size=(400, 3)), np.arange(400.0)
    made = user_session(rates, {"wheel": wheel}, settings(SMALL, 0.05), units=units)
    assert made["activity"].attrs["kind"] == kind
    assert made["activity"].attrs["units"] == (units or "a.u.")


def test_labelled_arrays_bring_their_names_times_and_regions() -> None:
    counts, position = walk()
    time = 100 + 0.1 * np.arange(400)
    activity = xr.DataArray(
        counts,
        dims=("time", "unit"),
        coords={"time": time, "unit": ["a", "b", "c"], "region": ("unit", ["CA1", "CA1", "V1"])},
    )
    finer = xr.DataArray(np.interp(np.arange(99.9, 140.1, 0.02), time, position), dims="time").assign_coords(
        time=np.arange(99.9, 140.1, 0.02)
    )
    same = xr.DataArray(position, dims="time", coords={"time": time}, attrs={"units": "cm"})
    made = user_session(activity, {"fine": finer, "same": same}, settings(SMALL))
    assert made.attrs["bin_width"] == 0.1
    np.testing.assert_array_equal(made["time"], time)
    assert made["region"].values.tolist() == ["CA1", "CA1", "V1"]
    assert made["activity"].sel(unit="c").values.tolist() == counts[:, 2].tolist()
    np.testing.assert_array_equal(made["same"], position)
    assert made["same"].attrs["units"] == "cm"
    assert np.abs(made["fine"] - made["same"]).max() < 0.2


def test_events_are_the_time_since_the_last_one() -> None:
    made = session_of({"lick": {"values": [1.0, 5.0], "kind": "events"}})
    assert not made["valid"].values[:20].any()
    np.testing.assert_allclose(made["lick"].values[[20, 99, 100]], [0.025, 3.975, 0.025])
    around = session_of({"lick": {"values": [5.0], "kind": "events", "window": (-1.0, 2.0)}})
    assert np.flatnonzero(around["valid"].values)[[0, -1]].tolist() == [80, 139]
