"""Extraction of the real recordings, where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xcebra_nwb.commands.inspect import inspect, render
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.training.design.split import trainable_split

pytestmark = pytest.mark.slow

RATES = {
    "neural": {"source": "/processing/ecephys/firing_rates"},
    "labels": {"velocity": {"source": "/processing/behavior/BehavioralTimeSeries/velocity"}},
}


def test_rat_on_a_linear_track(shared_data: Path) -> None:
    path = shared_data / "rat_ca1_linear_track.nwb"
    assert inspect(path).neural[0].units == 31
    everything = extract_session(path, validate({"neural": {"min_spikes": 0}}), "rat")
    contract.check(everything)
    assert everything.sizes["unit"] == 31
    assert everything["position"].attrs["units"] == "pixels" and everything.sizes["position_axis"] == 2
    assert set(everything["region"].values) == {"CA1"}
    assert everything["valid"].values.sum() == 19704
    masks = json.loads(everything.attrs["masks"])
    assert masks == {"position: tracking lost (stands exactly still)": 19944}  # the last quarter of an hour
    dataset = extract_session(path, validate({}), "rat")
    assert dataset.sizes["unit"] == 21 and dataset["n_spikes"].values.min() >= 50
    trainable_split(dataset, validate({}))


@pytest.mark.parametrize("bin_width", ["auto", 0.1])
def test_rates_of_a_reaching_monkey(shared_data: Path, bin_width: float | str) -> None:
    path = shared_data / "monkey_m1_reaching_rates.nwb"
    dataset = extract_session(path, validate({**RATES, "time": {"bin_width": bin_width}}), "monkey")
    contract.check(dataset)
    assert dataset["valid"].values.sum() == 1640
    assert dataset["segment"].values.max() == 158  # 159 reaches
    assert dataset.attrs["bin_width"] == 0.1 and dataset["activity"].attrs["kind"] == "rates"
    assert list(contract.labels(dataset)) == ["velocity"]


def test_a_reaching_monkey_without_a_config(shared_data: Path) -> None:
    dataset = extract_session(shared_data / "monkey_m1_reaching_rates.nwb", validate({}), "monkey")
    assert list(contract.labels(dataset)) == ["cursor_velocity", "target"]
    assert dataset["valid"].values.sum() == 1640


def test_units_without_behaviour_are_refused(shared_data: Path) -> None:
    with pytest.raises(Refusal, match=r"no behaviour found: .*epochs \(1 row\)"):
        extract_session(shared_data / "units_without_behaviour.nwb", validate({}), "units")


def test_trials_of_a_human(shared_data: Path) -> None:
    path = shared_data / "sub-4_ses-4_ecephys+image.nwb"
    dataset = extract_session(path, validate({}), "human")
    contract.check(dataset)
    assert dataset.sizes["unit"] == 35
    assert list(contract.labels(dataset)) == ["stimCategory"]
    assert dataset["segment"].values.max() == 89
    said = [remark.what for remark in inspect(path).suspicious]
    assert "1 absurd times, such as -1.5429e+09 s" in said


def test_a_whole_worm(shared_data: Path) -> None:
    path = shared_data / "worm_whole_brain_calcium.nwb"
    named = extract_session(path, validate({"neural": {"source": "/acquisition/Activity_*"}}), "worm")
    found = extract_session(path, validate({}), "worm")
    assert np.array_equal(named["activity"].values, found["activity"].values, equal_nan=True)
    assert dict(found.sizes) == {"time": 2639, "unit": 62, "position_axis": 2}
    assert found["segment"].values.max() == 7
    assert found["activity"].attrs["kind"] == "calcium"


def test_every_file_can_be_inspected(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("*.nwb")):
        told = inspect(path)
        assert told.neural and not told.problems
        assert render(told).startswith(path.as_posix())
