"""A streamed recording is the downloaded one, to the bit, from a small part of its bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from xcebra_nwb.archive import cache, pinned
from xcebra_nwb.archive.ranges import BLOCK, RangeFile
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.fetch import fetch
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Failure, XcebraError
from xcebra_nwb.core.session_table import Session

NAME = "sub-a_ses-1"
CONTENT = np.random.default_rng(0).bytes(3 * BLOCK + 1000)


@pytest.fixture
def row(archive: Loopback, tmp_path: Path) -> Session:
    archive.add(f"sub-a/{NAME}.nwb", CONTENT)
    return discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")[0]


def whole(row: Session) -> bytes:
    with streamed(row) as file:
        return file.read()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(st.tuples(st.integers(0, len(CONTENT) + 5), st.integers(0, len(CONTENT))), max_size=6))
def test_any_reads_give_the_bytes_that_are_there(reads: list[tuple[int, int]], tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []

    def fetch_range(start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return CONTENT[start:stop]

    folder = tmp_path / os.urandom(8).hex()
    for _ in range(2):
        file = RangeFile("x.nwb", len(CONTENT), fetch_range, folder)
        for start, count in reads:
            file.seek(start)
            assert file.read(count) == CONTENT[start : start + count]
    blocks = [block for start, stop in asked for block in range(start // BLOCK, -(-stop // BLOCK))]
    assert len(blocks) == len(set(blocks))  # none is fetched twice, not even by the second file


@pytest.mark.parametrize("size", [0, 10_000_000])
def test_streaming_gives_the_same_session_as_downloading(size: int, archive: Loopback, tmp_path: Path) -> None:
    nwb_builders.tiny(tmp_path / "x.nwb")
    with nwb_builders.edited(tmp_path / "x.nwb") as h5:
        h5["acquisition"].create_dataset("raw", data=np.zeros(size, np.uint8))
    archive.add(f"sub-a/{NAME}.nwb", (tmp_path / "x.nwb").read_bytes())
    directory, config = tmp_path / "results" / NAME, validate({"neural": {"min_spikes": 10}})
    table, made = tmp_path / "t.tsv", []
    discover([f"{archive.site}/dandiset/000001"], table)
    for access in ("stream", "download"):
        sent = archive.sent
        fetch(table, directory, access)
        extract(directory / "source.json", directory, config, NAME)
        made.append([(directory / name).read_bytes() for name in ("session.nc", "inventory.json")])
        if access == "stream":
            assert archive.sent - sent < 1_000_000
    assert made[0] == made[1]


@pytest.mark.parametrize("faults", [["expired"], ["429", "503", "cut", "short"], ["slow"]])
def test_a_stream_goes_on_whatever_happens_on_the_way(faults: list[str], archive: Loopback, row: Session) -> None:
    archive.faults[row.asset_id].extend(faults)
    assert whole(row) == CONTENT


def test_an_address_that_expires_in_the_middle_is_signed_again(archive: Loopback, row: Session) -> None:
    with streamed(row) as file:
        first = file.read(10)
        archive.signatures.clear()
        file.seek(2 * BLOCK)
        assert first + file.read(10) == CONTENT[:10] + CONTENT[2 * BLOCK : 2 * BLOCK + 10]
    assert sum("/download/" in one for one in archive.requests) == 2


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda archive, row: archive.faults[row.asset_id].append("no-range"), "does not serve ranges of bytes"),
        (lambda archive, row: archive.faults[row.asset_id].extend(["503"] * 6), "do not arrive: the store answers 503"),
        (lambda archive, row: archive.faults[row.asset_id].extend(["cut"] * 6), "do not arrive: the connection failed"),
        (lambda archive, row: setattr(archive.asset(row.asset_id)[1], "digest", {}), "dandi-etag is None, not"),
        (lambda archive, row: archive.dandisets.clear(), "not in the archive|No such"),
    ],
)
def test_a_stream_that_fails_says_why(
    spoil: Callable[[Loopback, Session], object], says: str, archive: Loopback, row: Session
) -> None:
    spoil(archive, row)
    with pytest.raises(XcebraError, match=says) as raised:
        whole(row)
    assert "Signature" not in str(raised.value)


def test_a_read_that_fails_is_a_failure_and_never_a_damaged_file(archive: Loopback, tmp_path: Path) -> None:
    nwb_builders.tiny(tmp_path / "x.nwb")
    with nwb_builders.edited(tmp_path / "x.nwb") as h5:
        h5["acquisition"].create_dataset("raw", data=np.zeros(3_000_000, np.uint8))
    asset = archive.add(f"sub-a/{NAME}.nwb", (tmp_path / "x.nwb").read_bytes())
    discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")
    directory = tmp_path / "results" / NAME
    fetch(tmp_path / "t.tsv", directory, "stream")
    for good in range(2):
        shutil.rmtree(tmp_path / "cache" / "ranges", ignore_errors=True)
        archive.faults[asset.asset_id].extend(["slow"] * good + ["503"] * 50)
        with pytest.raises(Failure, match="do not arrive"):
            extract(directory / "source.json", directory, validate({"neural": {"min_spikes": 10}}), NAME)
        assert not (directory / "session.nc").exists()
        archive.faults.clear()


MEMORY = """
import sys
from pathlib import Path
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.commands.extract import extract
source = Path(sys.argv[1])
extract(source, source.parent, validate({"neural": {"min_spikes": 10}}), "sub-a_ses-1")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def test_ten_gigabytes_are_streamed_in_little_memory_and_by_a_thousandth(archive: Loopback, tmp_path: Path) -> None:
    nwb_builders.tiny(tmp_path / "x.nwb")
    with nwb_builders.edited(tmp_path / "x.nwb") as h5:
        spikes = h5["units/spike_times"][()]
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)  # the room is there, the disk does not hold it
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        room = h5py.h5s.create_simple((78_125_000, 64))
        h5py.h5d.create(h5["acquisition"].id, b"raw", h5py.h5t.NATIVE_INT16, room, layout)
        described = dict(h5["units/spike_times"].attrs)
        del h5["units/spike_times"]
        h5["units/spike_times"] = spikes  # behind it
        h5["units/spike_times"].attrs.update(described)
    digest = {"dandi:dandi-etag": f"{'0' * 32}-150"}
    archive.add(f"sub-a/{NAME}.nwb", tmp_path / "x.nwb", digest=digest)
    discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")
    directory = tmp_path / "results" / NAME
    fetch(tmp_path / "t.tsv", directory, "stream")
    command = [sys.executable, "-c", MEMORY, str(directory / "source.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert (tmp_path / "x.nwb").stat().st_size > 10**10
    assert archive.sent < 10**7
    assert int(done.stdout) < 500_000  # kB


def test_parts_are_kept_by_digest_and_a_cut_one_is_fetched_again(archive: Loopback, row: Session) -> None:
    assert whole(row) == CONTENT
    sent = archive.sent
    assert whole(row) == CONTENT
    assert archive.sent == sent
    part = cache.ranges(row) / "0" / "1"
    part.write_bytes(part.read_bytes()[:-1])
    assert whole(row) == CONTENT
    assert archive.sent == sent + BLOCK


def test_what_is_pinned_says_where_results_come_from(archive: Loopback, row: Session, tmp_path: Path) -> None:
    fetch(tmp_path / "t.tsv", tmp_path / NAME, "stream")
    held = pinned.load(tmp_path / NAME / "source.json")
    assert held is not None
    assert (held.access, held.session) == ("stream", row)
    assert held.lineage["source"].endswith(f"/assets/{row.asset_id}/")
