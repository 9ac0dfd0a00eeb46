"""Every kind of label, neural layout, mask and storage, and their pairs: the dataset has the values of the matrix.

The matrix stands in tests/support/nwb_matrix.py, the storages in nwb_storage.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from tests.support.nwb_matrix import BINS, COUNTS, LABELS, LAYOUTS, MASKS, NO_MASK, LabelCase, Mask, write_file
from tests.support.nwb_storage import STORAGES, TIMESTAMPS, Storage
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import Config, validate
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory

BY_NAME = {label.name: label for label in LABELS}
FLAT = {"texts", "codes"}


def fits(label: LabelCase, mask: Mask, storage: Storage) -> bool:
    """Whether the three can be written into one file."""
    numeric = label.values is not None and label.name not in FLAT
    if mask.name == "trials" and "trials" in label.config["source"]:
        return False  # the label has trials of its own
    if mask.name in {"label_gap", "label_nan"} and (not numeric or label.name == "slower_than_the_bins"):
        return False
    if storage.name == "linked" and label.name.startswith("compass"):
        return False  # a series has the container in which it stands, not those that link to it
    return not (storage.name == "scaled" and not numeric) and not (storage.name == "rate" and mask.name == "label_gap")


def cases() -> list[tuple[str, LabelCase, Mask, Storage]]:
    """Every label by mask and by storage, masks by storages for three labels, layouts by masks and by storages."""
    found = [("units", label, mask, TIMESTAMPS) for label in LABELS for mask in [NO_MASK, *MASKS]]
    found += [("units", label, NO_MASK, storage) for label in LABELS if label.series for storage in STORAGES]
    found += [
        ("units", BY_NAME[name], mask, storage)
        for name in ("position", "compass_in_degrees", "trial_texts")
        for mask in MASKS
        for storage in STORAGES
        if storage.name in {"zarr", "shifted", "negative", "unsorted"}
    ]
    found += [
        (layout, BY_NAME[name], mask, TIMESTAMPS)
        for layout in LAYOUTS
        for name in ("position", "codes", "trial_texts")
        for mask in (NO_MASK, *MASKS)
        if mask.name not in {"observed"} or layout.startswith("units")
    ]
    found += [
        (layout, BY_NAME["trial_texts"], NO_MASK, storage)
        for layout in LAYOUTS
        for storage in STORAGES
        if storage.name not in {"linked", "shared_times", "times_missing", "repeated"}
    ]
    unique = {(layout, *(part.name for part in parts)): (layout, *parts) for layout, *parts in found}
    return [case for case in unique.values() if fits(*case[1:])]


CASES = cases()


def named(layout: str, *parts: LabelCase | Mask | Storage) -> str:
    return "-".join([layout, *(part.name for part in parts)])


def quick(layout: str, label: LabelCase, mask: Mask, storage: Storage) -> bool:
    """Whether the case is part of ``make check``: every label, mask, storage and layout, one at a time."""
    usual = (layout == "units", label.name == "position", mask is NO_MASK, storage is TIMESTAMPS)
    return sum(usual) >= 3


def config_of(layout: str, label: LabelCase, mask: Mask, storage: Storage) -> Config:
    within = mask.config.get("within")
    if isinstance(within, list):
        within = [second + storage.shift for second in within]
    slow = {"max_gap": 2.1} if label.name == "slower_than_the_bins" else {}
    return validate(
        {
            "neural": {"source": LAYOUTS[layout][0], "min_spikes": 0, "min_coverage": 0, "smoothing": 0},
            "time": {"bin_width": 1.0, "within": within, **slow},
            "labels": {"it": label.config},
        }
    )


def expected_segments(valid: list[bool], borders: set[int]) -> list[int]:
    """Runs of valid bins, divided before each bin of ``borders``."""
    segments, number = [], -1
    for place, used in enumerate(valid):
        begins = used and (place == 0 or not valid[place - 1] or place in borders)
        number += begins
        segments.append(number if used else -1)
    return segments


def check(dataset: xr.Dataset, label: LabelCase, mask: Mask, storage: Storage) -> None:
    first, last = mask.kept
    bins = range(first, last)
    assert np.allclose(dataset["time"].values, [b + 0.5 + storage.shift for b in bins], atol=1e-6)
    assert np.array_equal(
        dataset["activity"].values[dataset["valid"].values], COUNTS[first:last][dataset["valid"].values]
    )
    values, expected = dataset["it"].values, [label.expected[b] for b in bins]
    assert (dataset["it"].attrs["kind"], dataset["it"].attrs["units"]) == (label.kind, label.units)
    named = "/acquisition/elsewhere" if storage.name == "linked" else label.config["source"]
    assert dataset["it"].attrs["source"].startswith(named)
    if label.kind == "discrete":
        assert tuple(json.loads(dataset["it"].attrs["classes"])) == label.classes
    valid = [one is not None and b not in mask.gone for b, one in zip(bins, expected, strict=True)]
    assert dataset["valid"].values.tolist() == valid
    found = values[valid].astype(float)
    wanted = np.array([one for one, used in zip(expected, valid, strict=True) if used], dtype=float)
    difference = np.angle(np.exp(1j * (found - wanted))) if label.kind == "circular" else found - wanted
    assert found.shape == wanted.shape and np.abs(difference).max() <= label.tolerance
    missing = [place for place, one in enumerate(expected) if one is None]
    assert np.all(values[missing] == -1) if label.kind == "discrete" else np.isnan(values[missing]).all()
    borders = {int(second) - first for second in (*label.borders, *mask.borders)}
    assert dataset["segment"].values.tolist() == expected_segments(valid, borders)


def test_the_matrix_is_as_large_as_it_says() -> None:
    assert len(CASES) >= 300
    assert {label.name for _, label, _, _ in CASES} == set(BY_NAME)
    assert {mask.name for _, _, mask, _ in CASES} == {mask.name for mask in (NO_MASK, *MASKS)}
    assert {storage.name for _, _, _, storage in CASES} == {storage.name for storage in (TIMESTAMPS, *STORAGES)}
    assert {layout for layout, _, _, _ in CASES} == set(LAYOUTS)


@pytest.mark.parametrize(
    ("layout", "label", "mask", "storage"),
    [pytest.param(*case, id=named(*case), marks=() if quick(*case) else pytest.mark.slow) for case in CASES],
)
def test_the_whole_dataset(tmp_path: Path, layout: str, label: LabelCase, mask: Mask, storage: Storage) -> None:
    path = write_file(tmp_path / "case.nwb", layout, label, mask, storage)
    dataset = extract_session(path, config_of(layout, label, mask, storage), "case")
    contract.check(dataset)
    assert dataset.sizes["unit"] == COUNTS.shape[1] and len(COUNTS) == BINS
    check(dataset, label, mask, storage)


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
@pytest.mark.parametrize("mask", [NO_MASK, MASKS[2]], ids=lambda mask: mask.name)
def test_the_config_that_inspect_prints_works(tmp_path: Path, label: LabelCase, mask: Mask) -> None:
    path = write_file(tmp_path / "case.nwb", "units", label, mask, TIMESTAMPS)
    told = inventory(path)
    config = validate(yaml.safe_load(told.config))
    quick = config.model_copy(update={"neural": config.neural.model_copy(update={"min_spikes": 0})})
    dataset = extract_session(path, quick, "case")
    contract.check(dataset)
    assert told.refusal is not None or set(contract.labels(dataset)) <= {one.name for one in told.automatic.labels}
