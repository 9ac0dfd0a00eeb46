"""Opening: what is not an NWB 2 file is said in one line; what is odd inside one does not matter."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.file import open_nwb


def refused(path: Path) -> str:
    with pytest.raises(Refusal) as caught, open_nwb(path):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value.message


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"), open_nwb(tmp_path / "none.nwb"):
        pass


def test_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.nwb"
    path.write_text("not a recording")
    assert "not an NWB file" in refused(path)


def test_plain_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.nwb"
    with h5py.File(path, "w") as h5:
        h5["data"] = [1, 2]
    assert "without nwb_version" in refused(path)


def test_nwb_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.nwb"
    with h5py.File(path, "w") as h5:
        h5["nwb_version"] = "NWB-1.0.6"
    assert "too old" in refused(path)


def test_another_kind_of_root_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.nwb"
    with h5py.File(path, "w") as h5:
        h5.attrs["nwb_version"] = "2.6.0"
        h5.attrs["neurodata_type"] = "DynamicTable"
    assert "its root is a DynamicTable" in refused(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "whole.nwb")
    short = tmp_path / "short.nwb"
    short.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "truncated" in refused(short)


def test_damaged_data_are_refused_when_asked_for_and_listed_when_not(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "damaged.nwb")
    with build.edited(path) as h5:
        spikes = h5["units/spike_times"][()]
        del h5["units/spike_times"]
        stored = h5["units"].create_dataset("spike_times", data=spikes, chunks=True, fletcher32=True)
        where = stored.id.get_chunk_info(0).byte_offset
    with path.open("r+b") as stream:
        stream.seek(where + 8)
        stream.write(b"damaged!")
    with pytest.raises(Refusal, match="damaged: "):
        extract_session(path, validate({}), "one")
    told = inventory(path)
    assert [(said.path, "damaged: " in said.what) for said in told.suspicious] == [("/units", True)]
    assert [label.name for label in told.automatic.labels] == ["position", "head_direction", "speed"]


def test_a_folder_without_zarr_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "recording.nwb.zarr"
    folder.mkdir()
    assert "no Zarr group" in refused(folder)
    (folder / "zarr.json").write_text("{}")
    assert "it states Zarr format None" in refused(folder)
    (folder / ".zmetadata").write_text("{")
    assert "metadata cannot be read" in refused(folder)


def test_links_are_followed_and_dangling_ones_said(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "linked.nwb")
    with build.edited(path) as h5:
        h5["acquisition/again"] = h5py.SoftLink("/processing/behavior/Position")
        h5["acquisition/up"] = h5py.SoftLink("/")
        h5["acquisition/gone"] = h5py.SoftLink("/processing/nowhere")
        h5["acquisition/away"] = h5py.ExternalLink("missing.nwb", "/units")
    with open_nwb(path) as file:
        assert "/acquisition/again" not in file.groups  # known by its own path
        assert not any(path.startswith("/acquisition/up") for path in file.groups)
        assert set(file.problems) == {"/acquisition/gone", "/acquisition/away"}
        assert "/processing/nowhere" in file.problems["/acquisition/gone"]


def test_a_broken_cached_specification_does_not_matter(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "broken.nwb")
    with build.edited(path) as h5:
        del h5["specifications"]
        h5["specifications"] = np.arange(3)
    assert inventory(path).refusal is None


def test_an_inventory_never_fails_on_odd_objects(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "odd.nwb")
    with build.edited(path) as h5:
        behavior = h5["processing/behavior"]
        for name, length in (("short", 3), ("empty", 0)):
            group = behavior.create_group(name)
            group.attrs["neurodata_type"] = "SpatialSeries"
            group["data"] = np.zeros((length, 2))
            group["timestamps"] = np.arange(5.0)
        group = behavior.create_group("pairs")
        group["data"] = np.zeros(5, dtype=[("a", "f8"), ("b", "i4")])
        group["timestamps"] = np.arange(5.0)
        group = behavior.create_group("still")
        group["data"] = np.zeros(5)
        group["starting_time"] = 0.0
        group["starting_time"].attrs["rate"] = 0.0
        table = h5["intervals"] if "intervals" in h5 else h5.create_group("intervals")
        table = table.create_group("broken")
        table["start_time"], table["stop_time"] = np.arange(3.0), np.arange(2.0)
        h5["units/electrodes"] = np.arange(99)
        h5["units/electrodes_index"] = np.full(6, 99)
    told = inventory(path)
    assert told.refusal is None
    assert [label.name for label in told.automatic.labels] == ["position", "head_direction", "speed"]
    said = {remark.path: remark.what for remark in told.suspicious + told.problems}
    assert "5 timestamps for 3 samples" in said["/processing/behavior/short"]
    assert "5 timestamps for 0 samples" in said["/processing/behavior/empty"]
    assert "0 Hz" in said["/processing/behavior/still"]
    assert "data of type" in said["/processing/behavior/pairs"]
