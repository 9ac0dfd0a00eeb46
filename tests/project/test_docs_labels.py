"""docs/reference/labels.md: every config on the page works on a file that holds what it names."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from tests.support import nwb_builders as build
from tests.support.paths import DOCS
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.extraction.extract import extract_session

PAGE = DOCS / "reference" / "labels.md"
CONFIGS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def _series(h5: h5py.File, path: str, kind: str, times: np.ndarray, values: np.ndarray, unit: str) -> None:
    group = h5.create_group(path)
    group.attrs["neurodata_type"] = kind
    group.create_dataset("timestamps", data=times)
    group.create_dataset("data", data=values).attrs["unit"] = unit
    container, name = path.rsplit("/", 2)[:2]
    if name not in {"behavior", "ecephys"}:
        h5[f"{container}/{name}"].attrs["neurodata_type"] = name


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with everything that the page names."""
    rng = np.random.default_rng(3)
    nwb = build.new()
    build.add_units(nwb, build.steady_spikes())
    times, walk = build.wandering(60.0, rng, rate=50.0)
    build.add_position(nwb, times, 50 + 50 * walk, name="led", unit="pixels")
    build.add_head_direction(nwb, times, np.arctan2(walk[:, 1], walk[:, 0]))
    starts = np.arange(1.0, 57.0, 3.0)
    columns = {"choice": ["left", "right"] * 9 + ["left"], "cue_time": (starts + 0.5).tolist()}
    build.add_intervals(nwb, "trials", np.stack([starts, starts + 2.5], axis=1), **columns)
    build.add_intervals(nwb, "sleep", [[5, 15], [30, 45]])
    turns = [0.0, 90.0, 180.0, 270.0] * 5
    for name, start in (("gratings", 1.0), ("films", 30.0)):
        shown = start + np.arange(20) * 1.3
        build.add_intervals(nwb, f"{name}_presentations", np.stack([shown, shown + 1], axis=1), orientation=turns)
    path = build.save(nwb, tmp_path_factory.mktemp("docs") / "everything.nwb")
    fast = np.arange(0, 60, 0.002)
    with build.edited(path) as h5:
        behaviour = "/processing/behavior"
        _series(h5, f"{behaviour}/PupilTracking/diameter", "TimeSeries", times, rng.normal(size=len(times)), "mm")
        _series(h5, f"{behaviour}/EyeTracking/eye", "SpatialSeries", times, walk, "meters")
        _series(h5, f"{behaviour}/pose", "TimeSeries", times, np.tile(walk, 4), "n/a")
        for name, values in {"front": walk + 0.1, "back": walk - 0.1}.items():
            _series(h5, f"{behaviour}/Position/{name}_led", "SpatialSeries", times, values, "meters")
        for axis, name in enumerate("xyz"):
            _series(h5, f"/acquisition/Position/{name}", "SpatialSeries", times, walk[:, axis % 2], "meters")
        for name in ("nose", "tail"):
            points = walk + 0.1 * rng.normal(size=walk.shape)
            _series(h5, f"{behaviour}/PoseEstimation/{name}", "PoseEstimationSeries", times, points, "pixels")
            h5[f"{behaviour}/PoseEstimation/{name}/confidence"] = np.where(rng.random(len(times)) < 0.1, 0.1, 0.99)
        marks = np.tile([1, -1], 5)
        epochs = "BehavioralEpochs/running"
        _series(h5, f"{behaviour}/{epochs}", "IntervalSeries", np.linspace(3, 57, 10), marks, "n/a")
        licks = np.sort(rng.uniform(0, 60, 40))
        _series(h5, f"{behaviour}/BehavioralEvents/licks", "TimeSeries", licks, np.ones(40), "n/a")
        lfp = np.sin(2 * np.pi * 8 * fast)[:, None] * np.ones(3)
        h5.require_group("processing/ecephys")
        _series(h5, "/processing/ecephys/LFP/lfp", "ElectricalSeries", fast, lfp, "volts")
    return path


def test_the_page_has_its_examples() -> None:
    assert len(CONFIGS) == 13


@pytest.mark.parametrize("text", CONFIGS, ids=lambda text: "+".join(yaml.safe_load(text)["labels"]))
def test_every_config_of_the_page_works(file: Path, text: str) -> None:
    config = validate(yaml.safe_load(text))
    dataset = extract_session(file, config, "one")
    contract.check(dataset)
    assert list(contract.labels(dataset)) == list(yaml.safe_load(text)["labels"])
    assert dataset["valid"].values.sum() > 100
