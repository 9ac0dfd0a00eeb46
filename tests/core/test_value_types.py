"""Counts stay whole numbers in memory, on disk and on a card, and everything comes out as from float32, to the bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.make_results import make_session
from xcebra_nwb.commands.align import align
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train, train_each
from xcebra_nwb.commands.train_together import train_together
from xcebra_nwb.core import activity, netcdf, session
from xcebra_nwb.core.activity import input_array
from xcebra_nwb.core.config import schema
from xcebra_nwb.training.design.prepare import prepare
from xcebra_nwb.training.inputs import encoder_inputs, recorded_inputs
from xcebra_nwb.training.session_batch import SessionBatch
from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.inputs import Recording
from xcebra_nwb.xcebra.trainers.padded import PaddedSessions

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
WIDTHS = {"a": 12, "b": 10, "c": 11}
FEW = {"steps": 4, "batch_size": 16, "seeds": 1, "nulls": 1, "device": "cpu", "regularizer": {"ramp": [0, 0]}}
FITTED = {"methods": ["inverted_neuron_gradient", "generator_support"], "generator": {"steps": 3, "batch_size": 16}}
SETTINGS = schema.validate({"training": FEW, "encoder": {"architecture": "conv10", "hidden": 8}, "attribution": FITTED})


def counts(name: str, stored: type, smoothing: float = 0.0, standardize: int = 0) -> xr.Dataset:
    """A session of raw counts, stored in one type or another."""
    made = make_session(np.random.default_rng(WIDTHS[name]), name=name, units=WIDTHS[name])
    made["activity"] = made["activity"].astype(stored, keep_attrs=True)
    made["activity"].attrs |= {"smoothing": smoothing, "standardize": standardize}
    return made


def made_in(folder: Path, stored: dict[str, type]) -> list[Path]:
    for name, own in stored.items():
        session.save(counts(name, own), folder / name / "session.nc")
    return [folder / name for name in stored]


def left_in(directory: Path) -> dict[str, bytes | xr.Dataset | str]:
    """All that commands leave, but for the seconds they took and the digests of what they read."""
    found: dict[str, bytes | xr.Dataset | str] = {"model": (directory / "model.safetensors").read_bytes()}
    for path in directory.glob("*.nc"):
        if path.name != "session.nc":
            found[path.name] = netcdf.load_dataset(path).drop_attrs()
    return found | {path.name: path.read_text() for path in directory.glob("assessment.json")}


def assert_same(directory: Path, other: Path) -> None:
    one, two = left_in(directory), left_in(other)
    assert one.keys() == two.keys()
    for name, found in one.items():
        assert found.identical(two[name]) if isinstance(found, xr.Dataset) else found == two[name], name


@given(st.integers(0, 2**24))
def test_counts_are_stored_in_a_type_that_holds_them_and_seen_in_none_wider_than_float32(most: int) -> None:
    stored = activity.count_type(most)
    assert np.iinfo(stored).max >= most
    made = xr.Dataset({"activity": (("time", "unit"), np.array([[most]], stored))})
    kept = activity.recorded_type(made)
    assert kept.itemsize == (1 if most < 2**8 else 2 if most < 2**15 else 4)
    assert np.array([[most]], stored).astype(kept).astype(np.float32) == most


@pytest.mark.parametrize(
    ("stored", "how", "expected"),
    [
        (np.uint8, {}, np.uint8),
        (np.int16, {}, np.int16),
        (np.uint16, {}, np.float32),
        (np.float32, {}, np.float32),
        (np.uint8, {"smoothing": 0.1}, np.float32),
        (np.uint8, {"standardize": 1}, np.float32),
    ],
)
@pytest.mark.parametrize("most", [None, 0])
def test_raw_counts_are_kept_as_they_are_stored(
    stored: type, how: dict, expected: type, most: float | None, tmp_path: Path
) -> None:
    made = counts("a", stored, **how)
    array, found = input_array(made, tmp_path, most), encoder_inputs(made, CPU, tmp_path, most=most)
    assert isinstance(array, np.memmap) == (most == 0)
    assert array.dtype == found.storage.numpy().dtype == expected
    np.testing.assert_array_equal(array, activity.encoder_input(made))
    rows = found.index_select(0, torch.arange(len(array)))
    assert rows.dtype == torch.float32
    np.testing.assert_array_equal(rows, array)
    recorded = recorded_inputs(made, CPU, tmp_path, most)
    assert recorded.storage.numpy().dtype == (np.float32 if stored is np.uint16 else stored)
    np.testing.assert_array_equal(recorded.index_select(0, torch.arange(len(array))), made["activity"])


class Moved(TorchDispatchMode):
    """What is moved to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.types: list[torch.dtype] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        found = function(*args, **(kwargs or {}))
        if (kwargs or {}).get("device", CPU) != CPU:
            self.types.append(found.dtype)
        return found


