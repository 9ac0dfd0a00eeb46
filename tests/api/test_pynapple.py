"""A dataset of pynapple, made by hand, goes in; results come back as its objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xcebra_nwb
from tests.support.whole_analysis import NAME, QUICK
from xcebra_nwb.api.session import user_session
from xcebra_nwb.api.settings import settings
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session import load
from xcebra_nwb.nwb.extraction.extract import extract_session

nap = pytest.importorskip("pynapple")
SECONDS = 60.0


@pytest.fixture(scope="module")
def dataset() -> dict[str, Any]:
    """Four place cells with regions, a position at 30 Hz, a head direction at 120 Hz, licks and two epochs."""
    rng = np.random.default_rng(0)
    slow, fast = np.arange(0, SECONDS, 1 / 30), np.arange(0, SECONDS, 1 / 120)
    x = 50 + 40 * np.sin(slow / 3) + rng.normal(0, 1, len(slow))
    rates = np.exp(-((np.interp(fast, slow, x)[:, None] - np.array([10, 35, 65, 90])) ** 2) / 400)  # (time, unit)
    fired = [fast[rng.random(len(fast)) < 20 / 120 * rate] for rate in rates.T]
    spikes = [np.sort(train + rng.uniform(0, 1 / 120, len(train))) for train in fired]
    return {
        "units": nap.TsGroup(
            {key: nap.Ts(t=train) for key, train in zip([3, 5, 8, 13], spikes, strict=True)},
            metadata={"location": ["CA1", "CA1", "V1", "V1"], "snr": [4.0, 5.0, 6.0, 7.0]},
            time_support=nap.IntervalSet(0, SECONDS),
        ),
        "position": nap.TsdFrame(t=slow, d=np.stack([x, np.cos(slow)], axis=1), columns=["x", "y"]),
        "head_direction": nap.Tsd(t=fast, d=np.mod(fast / 2, 2 * np.pi)),
        "lick": nap.Ts(t=np.arange(0.5, SECONDS, 2.0)),
        "light": nap.IntervalSet(start=[0, 20, 40], end=[10, 30, 50]),
        "epochs": nap.IntervalSet(start=[0, 35], end=[30, 60]),
    }


def test_objects_of_different_rates_come_to_one_grid(dataset: dict[str, Any]) -> None:
    labels = {name: dataset[name] for name in ("position", "head_direction", "lick", "light")}
    made = user_session(dataset["units"], labels, settings(), dataset["epochs"])
    assert made.attrs["bin_width"] == 0.05
    assert made["unit"].values.tolist() == ["3", "5", "8", "13"]
    assert made["region"].values.tolist() == ["CA1", "CA1", "V1", "V1"]
    assert made["unit_snr"].values.tolist() == [4.0, 5.0, 6.0, 7.0]
    assert [made[name].attrs["kind"] for name in labels] == ["continuous", "circular", "continuous", "discrete"]
    assert made["position_axis"].values.tolist() == ["x", "y"]
    assert json.loads(made["light"].attrs["classes"]) == ["outside", "inside"]
    time, valid = made["time"].values, made["valid"].values
    assert not valid[(time > 30) & (time < 35)].any()
    assert len(np.unique(made["segment"].values[valid])) == 2
    direction = made["head_direction"].values[valid]
    apart = np.angle(np.exp(1j * (direction - time[valid] / 2)))
    assert np.abs(apart).max() < 0.02
    counts = dataset["units"].count(0.05, ep=nap.IntervalSet(time[0] - 0.025, time[-1] + 0.025)).values
    np.testing.assert_array_equal(made["activity"].values, counts)


def test_counts_on_bins_are_taken_as_they_are(dataset: dict[str, Any]) -> None:
    counts = dataset["units"].count(0.1)
    made = user_session(counts, {"position": dataset["position"]}, settings())
    assert made.attrs["bin_width"] == 0.1
    np.testing.assert_array_equal(made["activity"].values, counts.values)
    np.testing.assert_allclose(made["time"].values, counts.t)
    assert made["activity"].attrs["kind"] == "spikes"
    with pytest.raises(UsageError, match=r"the counts are in bins of 0\.1 s"):
        user_session(counts, {"position": dataset["position"]}, settings(bin_width=0.2))


def test_rates_are_averaged_on_wider_bins_and_epochs_stay_apart(dataset: dict[str, Any]) -> None:
    rates = dataset["units"].count(0.05).smooth(0.2).restrict(dataset["epochs"])
    made = user_session(rates, {"position": dataset["position"]}, settings(bin_width=0.2), units="Hz")
    assert made.attrs["bin_width"] == 0.2
    assert made["activity"].attrs["kind"] == "rates"
    assert len(np.unique(made["segment"].values[made["valid"].values])) == 2


def test_spike_times_give_the_session_of_the_file(workflow: Path) -> None:
    """The numbers of a run follow, because session and config are all that it reads."""
    config = settings(QUICK)
    file = extract_session(workflow.parent / "tiny.nwb", config, NAME)
    loaded = nap.load_file(str(workflow.parent / "tiny.nwb"))
    observed = nap.IntervalSet(0, 60)  # the file says so, and pynapple does not read it
    made = user_session(loaded["units"].restrict(observed), {"position": loaded["position"]}, config)
    loaded.close()
    shared = slice(0, min(made.sizes["time"], file.sizes["time"]))
    np.testing.assert_array_equal(made["activity"].values[shared], file["activity"].values[shared])
    np.testing.assert_array_equal(made["position"].values[shared], file["position"].values[shared])


def test_an_array_beside_spike_times_is_refused(dataset: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="label speed: an array has no times"):
        user_session(dataset["units"], {"speed": np.arange(1200.0)}, settings())
    with pytest.raises(UsageError, match="segments: the activity has times"):
        user_session(dataset["units"], {"position": dataset["position"]}, settings(), np.zeros(1200, dtype=int))
    with pytest.raises(UsageError, match="is not the activity of units"):
        user_session(dataset["light"], {"position": dataset["position"]}, settings())


# Back to pynapple
# ----------------


def test_results_become_pynapple_objects(made: Path) -> None:
    results = xcebra_nwb.read(made / "sub-a_ses-1")
    assert isinstance(results, xcebra_nwb.Results)
    found = results.to_pynapple()
    units, session = found["units"], results.session
    valid = session["valid"].values
    np.testing.assert_array_equal(units.values, session["activity"].values[valid])
    np.testing.assert_array_equal(units.metadata["position_z"], results.units["position_z"])
    np.testing.assert_array_equal(units.metadata["position_information_q"], results.units["position_information_q"])
    assert len(found["epochs"]) == 2
    assert found["embedding"].shape == (valid.sum(), 8)
    np.testing.assert_array_equal(found["position"].values, session["position"].values[valid])
    assert found["choice"].shape == (valid.sum(),)


def test_spike_times_get_the_measures_of_their_units(made: Path) -> None:
    results = xcebra_nwb.read(made / "sub-a_ses-1")
    assert isinstance(results, xcebra_nwb.Results)
    trains = {key: nap.Ts(t=np.arange(key + 1, 30.0)) for key in (3, 1, 99)}
    group = results.to_pynapple(nap.TsGroup(trains))["units"]
    assert group["choice_z"][3] == results.units.loc["3", "choice_z"]
    assert np.isnan(group["choice_z"][99])
    carrying = group[group["position_carries"]]
    assert set(carrying.index) == {key for key in (1, 3) if results.units.loc[str(key), "position_carries"]}
    with pytest.raises(UsageError, match="no key is the name of a unit"):
        results.to_pynapple(nap.TsGroup({100: nap.Ts(t=np.arange(3.0)), 200: nap.Ts(t=np.arange(3.0))}))


def test_an_exported_file_gives_spike_times_with_measures(workflow: Path) -> None:
    folder, exported = xcebra_nwb.read(workflow), xcebra_nwb.read(workflow / f"{NAME}_desc-xcebra.nwb")
    assert isinstance(folder, xcebra_nwb.Results)
    assert isinstance(exported, xcebra_nwb.Results)
    source = nap.load_file(str(workflow.parent / "tiny.nwb"))
    for results in (folder, exported):
        group = results.to_pynapple()["units"]
        for key in group.index:
            np.testing.assert_array_equal(group[key].t, source["units"][key].t)
        np.testing.assert_array_equal(group["position_information"], folder.units["position_information"])
    source.close()
    assert exported.to_pynapple()["embedding"].shape == folder.to_pynapple()["embedding"].shape


def test_segments_that_touch_stay_apart() -> None:
    from xcebra_nwb.api.to_pynapple import _epochs

    session = xr.Dataset(
        {"segment": ("time", [0, 0, 1, 1, -1, 2])}, coords={"time": np.arange(6) + 0.5}, attrs={"bin_width": 1.0}
    )
    epochs = _epochs(session)
    np.testing.assert_allclose(epochs.start, [0, 2, 5])
    np.testing.assert_allclose(epochs.end, [1.95, 4, 6])


def test_the_session_of_a_run_is_not_changed_by_it(workflow: Path) -> None:
    before = load(workflow / "session.nc").load()
    found = xcebra_nwb.read(workflow)
    assert isinstance(found, xcebra_nwb.Results)
    found.to_pynapple()
    xr.testing.assert_identical(load(workflow / "session.nc").load(), before)
