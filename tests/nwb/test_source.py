"""A recording is the same wherever it is read from, and reading it reads little else."""

from __future__ import annotations

import fcntl
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from pynwb import TimeSeries

from tests.support import nwb_builders as build
from tests.support.range_server import serving
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.file import open_nwb


def test_an_address_and_an_open_file_give_the_dataset_of_the_path(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "here.nwb")
    local = extract_session(path, validate({}), "one")
    with serving(tmp_path) as server, path.open("rb") as stream:
        remote = extract_session(server.address("here.nwb"), validate({}), "one")
        streamed = extract_session(stream, validate({}), "one")
        assert inventory(server.address("here.nwb")).file.path == server.address("here.nwb")
    for other in (remote, streamed):
        xr.testing.assert_equal(other, local)
        assert other.attrs["choices"] == local.attrs["choices"]
    assert remote.attrs["source"].endswith("/here.nwb") and remote.attrs["source"].startswith("http://127")
    assert remote.attrs["sha256"] == ""  # not known without reading all of it


class Counting(io.BytesIO):
    """A file in memory that counts the bytes read from it."""

    taken = 0

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        self.taken += count
        return count


def with_raw_data(path: Path) -> Path:
    """Write a session of which nearly all bytes are raw voltage, a microphone, video times and waveforms."""
    rng = np.random.default_rng(0)
    nwb = build.new()
    raw = rng.integers(-999, 999, (400_000, 8), dtype=np.int16)
    nwb.add_acquisition(TimeSeries(name="microphone", data=rng.normal(size=6_000_000), unit="V", rate=96_000.0))
    build.add_units(nwb, build.steady_spikes(4))
    build.add_position(nwb, *build.circling())
    path = build.save(nwb, path)
    with build.edited(path) as h5:
        voltage = h5.create_group("acquisition/voltage")
        voltage.attrs["neurodata_type"] = "ElectricalSeries"
        voltage["data"], voltage["starting_time"] = raw, 0.0
        voltage["starting_time"].attrs["rate"] = 30_000.0
        h5["units/waveforms"] = rng.normal(size=(100_000, 40)).astype(np.float32)
        h5["units/waveforms_index"] = np.arange(1, 100_001)
        h5["units/waveforms_index_index"] = [25_000, 50_000, 75_000, 100_000]
    return path


def test_raw_data_beside_are_not_read(tmp_path: Path) -> None:
    content = with_raw_data(tmp_path / "raw.nwb").read_bytes()
    for work in (inventory, lambda stream: extract_session(stream, validate({}), "one")):
        stream = Counting(content)
        work(stream)
        assert 30_000 < stream.taken < len(content) / 100


def test_a_link_to_another_file_is_followed_from_a_file_and_not_from_a_stream(tmp_path: Path) -> None:
    build.tiny(tmp_path / "other.nwb", seconds=30.0)
    path = build.tiny(tmp_path / "linked.nwb")
    with build.edited(path) as h5:
        h5["acquisition/away"] = h5py.ExternalLink("other.nwb", "/processing")
        h5["acquisition/chain"] = h5py.SoftLink("/acquisition/away")
        del h5["units/spike_times"]
        h5["units/spike_times"] = h5py.ExternalLink("other.nwb", "/units/spike_times")
    with open_nwb(path) as file:
        assert "/acquisition/away/behavior" in file.groups and not file.problems
    with pytest.raises(Refusal, match="away is a link"), open_nwb(io.BytesIO(path.read_bytes())):
        pass


def test_an_address_that_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        with pytest.raises(Failure, match="cannot be read"), open_nwb(server.address("none.nwb")):
            pass
        address = server.address("gone.nwb")
    with pytest.raises(Failure, match="cannot be read"), open_nwb(address):
        pass


def test_a_file_that_is_open_for_writing_is_not_called_damaged(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "open.nwb")
    with path.open("rb+") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        with pytest.raises(Failure, match="open for writing elsewhere") as caught:
            extract_session(path, validate({}), "one")
    assert "close it there" in caught.value.remedy