@pytest.mark.parametrize("kept", [torch.uint8, torch.int16, torch.float32])
def test_rows_are_widened_where_they_are_wanted(kept: torch.dtype) -> None:
    far = Recording(torch.ones(9, 4, dtype=kept), torch.device("meta"))
    with Moved() as moved:
        rows = far.index_select(0, torch.tensor([3, 5]))
    assert moved.types == [kept]
    assert (rows.dtype, rows.device.type) == (torch.float32, "meta")


@pytest.mark.parametrize(("smoothing", "standardize"), [(0.0, 0), (0.1, 0), (0.0, 1)])
def test_what_generators_explain_is_not_kept_twice(
    smoothing: float, standardize: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = counts("a", np.uint8, smoothing, standardize), []
    session.save(made, tmp_path / "session.nc")
    train(tmp_path, SETTINGS)

    def spy(*arguments: object) -> Recording:
        asked.append(arguments)
        return recorded_inputs(*arguments)

    def found() -> xr.Dataset:
        attribute(tmp_path, SETTINGS)
        return netcdf.load_dataset(tmp_path / "attribution.nc")

    monkeypatch.setattr("xcebra_nwb.attribution.session_maps.recorded_inputs", spy)
    once = found()
    assert len(asked) == int(smoothing > 0 or standardize)
    monkeypatch.setattr(activity, "is_raw", lambda session: False)  # as if there were more to it
    assert once.identical(found())


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_all_of_a_run_is_the_same_as_with_counts_in_float32(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcebra_nwb.core.activity.SHARE", share)
    (narrow,), (wide,) = (made_in(tmp_path / stored.__name__, {"a": stored}) for stored in (np.uint8, np.float32))
    for directory in (narrow, wide):
        train(directory, SETTINGS)
        attribute(directory, SETTINGS)
        assess(directory)
    assert_same(narrow, wide)
    assert {"assessment.json", "attribution.nc", "embedding.nc", "training.nc"} < left_in(narrow).keys()


@pytest.mark.thorough
def test_several_sessions_are_trained_the_same_as_with_counts_in_float32(tmp_path: Path) -> None:
    narrow = made_in(tmp_path / "narrow", {"a": np.uint8, "b": np.int16, "c": np.uint8})
    wide = made_in(tmp_path / "wide", dict.fromkeys(WIDTHS, np.float32))
    for several in (train_each, train_together):
        for directories in (narrow, wide):
            several(directories[:2], SETTINGS)
        for one, other in zip(narrow[:2], wide[:2], strict=True):
            assert_same(one, other)
    for directories in (narrow, wide):
        align(directories[2], directories[:2])
    assert_same(narrow[2], wide[2])


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((np.uint8, np.uint8), np.uint8),
        ((np.uint8, np.int16), np.int16),
        ((np.uint8, np.float32), np.float32),
        ((np.int16, np.float32), np.float32),
    ],
)
def test_an_ensemble_keeps_the_smallest_type_that_holds_all_of_it(types: tuple[type, ...], expected: type) -> None:
    recordings = [np.full((5, 3 - number), np.iinfo(np.uint8).max, own) for number, own in enumerate(types)]
    shapes = [architecture("mlp", own.shape[1], hidden=4, outputs=2) for own in recordings]
    beside = PaddedSessions.of(recordings, shapes, 3, CPU)
    assert beside.inputs.storage.numpy().dtype == expected
    for number, own in enumerate(recordings):
        found = beside.recording(number)
        np.testing.assert_array_equal(found.index_select(0, torch.arange(5)), own)
        assert found.storage.untyped_storage().data_ptr() == beside.inputs.storage.untyped_storage().data_ptr()


@pytest.mark.parametrize(("stored", "of_a_value"), [(np.uint8, 1), (np.int16, 2), (np.float32, 4)])
def test_what_recordings_take_is_counted_in_their_own_type(stored: type, of_a_value: int, tmp_path: Path) -> None:
    ready = {Path(name): prepare(counts(name, stored), SETTINGS) for name in ("a", "b")}
    seen = {path: input_array(one.session, tmp_path) for path, one in ready.items()}
    batch = SessionBatch.of(ready, seen, CPU)
    (stack,) = batch.ensembles
    kept = batch.padded(stack, CPU).inputs.storage
    assert batch.bytes_of_recordings(stack, CPU) == kept.nbytes == of_a_value * kept.numel()
    windows = [len(one.members) * (2 + len(one.objectives)) * 16 * 10 for one in ready.values()]
    assert [one.bytes_a_step(SETTINGS) for one in ready.values()] == [
        of_a_value * count * one.shape.units for count, one in zip(windows, ready.values(), strict=True)
    ]
