"""``inspect`` foresees what extraction does, in the same words."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from tests.nwb.test_matrix_refused import CASES
from tests.support import nwb_builders as build
from tests.support.agreement import disagreement
from tests.support.fuzzing.meaning.faults import FAULTS
from tests.support.fuzzing.meaning.twins import KINDS, Settings, make
from tests.support.nwb_matrix import LABELS, LAYOUTS, MASKS, NO_MASK, LabelCase, Mask, write_file
from tests.support.nwb_storage import TIMESTAMPS, write_table
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.inventory import foresight
from xcebra_nwb.nwb.inventory.inventory import inventory

POSITION = next(label for label in LABELS if label.name == "position")


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_the_files_of_the_matrix_end_as_foreseen(tmp_path: Path, label: LabelCase) -> None:
    assert disagreement(write_file(tmp_path / "case.nwb", "units", label, NO_MASK, TIMESTAMPS)) == ""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_neural_layout_ends_as_foreseen(tmp_path: Path, layout: str) -> None:
    assert disagreement(write_file(tmp_path / "case.nwb", layout, POSITION, NO_MASK, TIMESTAMPS)) == ""


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.name)
def test_every_mask_is_foreseen(tmp_path: Path, mask: Mask) -> None:
    assert disagreement(write_file(tmp_path / "case.nwb", "units", POSITION, mask, TIMESTAMPS)) == ""


@pytest.mark.parametrize("case", CASES)
def test_damaged_files_are_refused_as_foreseen(tmp_path: Path, case: str) -> None:
    path = write_file(tmp_path / "case.nwb", "units", POSITION, NO_MASK, TIMESTAMPS)
    with h5py.File(path, "r+") as h5:
        CASES[case][0](h5)
    assert disagreement(path) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_a_session_is_foreseen(tmp_path: Path, kind: str) -> None:
    twin = make(kind, tmp_path / "twin.nwb", np.random.default_rng(5), Settings(seconds=(90.0, 100.0)))
    assert disagreement(twin.path) == ""
    told = inventory(twin.path)
    assert told.refusal is None and told.automatic.units and told.automatic.bins_in_use


def test_labels_that_are_too_slow_are_no_longer_among_those_taken(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb")
    slow = "/processing/behavior/BehavioralTimeSeries/speed"
    with build.edited(path) as h5:
        for name in ("timestamps", "data"):
            values, attributes = h5[f"{slow}/{name}"][::40], dict(h5[f"{slow}/{name}"].attrs)
            del h5[f"{slow}/{name}"]
            h5[f"{slow}/{name}"] = values
            h5[f"{slow}/{name}"].attrs.update(attributes)
    told = inventory(path).automatic
    assert disagreement(path) == ""
    assert slow not in [label.source for label in told.labels]
    assert any(line.startswith("label not taken: label speed") and "every 2 s" in line for line in told.choices)


def test_a_session_too_short_to_train_on_is_foreseen_by_the_check_of_extraction(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "tiny.nwb", seconds=20.0)
    assert inventory(path).refusal is None
    assert disagreement(path) == ""


@pytest.mark.parametrize("kind", ["roaming", "imaging"])
def test_large_activity_is_not_read_and_that_is_said(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foresight, "LOOKED_AT", 1000)
    path = make(kind, tmp_path / "twin.nwb", np.random.default_rng(5), Settings()).path
    told = inventory(path).automatic
    assert "not looked at" in told.not_looked_at and told.units is None and told.labels
    with h5py.File(path, "r+") as h5:
        for source in make(kind, tmp_path / "same.nwb", np.random.default_rng(5), Settings()).labels.values():
            h5[f"{source['source']}/timestamps"][...] += 1e5
    later = inventory(path).refusal
    assert later is not None and later.code is Code.NO_COMMON_TIME


def test_what_is_suspicious_about_the_data_of_a_session_is_among_its_choices(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    twin = make("choices", tmp_path / "twin.nwb", rng, Settings())
    with h5py.File(twin.path, "r+") as h5:
        FAULTS["reversed_rows"].inject(h5, twin, rng)
        write_table(h5, "/intervals/epochs", [[5.0, 1.0], [2.0, 3.0]])  # suspicious too, and not used
    config = twin.config(twin.labels) | {"training": {"batch_size": 16}}
    session, *_ = extract(twin.path, tmp_path / "one", validate(config), "one")
    with xr.open_dataset(session) as dataset:
        said = [line for line in decode_list(dataset.attrs["choices"]) if "stop before they start" in line]
    assert said and all("/intervals/trials" in line for line in said)
