"""Assets come whole and right or not at all, once for all projects on a machine, whatever the network does."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.support.loopback import Loopback
from xcebra_nwb.archive import cache
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.fetch import fetch
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Failure, UsageError, XcebraError
from xcebra_nwb.core.progress import ProgressLine, is_waiting
from xcebra_nwb.core.session_table import Session

# Each of these alone is got over; two of the last five on one asset may be one too many.
PASSING = ("429", "503", "slow", "cut", "short", "flip", "expired", "no-range")
LASTING = {
    "wrong etag": "differ|dandi-etag|downloaded",
    "wrong sha256": "SHA-256|sha256",
    "no digest": "no digest of",
    "too long": "another length than the archive states, twice",
    "always 503": "download failed: 503|answers 503",
    "always flipped": "twice",
    "gone": "not in the archive|No such asset",
}


def content(seed: int, size: int = 20_000) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def rows_of(archive: Loopback, table: Path) -> list[Session]:
    return discover([f"{archive.site}/dandiset/000001"], table)


def one(archive: Loopback, tmp_path: Path, body: bytes, **more: object) -> Session:
    archive.add("sub-a/sub-a_ses-1.nwb", body, **more)
    return rows_of(archive, tmp_path / "t.tsv")[0]


def test_an_asset_is_fetched_once_for_all_projects(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0))
    first = downloaded(row)
    assert first.read_bytes() == content(0)
    asked = len(archive.requests)
    assert downloaded(row.model_copy(update={"session": "another-project"})) == first
    assert len(archive.requests) == asked
    other = row.model_copy(update={"path": "sub-b/the same.nwb"})
    assert (downloaded(other).name, downloaded(other).read_bytes()) == ("the-same.nwb", content(0))
    assert len(archive.requests) == asked
    assert not list((tmp_path / "cache" / "incoming").iterdir())
    assert not first.stat().st_mode & 0o222


def test_what_a_killed_download_of_the_same_content_left_under_another_name_does_not_matter(
    archive: Loopback, tmp_path: Path
) -> None:
    row = one(archive, tmp_path, content(0))
    left = cache.incoming(row) / "other.nwb"
    (left.parent / "other.nwb.dandidownload").mkdir(parents=True)
    left.write_bytes(b"something else")
    assert downloaded(row).read_bytes() == content(0)


def test_a_cut_download_goes_on_where_it_stopped(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0, 24_000_000))
    archive.faults[row.asset_id].extend(["cut", "503"])
    assert downloaded(row).read_bytes() == content(0, 24_000_000)
    assert archive.sent < 30_000_000  # the client counts in pieces of 8 MiB


def test_a_wrong_byte_is_fetched_again_once_and_then_fails(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0))
    archive.faults[row.asset_id].extend(["flip", "flip"])
    with pytest.raises(Failure, match=r"sub-a_ses-1.nwb: dandi-etag: .* twice"):
        downloaded(row)
    assert not cache.asset_path(row).exists()
    archive.faults[row.asset_id].append("flip")
    assert downloaded(row).read_bytes() == content(0)


def test_a_digest_that_the_archive_changed_is_not_the_one_of_the_table(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0)).model_copy(update={"sha256": "0" * 64})
    with pytest.raises(Failure, match=f"SHA-256 .* not {'0' * 64}, twice"):
        downloaded(row)


def test_a_zarr_is_verified_by_its_tree(archive: Loopback, tmp_path: Path) -> None:
    tree = tmp_path / "tree.nwb.zarr"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "0").write_bytes(b"chunk")
    (tree / ".zgroup").write_bytes(b"{}")
    archive.add("sub-a/sub-a_ses-1.nwb.zarr", tree)
    row = rows_of(archive, tmp_path / "t.tsv")[0]
    place = downloaded(row)
    assert place.name == "sub-a_ses-1.nwb.zarr"
    assert (place / "a" / "b" / "0").read_bytes() == b"chunk"
    wrong = row.model_copy(update={"etag": f"{'0' * 32}-2--7"})
    with pytest.raises(Failure, match=r"Zarr checksum .* twice"):
        downloaded(wrong)


@pytest.mark.parametrize("path", ["a/..", "../x.nwb", "a/.", "a\nb.nwb"])
def test_a_path_that_attacks_is_not_followed_even_if_the_table_takes_it(
    path: str, archive: Loopback, tmp_path: Path
) -> None:
    row = one(archive, tmp_path, content(0)).model_copy(update={"etag": "0" * 32 + "-1"})
    archive.asset(row.asset_id)[1].path = path
    (tmp_path / "cache" / "incoming" / "other").mkdir(parents=True)
    before = {file for file in tmp_path.rglob("*") if "locks" not in file.parts and row.etag not in file.parts}
    with pytest.raises(Failure, match="is no path inside a dandiset") as raised:
        downloaded(row)
    assert "\n" not in str(raised.value)
    assert {f for f in tmp_path.rglob("*") if "locks" not in f.parts and row.etag not in f.parts} == before


def test_a_full_disk_is_noticed_before_anything_is_fetched(
    archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = one(archive, tmp_path, content(0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(Failure, match=r"0.0 GB needed in .*XCEBRA_NWB_CACHE"):
        downloaded(row)
    assert not archive.sent


def test_fetch_pins_the_row_and_refuses_what_is_no_asset(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0))
    written = fetch(tmp_path / "t.tsv", tmp_path / "results" / row.session, "download")
    assert written == [tmp_path / "results" / row.session / "source.json"]
    session_table.write([row, Session(session="here", include=True, source="x.nwb")], tmp_path / "t.tsv")
    with pytest.raises(UsageError, match="no asset of an archive"):
        fetch(tmp_path / "t.tsv", tmp_path / "results" / "here", "download")
    with pytest.raises(UsageError, match="no session nobody"):
        fetch(tmp_path / "t.tsv", tmp_path / "results" / "nobody", "download")


@pytest.mark.thorough
def test_200_assets_with_faults_at_random_end_whole_or_failed_and_a_second_run_repairs(
    archive: Loopback, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    lasting = {f"sub-{n}": str(rng.choice(list(LASTING))) for n in range(200) if rng.random() < 0.25}
    for number in range(200):
        add(archive, number, lasting.get(f"sub-{number}", ""), rng)
    rows = rows_of(archive, tmp_path / "t.tsv")
    for row in rows:
        if lasting.get(subject(row)) == "gone":
            del archive.dandisets["000001"].versions["0.261122.1116"].assets[row.asset_id]
    first = with_all(rows)
    table: Counter[tuple[str, str]] = Counter()
    for row, said in zip(rows, first, strict=True):
        kind = lasting.get(subject(row), "passing")
        table[kind, "failed" if said else "done"] += 1
        assert not said or matches(LASTING.get(kind, "twice"), said), (kind, said)
    check_that_only_right_bytes_are_there(rows, first)
    assert {end for kind, end in table if kind != "passing"} == {"failed"}
    assert table["passing", "done"] > 100
    archive.faults.clear()
    second = with_all(rows)
    for row, said in zip(rows, second, strict=True):
        repaired = lasting.get(subject(row), "") in {"", "always 503", "always flipped"}
        assert repaired is (said == ""), said
    check_that_only_right_bytes_are_there(rows, second)


def add(archive: Loopback, number: int, fault: str, rng: np.random.Generator) -> None:
    body = content(number, int(rng.integers(1, 40_000)))
    asset = archive.add(f"sub-{number}/sub-{number}_ses-1.nwb", body)
    if fault == "wrong etag":
        asset.digest["dandi:dandi-etag"] = f"{number:032x}-1"
    elif fault == "wrong sha256":
        asset.digest["dandi:sha2-256"] = f"{number:064x}"
    elif fault == "no digest":
        asset.digest = {}
    elif fault == "too long":
        asset.size += 7
    lasting = {"always 503": ["503"] * 40, "always flipped": ["flip"] * 2}
    passing = [str(one) for one in rng.choice(PASSING, size=int(rng.integers(0, 4)))]
    archive.faults[asset.asset_id].extend(lasting.get(fault, [] if fault else passing))


def subject(row: Session) -> str:
    return row.path.split("/")[0]


def with_all(rows: list[Session]) -> list[str]:
    def end(row: Session) -> str:
        try:
            downloaded(row)
        except XcebraError as error:
            assert "\n" not in str(error) and "Signature" not in str(error)
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(end, rows))


def matches(pattern: str, said: str) -> bool:
    return re.search(pattern, said) is not None


def check_that_only_right_bytes_are_there(rows: list[Session], said: list[str]) -> None:
    for row, problem in zip(rows, said, strict=True):
        if not problem:
            number = int(subject(row).removeprefix("sub-"))
            assert cache.asset_path(row).read_bytes() == content(number, row.size or 0)
        elif row.etag:
            assert not cache.asset_path(row).exists()


DOWNLOAD = """
import sys
from xcebra_nwb.core import session_table
from xcebra_nwb.archive.download import downloaded
downloaded(session_table.read(sys.argv[1])[0])
"""


def in_a_process(table: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", DOWNLOAD, str(table)])


def test_two_processes_fetch_an_asset_once_and_a_killed_one_is_taken_over(archive: Loopback, tmp_path: Path) -> None:
    row = one(archive, tmp_path, content(0, 40_000_000))
    archive.faults[row.asset_id].append("slow")
    killed = in_a_process(tmp_path / "t.tsv")
    part = cache.incoming(row)
    deadline = time.monotonic() + 60
    while not any(p.stat().st_size > 10_000_000 for p in part.rglob("file")) and time.monotonic() < deadline:
        pass
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not cache.asset_path(row).exists()
    sent = archive.sent
    both = [in_a_process(tmp_path / "t.tsv") for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert cache.asset_path(row).read_bytes() == content(0, 40_000_000)
    assert archive.sent - sent < 31_000_000  # what was there is not fetched again, and the rest once


def test_a_store_that_refuses_connections_is_named_after_a_while(
    archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = one(archive, tmp_path, content(0))
    archive.store = "http://127.0.0.1:9"
    monkeypatch.setattr("xcebra_nwb.archive.client.LONGEST_TROUBLE", 0.0)
    with pytest.raises(Failure, match=r"127\.0\.0\.1:9 could not be reached for 0 s \(ConnectionError\)"):
        downloaded(row)
    with pytest.raises(Failure, match=r"bytes .* do not arrive: the connection failed"):
        fetch(tmp_path / "t.tsv", tmp_path / row.session, "stream")


def test_a_download_says_how_far_it_is_and_that_nothing_arrives(
    archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = one(archive, tmp_path, content(0, 3_000_000))
    caplog.set_level("INFO", "xcebra_nwb")
    monkeypatch.setattr("xcebra_nwb.archive.patience.SECONDS_BETWEEN_LINES", 0.01)
    archive.faults[row.asset_id].append("slow")
    downloaded(row)
    lines = [record.getMessage() for record in caplog.records]
    assert any(is_waiting(line) and line.startswith(f"{row.session}: {row.path}: nothing") for line in lines)
    assert [line.total for line in map(ProgressLine.read, lines) if line is not None][-1] == 3
