"""A recording that does not fit the memory: read block by block, kept in a scratch file, with the same results."""

import errno
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.make_results import make_session
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import activity, netcdf, scratch, session
from xcebra_nwb.core.activity import Moments, input_array
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.training.inputs import encoder_inputs, recorded_inputs
from xcebra_nwb.xcebra.encoder import gather_windows
from xcebra_nwb.xcebra.inputs import Recording, Rows
from xcebra_nwb.xcebra.maps.likelihood import Gaussian, Poisson

CPU = torch.device("cpu")
Usage = namedtuple("Usage", "total used free")


def made(smoothing: float = 0.0, standardize: int = 1) -> xr.Dataset:
    one = make_session(np.random.default_rng(0))
    one["activity"].attrs |= {"smoothing": smoothing, "standardize": standardize}
    return one


@pytest.mark.parametrize("standardize", [0, 1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_on_disk_the_encoders_see_the_same_to_the_bit(tmp_path: Path, smoothing: float, standardize: int) -> None:
    session.save(made(smoothing, standardize), tmp_path / "session.nc")
    opened = session.load(tmp_path / "session.nc")
    mapped = input_array(opened, tmp_path, most=0)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, activity.encoder_input(made(smoothing, standardize)))
    assert [file.name for file in tmp_path.iterdir()] == ["session.nc"]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_blocks_are_smoothed_like_the_whole(monkeypatch: pytest.MonkeyPatch, smoothing: float) -> None:
    one = made(smoothing, 0)
    whole = activity.encoder_input(one)
    monkeypatch.setattr(activity, "BLOCK", 50 * one.sizes["unit"])
    assert len(list(activity.blocks(one))) > 2
    np.testing.assert_array_equal(activity.encoder_input(one), whole)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=5), min_size=1, max_size=6))
@settings(max_examples=50)
def test_moments_of_blocks_are_those_of_the_whole(parts: list[list[float]]) -> None:
    found, every = Moments(1), np.concatenate([*map(np.asarray, parts), [1.0, 2.0]])[:, None]
    for part in [*parts, [1.0, 2.0]]:
        found.add(np.asarray(part, dtype=float).reshape(-1, 1))
    assert found.mean == pytest.approx(every.mean(), abs=1e-9)
    assert found.deviation == pytest.approx(every.std(), abs=1e-6)


@pytest.mark.slow
def test_all_of_a_run_is_the_same_with_the_recording_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    few = {"steps": 30, "batch_size": 16, "seeds": 1, "nulls": 1, "device": "cpu"}
    chosen = schema.validate({"training": few, "encoder": {"architecture": "conv10", "hidden": 8}})
    found = []
    for name, share in (("memory", 0.5), ("disk", 0.0)):
        monkeypatch.setattr("xcebra_nwb.core.activity.SHARE", share)
        session.save(made(), tmp_path / name / "session.nc")
        train(tmp_path / name, chosen)
        attribute(tmp_path / name, chosen)
        assess(tmp_path / name)
        files = [
            netcdf.load_dataset(tmp_path / name / f"{file}.nc").drop_attrs()
            for file in ("training", "embedding", "attribution")
        ]
        found.append([*files, (tmp_path / name / "assessment.json").read_text()])
        assert ("MB at random for every step" in caplog.text) == (name == "disk")
    for one, other in zip(*found, strict=True):
        assert one == other if isinstance(one, str) else one.identical(other)
    assert {file.name for file in (tmp_path / "memory").iterdir()} == {
        file.name for file in (tmp_path / "disk").iterdir()
    }


def test_rows_kept_elsewhere_are_fetched_where_they_are_wanted(tmp_path: Path) -> None:
    found = encoder_inputs(made(), CPU, tmp_path)
    bins = torch.tensor([[20, 40], [30, 25]])
    assert torch.equal(gather_windows(found, bins, 10), gather_windows(found.storage, bins, 10))
    assert (found.shape, found.device) == (found.storage.shape, CPU)
    far = Recording(found.storage, torch.device("meta"))
    assert far.index_select(0, bins[0]).device == far.device == torch.device("meta")


@pytest.mark.gpu
@pytest.mark.parametrize("most", [None, 0])
def test_a_card_fetches_what_it_does_not_hold(tmp_path: Path, most: float | None) -> None:
    found = encoder_inputs(made(), torch.device("cuda"), tmp_path, most=most)
    assert (found.storage.device.type == "cpu") == (most == 0)
    rows = found.index_select(0, torch.arange(found.shape[0], device="cuda"))
    np.testing.assert_array_equal(rows.cpu().numpy(), activity.encoder_input(made()))


def test_generators_see_the_recording_as_it_was(tmp_path: Path) -> None:
    for most in (0, None):
        found = recorded_inputs(made(), CPU, tmp_path, most=most)
        np.testing.assert_array_equal(found.index_select(0, torch.arange(found.shape[0])), made()["activity"])
    bins = torch.tensor([5, 200, 7])
    at, some = Rows(found, bins), torch.tensor([[2, 0], [1, 1]])
    assert torch.equal(at[some], found.storage[bins][some])
    assert torch.equal(torch.cat(list(at.split(2))), found.storage[bins])
    for likelihood in (Gaussian, Poisson):
        assert torch.equal(likelihood.of(at).mean, likelihood.of(found.storage[bins]).mean)


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(100, 90, 10))
    with pytest.raises(Failure, match=r"fit neither the memory .* nor the disk \(0.0 GB in .*TMPDIR"):
        input_array(made(), tmp_path, most=0)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_meanwhile_is_said_too(tmp_path: Path) -> None:
    def fill(rows: scratch.Rows) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Failure, match=r"other programs filled the disk of .*free some space"):
        scratch.filled_array("it", (2, 2), np.float32, fill, tmp_path, most=0)
    assert not list(tmp_path.iterdir())


def test_scratch_files_go_where_the_environment_says_unless_that_is_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "xcebra_nwb")
    (tmp_path / "fast").mkdir()
    monkeypatch.setenv(scratch.VARIABLE, str(tmp_path / "fast"))
    input_array(made(), tmp_path / "folder", most=0)
    assert f"scratch file in {tmp_path / 'fast'}" in caplog.text
    monkeypatch.setattr(scratch, "_in_memory", lambda place: True)
    input_array(made(), tmp_path / "folder", most=0)
    assert f"scratch file in {tmp_path / 'folder'}" in caplog.text


def test_what_is_no_number_is_said_when_it_is_read(tmp_path: Path) -> None:
    session.save(made(), tmp_path / "session.nc")
    opened = session.load(tmp_path / "session.nc")
    counts = opened["activity"].astype("float32").copy()
    counts[np.flatnonzero(opened["valid"])[3], 1] = np.nan
    opened["activity"] = counts
    with pytest.raises(Failure, match="not finite in valid bins"):
        session.check(opened)
    with pytest.raises(Failure, match="not finite in valid bins"):
        activity.encoder_input(opened)
