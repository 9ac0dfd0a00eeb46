"""Small simulations that break one condition each: the verdict warns, and where all hold it does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.simulate.two_populations import truncated_walk
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config import schema

pytestmark = pytest.mark.slow

BINS, UNITS = 1400, 6  # units of each group: those of the label, and those of one hidden latent each
SETTINGS: dict[str, Any] = {
    "encoder": {"hidden": 24, "outputs": 3},
    "training": {"steps": 200, "batch_size": 64, "learning_rate": 3e-3, "seeds": 2, "nulls": 3},
}


def tuned(latents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Units (time, unit) at unit variance that are random smooth functions of ``latents`` (time, latent)."""
    weight, bias = rng.normal(size=(8, latents.shape[1], UNITS)), rng.uniform(-1, 1, (8, UNITS))
    bumps = np.tanh(2 * (np.einsum("tk,nku->ntu", latents, weight) + bias[:, None]))
    values = np.einsum("ntu,nu->tu", bumps, rng.normal(size=(8, UNITS)))
    return (values - values.mean(axis=0)) / values.std(axis=0)


def judged(
    directory: Path, label: np.ndarray, seen: np.ndarray, hidden: np.ndarray, noise: float = 0.3, **changes: Any
) -> dict[str, Any]:
    """What assess says of ``label`` when its units see ``seen`` instead, and others ``hidden`` (time, latent)."""
    rng = np.random.default_rng(5)
    activity = np.hstack([tuned(seen, rng), *(tuned(hidden[:, [k]], rng) for k in range(hidden.shape[1]))])
    session = session_of(activity + noise * rng.normal(size=activity.shape), {})
    session["label"] = variable(label)
    settings = schema.validate(SETTINGS | changes)
    contract.save(session, directory / "session.nc")
    for command in (train, attribute):
        command(directory, settings)
    assess(directory)
    return json.loads((directory / "assessment.json").read_text())["labels"]["label"]


def variable(values: np.ndarray) -> xr.Variable:
    attrs: dict[str, Any] = {"role": "label", "units": "1", "source": "simulated", "reference_frame": ""}
    if values.dtype.kind == "i":
        attrs |= {"kind": "discrete", "classes": json.dumps([str(c) for c in np.unique(values)])}
        return xr.Variable("time", values, attrs)
    return xr.Variable(("time", "label_axis"), values, attrs | {"kind": "continuous"})


def walks(count: int, step: float = 0.1) -> np.ndarray:
    return truncated_walk(BINS, np.full(count, step), np.random.default_rng(1))


def broken(found: dict[str, Any]) -> set[str]:
    return {condition["name"] for condition in found["conditions"] if condition["holds"] is False}


def test_a_label_for_which_all_conditions_hold_is_supported(tmp_path: Path) -> None:
    walk = walks(2)
    found = judged(tmp_path, walk[:, :1], walk[:, :1], walk[:, 1:])
    assert found["verdict"] == "supported", found["because"]
    assert broken(found) == set()


def test_a_label_that_units_see_folded_is_neither_supported_nor_not_encoded(tmp_path: Path) -> None:
    walk = walks(2)
    found = judged(tmp_path, walk[:, :1], np.abs(walk[:, :1]), walk[:, 1:], noise=0.1)
    assert "aliasing" in broken(found)
    assert found["verdict"] in {"weak", "not identifiable"}, found["because"]


def test_more_latents_than_outputs_are_weak_at_best(tmp_path: Path) -> None:
    walk = walks(6)
    one = {"name": "label", "outputs": [0, 2], "positive": "time_delta", "label": "label"}
    found = judged(
        tmp_path, walk[:, :1], walk[:, :1], walk[:, 1:], encoder={"outputs": 2, "hidden": 24}, objectives=[one]
    )
    assert "shared_explained" in broken(found)
    assert found["verdict"] == "weak", found["because"]


def test_a_label_that_is_drawn_anew_in_every_bin_is_weak_at_best(tmp_path: Path) -> None:
    walk = walks(2)
    white = np.random.default_rng(2).uniform(-1, 1, (BINS, 1))
    found = judged(tmp_path, white, white, walk[:, 1:])
    assert "step_size" in broken(found)
    assert found["verdict"] != "supported"


def test_classes_that_are_visited_once_cannot_be_told_from_a_drift(tmp_path: Path) -> None:
    drift = np.cumsum(np.random.default_rng(3).normal(size=(BINS, 1)), axis=0)
    found = judged(tmp_path, np.arange(BINS) * 4 // BINS, drift / drift.std(), walks(1))
    assert "fewest_visits" in broken(found)
    assert found["verdict"] != "supported"


def test_clipped_outputs_are_said(tmp_path: Path) -> None:
    walk = walks(2)
    found = judged(tmp_path, walk[:, :1], walk[:, :1], walk[:, 1:], encoder=SETTINGS["encoder"] | {"clip": 0.5})
    assert "saturated_outputs" in broken(found)
    assert found["verdict"] != "supported"


def test_training_that_ends_early_is_said(tmp_path: Path) -> None:
    walk = walks(2)
    found = judged(tmp_path, walk[:, :1], walk[:, :1], walk[:, 1:], training=SETTINGS["training"] | {"steps": 30})
    assert "still_falling" in broken(found)
    assert found["verdict"] != "supported"


def test_a_copy_among_the_other_latents_is_a_leak(tmp_path: Path) -> None:
    """Two blocks of one label each, the second label almost the first: the map cannot say which of them units carry."""
    walk = walks(2)
    rng = np.random.default_rng(4)
    label = walk[:, :1]
    copy = label + 0.02 * rng.normal(size=label.shape)
    session = session_of(np.hstack([tuned(label, rng), tuned(walk[:, 1:], rng)]), {"label": label, "copy": copy})
    contract.save(session, tmp_path / "session.nc")
    settings = schema.validate(SETTINGS | {"encoder": {"hidden": 24, "outputs": 6}})
    for command in (train, attribute):
        command(tmp_path, settings)
    assess(tmp_path)
    found = json.loads((tmp_path / "assessment.json").read_text())["labels"]
    assert all("leak" in broken(result) for result in found.values())
    assert "supported" not in {result["verdict"] for result in found.values()}
