"""atlas.json: a summary that reads it says the same as one that opens the results, or does not read it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_results, make_session
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.carriers import INFORMATION
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.files import read_json
from xcebra_nwb.report import atlas_part
from xcebra_nwb.report.atlas import session_atlas
from xcebra_nwb.report.atlas_part import AtlasPart

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a session, with atlas.json."""
    directory = tmp_path_factory.mktemp("results") / "a"
    make_results(directory, session=make_session(np.random.default_rng(0), labels=["choice"], units=5))
    atlas_part.save(of_results(directory), directory)
    return directory


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    """A copy of the results that may be changed."""
    return Path(shutil.copytree(made, tmp_path / "a"))


def of_results(directory: Path) -> AtlasPart:
    return atlas_part.atlas_part(netcdf.load_dataset(directory / "attribution.nc"), "a")


def same(a: AtlasPart, b: AtlasPart) -> bool:
    names = (*atlas_part.FACTS, *atlas_part.NAMES)
    return all(getattr(a, name) == getattr(b, name) for name in names) and all(
        a.values[name].dtype == b.values[name].dtype and a.values[name].tobytes() == b.values[name].tobytes()
        for name in (*atlas_part.BY_METHOD, *atlas_part.BY_LABEL)
    )


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The netCDF files that the summary opens."""
    names = []

    def recorded(path: Path, lazily: tuple[str, ...] = ()) -> xr.Dataset:
        names.append(path.name)
        return netcdf.load_dataset(path, lazily)

    monkeypatch.setattr(atlas_part, "load_dataset", recorded)
    return names


def test_every_number_comes_back_to_the_bit_and_no_other_file_is_opened(directory: Path, opened: list[str]) -> None:
    file = directory / "attribution.nc"
    changed = netcdf.load_dataset(file)
    changed["attribution"][...] = np.resize([np.nan, np.inf, -np.inf, -0.0, 1 / 3], changed["attribution"].shape)
    changed["attribution_sd"] = changed["attribution_sd"].astype(np.float32)
    netcdf.save_dataset(changed, file)
    atlas_part.save(of_results(directory), directory)
    assert same(atlas_part.read(directory), of_results(directory))
    assert opened == []


def test_results_of_an_earlier_version_are_opened(directory: Path, opened: list[str]) -> None:
    (directory / "atlas.json").unlink()
    assert same(atlas_part.read(directory), of_results(directory))
    assert opened == ["attribution.nc", "session.nc"]


def test_results_without_information_have_none_in_the_file_either(directory: Path) -> None:
    file = directory / "attribution.nc"
    netcdf.save_dataset(netcdf.load_dataset(file).drop_vars([*INFORMATION, "information_nulls"]), file)
    atlas_part.save(of_results(directory), directory)
    assert not session_atlas(atlas_part.read(directory), "a", {})["carries"].any()


def test_a_copy_of_the_results_is_known_by_its_content(directory: Path, opened: list[str]) -> None:
    os.utime(directory / "atlas.json", (0, 0))  # every other file is newer
    assert same(atlas_part.read(directory), of_results(directory))
    assert opened == []


def other_maps(directory: Path) -> None:
    changed = netcdf.load_dataset(directory / "attribution.nc")
    changed["attribution"] += 1
    netcdf.save_dataset(changed, directory / "attribution.nc")


def edit(**fields: object) -> Change:
    """Return a change of atlas.json as somebody might make who gives results away."""

    def change(directory: Path) -> None:
        path = directory / "atlas.json"
        path.write_text(json.dumps(read_json(path) | fields))

    return change


def a_pipe(directory: Path) -> None:
    (directory / "atlas.json").unlink()
    os.mkfifo(directory / "atlas.json")


def one_value_less(directory: Path) -> None:
    path = directory / "atlas.json"
    content = read_json(path)
    content["values"]["z"].pop()
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        other_maps,
        lambda directory: (directory / "atlas.json").write_bytes(b"{"),
        lambda directory: (directory / "atlas.json").write_bytes(b"\xff"),
        lambda directory: (directory / "atlas.json").write_text("[]"),
        a_pipe,
        one_value_less,
        edit(made_of={}),
        edit(made_of=None),
        edit(subject=1),
        edit(information_units=1),
        edit(random_seed="0"),
        edit(random_seed=-1),
        edit(units=[1, 2, 3, 4, 5]),
        edit(regions=["CA1"]),
        edit(values={}),
    ],
)
def test_an_atlas_json_that_is_damaged_or_of_other_maps_does_not_count(
    directory: Path, opened: list[str], change: Change
) -> None:
    change(directory)
    assert same(atlas_part.read(directory), of_results(directory))
    assert opened == ["attribution.nc", "session.nc"]


def test_one_other_bit_in_a_file_of_the_same_size_and_an_older_time_is_seen(directory: Path) -> None:
    file = directory / "attribution.nc"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, (0, 0))
    with pytest.raises(Refusal, match="is damaged"):
        atlas_part.read(directory)
