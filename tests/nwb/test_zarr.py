"""NWB in Zarr is read by the same readers as NWB in HDF5: the same dataset, from a folder, a zip file or an address."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support import nwb_builders as build
from tests.support import zarr_recordings
from tests.support.make_results import make_results
from tests.support.range_server import serving
from xcebra_nwb.commands.check import check
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.write import write
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.session import load
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural.regions import unit_regions
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.source import Source
from xcebra_nwb.nwb.reading.values import values

CONFIG = validate({"neural": {"min_spikes": 1}})
POSITION = {"position": {"source": "/processing/behavior/Position/position"}}
SMALL = validate({"neural": {"min_spikes": 1}, "training": {"batch_size": 16}, "labels": POSITION})


def told(source: Source) -> dict:
    """The inventory, but for the name of the file."""
    return inventory(source).model_dump(exclude={"file": {"path"}})


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording in HDF5, with 2 MB of raw voltage."""
    return zarr_recordings.in_hdf5(tmp_path_factory.mktemp("rich") / "rich.nwb")


@pytest.fixture(scope="module")
def folder(rich: Path) -> Path:
    """The recording as the installed hdmf-zarr writes it: in format 2 before its version 0.14."""
    return build.as_zarr(rich)


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as hdmf-zarr 0.14 writes it, in format 3, with less raw voltage."""
    target = tmp_path_factory.mktemp("newest") / "rich.nwb.zarr"
    shutil.unpack_archive(zarr_recordings.FORMAT_3, target)
    return target


def not_consolidated(folder: Path) -> None:
    """Take out the metadata of all objects in one file."""
    (folder / ".zmetadata").unlink(missing_ok=True)
    if (folder / "zarr.json").exists():
        root = json.loads((folder / "zarr.json").read_text())
        (folder / "zarr.json").write_text(json.dumps({k: v for k, v in root.items() if k != "consolidated_metadata"}))


@pytest.mark.slow
def test_hdf5_and_zarr_give_the_same_dataset_and_inventory(rich: Path, folder: Path) -> None:
    expected, found = extract_session(rich, CONFIG, "one"), extract_session(folder, CONFIG, "one")
    xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert found.attrs["choices"] == expected.attrs["choices"] and "speed" in found
    assert list(found["region"].values) == ["V1", "LP", "V1", "LP"]
    assert told(folder) == told(rich)


@pytest.mark.slow
def test_format_3_gives_the_same_dataset_and_inventory(tmp_path: Path, newest: Path) -> None:
    small = zarr_recordings.in_hdf5(tmp_path / "rich.nwb", 50, epochs=True)
    expected, found = extract_session(small, CONFIG, "one"), extract_session(newest, CONFIG, "one")
    xr.testing.assert_identical(found.drop_attrs(deep=False), expected.drop_attrs(deep=False))
    assert list(found["region"].values) == ["V1", "LP", "V1", "LP"]
    assert told(newest) == told(small) == told(zarr_recordings.FORMAT_3)
    not_consolidated(copy := Path(shutil.copytree(newest, tmp_path / "copy.nwb.zarr")))
    assert told(copy) == told(small)
    with serving(newest.parent) as server:
        assert told(server.address(newest.name)) == told(small)


def test_format_3_is_read_as_hdf5_is(tmp_path: Path, newest: Path) -> None:
    with open_nwb(zarr_recordings.in_hdf5(tmp_path / "rich.nwb", 50, epochs=True)) as before, open_nwb(newest) as after:
        position, reference = after.h5[zarr_recordings.ROOM], after.h5["units/electrode_group"]
        assert reference.dtype == before.h5["units/electrode_group"].dtype
        assert after.h5[reference[1]].name == before.h5[before.h5["units/electrode_group"][1]].name
        assert after.h5["units/electrodes"].attrs["table"] == "/general/extracellular_ephys/electrodes"
        assert after.h5["acquisition/raw/starting_time"][()] == 0.0  # as the fill value, it is not stored
        assert after.h5["identifier"].shape == () and after.h5["identifier"][()] == "tiny"
        assert (
            after.h5["intervals/epochs/timeseries"][0]["count"] == before.h5["intervals/epochs/timeseries"][0]["count"]
        )
        assert not position.attrs.keys() & {"_LINKS", "_DTYPE"}
        rows, place = np.arange(1200) % 311 == 0, f"{zarr_recordings.ROOM}/data"  # in shards
        for chosen in ((), 7, -1, slice(60, 70), slice(0, None, 255), (slice(None), 1), (..., 0), [3, 700, 1100], rows):
            np.testing.assert_array_equal(after.h5[place][chosen], before.h5[place][chosen])


@pytest.mark.parametrize("nested", [False, True])
def test_a_zip_file_is_read_like_its_folder(folder: Path, tmp_path: Path, nested: bool) -> None:
    root, inside = (folder.parent, folder.name) if nested else (folder, ".")
    archive = Path(shutil.make_archive(str(tmp_path / "rich.nwb"), "zip", root, inside))
    assert told(archive) == told(folder)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(Refusal, match="truncated or damaged"), open_nwb(archive):
        pass


def test_an_address_is_read_like_its_folder(folder: Path) -> None:
    with serving(folder.parent) as server:
        assert told(server.address(folder.name)) == told(folder)
        server.sent = 0
        extract_session(server.address(folder.name), CONFIG, "one")
        assert server.sent < 300_000  # most of that is the metadata


def test_a_chunk_that_is_missing_is_no_zero(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "part.nwb.zarr"))
    (copy / "processing/behavior/Position/position/data/0.0").unlink()
    with pytest.raises(Refusal, match="this chunk is missing"):
        extract_session(copy, validate({"labels": POSITION}), "one")
    assert "this chunk is missing" in str(told(copy)["suspicious"])


def test_a_chunk_that_format_3_leaves_out_is_said(
    newest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = Path(shutil.copytree(newest, tmp_path / "part.nwb.zarr"))
    place = f"{zarr_recordings.ROOM}/data"
    (copy / place[1:] / "c/3/0").unlink()
    with open_nwb(copy) as file:
        assert not file.h5[place][768:1024].any() and file.h5[place][1024:].any()
        file.h5[place][()]
    assert caplog.messages == [f"{place}: 8 of 38 chunks are not stored, and read as np.float64(0.0)"]
    (copy / place[1:] / "c/2/0").write_bytes(bytes(3000))
    with open_nwb(copy) as file, pytest.raises(OSError, match="checksum"):
        file.h5[place][600]


def test_what_is_pickled_is_never_read(rich: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(rich, tmp_path / "groups.nwb"))
    with build.edited(path) as h5:  # the region is known by references to electrode groups only, which are pickled
        for name in ("electrodes", "electrodes_index"):
            del h5[f"units/{name}"]
        h5["units"].attrs["colnames"] = ["quality", "spike_times", "electrode_group"]
    with open_nwb(path) as file:
        assert unit_regions(file, file.groups["/units"])[0] == ["V1", "LP", "V1", "LP"]
    with open_nwb(build.as_zarr(path)) as file:
        table = file.groups["/units"]
        assert unit_regions(file, table)[0] == [""] * 4
        with pytest.raises(OSError, match="never read"):
            table["electrode_group"][()]


def test_links_that_go_in_circles_or_elsewhere_are_said(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "links.nwb.zarr"))
    links = [
        {"name": "round", "source": ".", "path": "/acquisition/round"},
        {"name": "up", "source": ".", "path": "/"},
        {"name": "away", "source": "../other.nwb.zarr", "path": "/units"},
        {"name": "gone", "source": ".", "path": "/nowhere"},
    ]
    (copy / "acquisition/.zattrs").write_text(json.dumps({"zarr_link": links}))
    not_consolidated(copy)
    with open_nwb(copy) as file:
        assert set(file.problems) == {f"/acquisition/{name}" for name in ("round", "away", "gone")}
        assert "/units" in file.groups and "/acquisition/up" not in file.groups


@pytest.mark.slow
@pytest.mark.parametrize(("recording", "zipped"), [("folder", True), ("newest", False)])
def test_zarr_goes_all_the_way_from_discover_to_check(
    request: pytest.FixtureRequest, tmp_path: Path, recording: str, zipped: bool
) -> None:
    home, folder = tmp_path / "data", request.getfixturevalue(recording)
    if zipped:
        shutil.make_archive(str(home / "rich.nwb.zarr"), "zip", folder)
    else:
        shutil.copytree(folder, home / "rich.nwb.zarr")
    (row,) = discover([home], tmp_path / "sessions.tsv", home)
    source, results = home / row.source, tmp_path / "results"
    assert row.include and row.session == "sub-rat_ses-one" and row.found.startswith("4 units") and row.size > 2**16
    assert row.source == f"rich.nwb.zarr{'.zip' if zipped else ''}" and row.sha256 == sha256(source)
    results.mkdir()
    extract(source, results, SMALL, row.session)
    make_results(results, session=load(results / "session.nc"))
    (export,) = write(source, results, row.session)
    check(source, results, row.session)
    with open_nwb(folder) as before, open_nwb(export) as after:
        assert after.scalar("/identifier") == before.scalar("/identifier")
        assert "/processing/misc/xcebra_attribution" in after.groups and "/acquisition/raw" not in after.groups
        for path in ("units/spike_times", "units/quality", "intervals/trials/choice", "intervals/trials/start_time"):
            assert list(values(after.h5[path])) == list(values(before.h5[path]))


def test_what_could_not_be_written_is_refused_before_the_training(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "undated.nwb.zarr"))
    shutil.rmtree(copy / "session_start_time")
    not_consolidated(copy)
    with pytest.raises(Refusal, match="session_start_time is no date"):
        extract(copy, tmp_path, SMALL, "one")
