"""What is refused: code, place in the file and remedy, for every way in which a small good file can be bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.nwb_matrix import LABELS, NO_MASK, write_file
from tests.support.nwb_storage import TIMESTAMPS, write_series, write_table
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory

Damage = Callable[[h5py.File], Any]
LED = "/processing/behavior/Position/led"
NEURAL = {"min_spikes": 0}
ANGLES = np.mod(np.arange(120) * 20.0, 360)


def replaced(path: str, values: Any) -> Damage:
    """Return what puts other values in the place of a dataset, with its attributes."""

    def damage(h5: h5py.File) -> None:
        attributes = dict(h5[path].attrs)
        del h5[path]
        h5[path] = values
        h5[path].attrs.update(attributes)

    return damage


def together(*damages: Damage) -> Damage:
    """Return what does all of ``damages``."""
    return lambda h5: [damage(h5) for damage in damages]


def add(path: str, values: np.ndarray, unit: str, kind: str = "TimeSeries") -> Damage:
    """Return what adds a series of 120 samples in 12 s."""
    return lambda h5: write_series(h5, path, kind, TIMESTAMPS, np.arange(120) / 10 + 0.05, values, unit)


def without(*paths: str) -> Damage:
    return lambda h5: [h5.pop(path) for path in paths]


def as_rate(rate: float) -> Damage:
    def damage(h5: h5py.File) -> None:
        del h5[f"{LED}/timestamps"]
        h5[f"{LED}/starting_time"] = 0.0
        h5[f"{LED}/starting_time"].attrs["rate"] = rate

    return damage


def named(source: str, **keys: Any) -> dict[str, Any]:
    return {"labels": {"it": {"source": source, **keys}}}


SAMPLES = np.arange(120) / 10 + 0.05
EMPTY = np.empty(0)
NO_SPIKES = together(
    replaced("/units/spike_times", EMPTY), replaced("/units/spike_times_index", np.zeros(3, dtype=int))
)
CASES: dict[str, tuple[Damage, dict[str, Any], Code, str]] = {
    "no units": (without("/units"), {}, Code.NO_NEURONS, "case.nwb"),
    "units without spike times": (
        without("/units/spike_times", "/units/spike_times_index"), {}, Code.NO_NEURONS, "/units"),
    "no spike at all": (NO_SPIKES, {}, Code.NO_SPIKES, "/units"),
    "units in silence": (lambda h5: None, {"neural": {"min_spikes": 1000}}, Code.TOO_FEW_UNITS, "0 of 3 units"),
    "an index that leads beyond": (
        replaced("/units/spike_times_index", np.array([5, 2, 9999])), {}, Code.UNREADABLE_LAYOUT, "/units/spike_times"),
    "no behaviour": (without("/processing"), {}, Code.NO_LABEL, "case.nwb"),
    "only a lever": (
        together(without("/processing"), add("/acquisition/lever", SAMPLES, "V")), {}, Code.NO_LABEL, "case.nwb"),
    "only one epoch": (
        together(without("/processing"), lambda h5: write_table(h5, "/intervals/epochs", [[0, 12]])),
        {}, Code.NO_LABEL, "epochs (1 row)"),
    "a position of NaN": (replaced(f"{LED}/data", np.full((120, 2), np.nan)), {}, Code.NO_LABEL, LED),
    "a position of NaN by name": (
        replaced(f"{LED}/data", np.full((120, 2), np.nan)), named(LED), Code.LABEL_EMPTY, LED),
    "a position that never changes": (replaced(f"{LED}/data", np.ones((120, 2))), named(LED), Code.LABEL_CONSTANT, LED),
    "trials of one class": (
        lambda h5: write_table(h5, "/intervals/trials", [[0, 5], [6, 12]], side=["a", "a"]),
        named("/intervals/trials#side"), Code.LABEL_CONSTANT, "/intervals/trials#side"),
    "trials without stops": (
        lambda h5: write_table(h5, "/intervals/trials", [[0, np.nan], [6, np.nan]], side=["a", "b"]),
        named("/intervals/trials#side"), Code.LABEL_EMPTY, "/intervals/trials#side"),
    "trials that stop before they start": (
        lambda h5: write_table(h5, "/intervals/trials", [[5, 0], [12, 6]], side=["a", "b"]),
        named("/intervals/trials#side"), Code.LABEL_EMPTY, "/intervals/trials#side"),
    "a clock that starts again": (
        replaced(f"{LED}/timestamps", np.r_[SAMPLES[:60], SAMPLES[:60]]), named(LED), Code.TIMES_NOT_TRUSTED, LED),
    "times of NaN": (replaced(f"{LED}/timestamps", np.full(120, np.nan)), named(LED), Code.TIMES_NOT_TRUSTED, LED),
    "milliseconds beside seconds": (
        replaced(f"{LED}/timestamps", 1000 * SAMPLES), named(LED), Code.TIMES_NOT_TRUSTED, LED),
    "an event in 1978 in both": (
        together(replaced(f"{LED}/timestamps", np.r_[-1.54e9, SAMPLES[1:]]),
                 lambda h5: h5["/units/spike_times"].__setitem__(0, -1.54e9)),
        named(LED), Code.TIMES_NOT_TRUSTED, "/units"),
    "another day": (replaced(f"{LED}/timestamps", SAMPLES + 86400), named(LED), Code.NO_COMMON_TIME, "86400"),
    "a rate of nothing": (as_rate(0.0), named(LED), Code.UNREADABLE_LAYOUT, LED),
    "a negative rate": (as_rate(-10.0), named(LED), Code.UNREADABLE_LAYOUT, LED),
    "fewer times than samples": (replaced(f"{LED}/timestamps", SAMPLES[:77]), named(LED), Code.UNREADABLE_LAYOUT, LED),
    "numbers of no kind": (
        replaced(f"{LED}/data", np.zeros(120, dtype=[("x", float), ("y", float)])), named(LED),
        Code.UNREADABLE_LAYOUT, LED),
    "sampled every three seconds": (
        together(replaced(f"{LED}/timestamps", SAMPLES[::30]), replaced(f"{LED}/data", SAMPLES[::30])),
        named(LED), Code.LABEL_TOO_SLOW, LED),
    "degrees called radians": (
        add("/processing/behavior/CompassDirection/hd", ANGLES, "radians", "SpatialSeries"),
        named("/processing/behavior/CompassDirection/hd"), Code.UNIT_NOT_TRUSTED, "CompassDirection/hd"),
    "no line through the positions": (
        replaced(f"{LED}/data", np.c_[np.sin(SAMPLES), np.cos(SAMPLES)]), named(LED, derive="linear_position"),
        Code.LABEL_NOT_DERIVABLE, "label it"),
    "a phase faster than the samples": (
        add("/acquisition/breath", np.sin(SAMPLES), "V"), named("/acquisition/breath", derive="phase", band=[4, 8]),
        Code.LABEL_NOT_DERIVABLE, "label it"),
    "all invalid": (
        lambda h5: write_table(h5, "/intervals/invalid_times", [[-10, 100]]), named(LED),
        Code.NO_USABLE_BIN, "invalid_times"),
    "shorter than a bin": (lambda h5: None, {**named(LED), "time": {"within": [3.0, 3.01]}}, Code.TOO_SHORT, "0.05 s"),
    "units at no time": (
        together(lambda h5: write_table(h5, "/intervals/invalid_times", [[0, 11.9]]), lambda h5: None),
        {"time": {"within": [0.0, 11.8]}}, Code.NO_USABLE_BIN, "invalid_times"),
    "NWB 1": (lambda h5: h5.attrs.__setitem__("nwb_version", "NWB-1.0.6"), {}, Code.NWB_1, "case.nwb"),
    "no version": (lambda h5: h5.attrs.__delitem__("nwb_version"), {}, Code.NOT_NWB, "case.nwb"),
    "another root": (lambda h5: h5.attrs.__setitem__("neurodata_type", "DynamicTable"), {}, Code.NOT_NWB, "case.nwb"),
}  # fmt: skip


def refusal(path: Path, config: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        extract_session(path, validate({"neural": NEURAL, **config}), "case")
    return caught.value


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_refused_by_code_place_and_remedy(tmp_path: Path, name: str) -> None:
    damage, config, code, place = CASES[name]
    path = write_file(tmp_path / "case.nwb", "units", LABELS[0], NO_MASK, TIMESTAMPS)
    with h5py.File(path, "r+") as h5:
        damage(h5)
    found = refusal(path, config)
    assert (found.code, place in found.message) == (code, True), str(found)
    assert found.remedy and "\n" not in str(found)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x00" * 4096, np.random.default_rng(0).bytes(4096)])
def test_what_is_no_file_of_this_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "case.nwb"
    path.write_bytes(content)
    assert refusal(path, {}).code is Code.NOT_NWB


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged(tmp_path: Path, share: float) -> None:
    path = write_file(tmp_path / "case.nwb", "units", LABELS[0], NO_MASK, TIMESTAMPS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert refusal(path, {}).code is Code.DAMAGED


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case[1] and "index" not in name])
def test_inspect_says_so_beforehand(tmp_path: Path, name: str) -> None:
    damage, _, code, _ = CASES[name]
    path = write_file(tmp_path / "case.nwb", "units", LABELS[0], NO_MASK, TIMESTAMPS)
    with h5py.File(path, "r+") as h5:
        damage(h5)
    try:
        told = inventory(path).refusal
    except Refusal as found:
        told = found
    assert told is not None and told.code is code


def test_inspect_names_an_index_that_leads_beyond(tmp_path: Path) -> None:
    path = write_file(tmp_path / "case.nwb", "units", LABELS[0], NO_MASK, TIMESTAMPS)
    with h5py.File(path, "r+") as h5:
        CASES["an index that leads beyond"][0](h5)
    told = inventory(path)
    assert any("leads to row 9999" in remark.what for remark in [*told.suspicious, *told.problems])
