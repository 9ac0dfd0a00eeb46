"""A server that calls itself an archive writes no file of its choice, gets no key of another, and comes to an end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dandi.consts
import dandi.utils
import pytest
from snakemake_interface_common.exceptions import WorkflowError

from tests.support.loopback import Loopback
from tests.support.paths import PLUGIN
from xcebra_nwb.archive.connection import connected
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.names import is_plain
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Failure, UsageError, XcebraError

KEY = "a key of another archive"
ADDRESS = "{site}/dandiset/000001"


def find(archive: Loopback, folder: Path) -> list[session_table.Session]:
    return discover([ADDRESS.format(site=archive.site)], folder / "t.tsv")


@pytest.mark.parametrize("name", ["../../../../outside/x", "{outside}/x", "a/../../x", "./x", "a//x", "..", "a\\..\\x"])
def test_a_zarr_is_written_into_its_folder_only(name: str, archive: Loopback, tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree.nwb.zarr", tmp_path / "outside"
    (tree / "a").mkdir(parents=True), outside.mkdir()
    (tree / ".zgroup").write_bytes(b"{}"), (tree / "a" / "0").write_bytes(b"chunk")
    archive.add("sub-z/sub-z_ses-1.nwb.zarr", tree)
    (row,) = find(archive, tmp_path)
    archive.rows = lambda rows: [rows[0] | {"Key": name.format(outside=outside)}]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(Failure, match="leads out of a Zarr") as raised:
        downloaded(row)
    assert "\n" not in str(raised.value)
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(tmp_path / "cache" / "locks") for path in new)


def test_the_storage_plugin_writes_a_zarr_into_its_folder_only(
    archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    from snakemake_storage_plugin_dandi.listing import Listing, fetch

    tree = tmp_path / "tree.nwb.zarr"
    tree.mkdir(), (tree / ".zgroup").write_bytes(b"{}")
    archive.add("sub-z/sub-z_ses-1.nwb.zarr", tree)
    listing = Listing.of(archive.site, "000001", "0.261122.1116")
    for key in ("../../outside", str(tmp_path / "outside")):
        archive.rows = lambda rows, key=key: [row | {"Key": key} for row in rows]
        with pytest.raises(WorkflowError, match="leads out of a Zarr"):
            fetch(listing, next(iter(listing.assets.values())), tmp_path / "in" / "coming")
    assert not (tmp_path / "outside").exists()


def test_a_path_that_changes_after_it_was_looked_at_is_refused(archive: Loopback, tmp_path: Path) -> None:
    asset = archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    (row,) = find(archive, tmp_path)
    info, asked = archive.metadata, []

    def metadata(one: Any) -> dict[str, Any]:
        asked.append(one)
        asset.path = "sub-a/.." if asked else asset.path
        return info(one)

    archive.metadata = metadata  # type: ignore[method-assign]
    with pytest.raises(Failure, match="no path inside a dandiset"):
        downloaded(row)
    assert (tmp_path / "cache" / "incoming").is_dir()


class _Stranger(BaseHTTPRequestHandler):
    keys: list[str]

    def do_GET(self) -> None:
        self.keys += filter(None, [self.headers.get("Authorization")])
        self.send_response(200 if "auth" in self.path else 401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def keys_of_strangers() -> Iterator[tuple[list[str], int]]:
    keys: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Stranger", (_Stranger,), {"keys": keys}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield keys, server.server_address[1]
    dandi.utils._get_instance.cache_clear()  # of a port that another test may get
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        ("dandi", "DANDI_API_KEY"),
        ("DANDI", "DANDI_API_KEY"),
        ("user@dandi", "DANDI_API_KEY"),
        ("dandi-sandbox", "DANDI_SANDBOX_API_KEY"),
        ("dandi_sandbox", "DANDI_SANDBOX_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
    ],
)
def test_a_server_gets_no_key_by_the_name_that_it_says(
    host: str,
    variable: str,
    archive: Loopback,
    keys_of_strangers: tuple[list[str], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, port = keys_of_strangers
    looked_up = socket.getaddrinfo

    def here(name: str, _: object, *given: Any, **named: Any) -> Any:
        to = archive.site.rpartition(":")[2] if name == "127.0.0.1" else port
        return looked_up("127.0.0.1", to, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv(variable, KEY)
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    said = archive.info() | {"services": {"api": {"url": f"http://{host}/api"}, "webui": {"url": archive.site}}}
    monkeypatch.setattr(archive, "info", lambda: said)
    with pytest.raises(UsageError, match="no key was sent") as raised:
        find(archive, tmp_path)
    monkeypatch.syspath_prepend(str(PLUGIN))
    from snakemake_storage_plugin_dandi.listing import Listing

    with pytest.raises(WorkflowError):
        Listing.of(archive.site, "000001", "0.261122.1116")
    assert keys == [] and KEY not in str(raised.value)


def test_the_archive_itself_gets_its_key(archive: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    archive.dandisets["000001"].embargoed = True
    archive.keys.add(KEY)
    monkeypatch.setenv("DANDI_API_KEY", KEY)
    known = dandi.consts.DandiInstance("dandi", archive.site, archive.api)
    monkeypatch.setitem(dandi.consts.known_instances, "dandi", known)
    with connected("dandi", "000001") as client:
        assert client.get("/dandisets/000001/")["identifier"] == "000001"


ENDLESS: dict[str, Callable[[str | None], str | None]] = {
    "the same page again": lambda _: "http://host.invalid/?metadata=true&order=created&path=&page_size=1000",
    "another host": lambda _: "http://169.254.169.254/latest/meta-data",
    "a file": lambda _: "file:" + "///etc/passwd?x=1",
}


@pytest.mark.parametrize("following", ENDLESS.values(), ids=ENDLESS)
def test_a_listing_ends(
    following: Callable[[str | None], str | None], archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcebra_nwb.archive.listing.MOST", 5)
    monkeypatch.setattr("xcebra_nwb.archive.client.MOST_ROWS", 20)
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    archive.following = following
    try:
        rows = find(archive, tmp_path)
    except Failure as error:
        assert "without end" in str(error) or "more than 5 assets" in str(error)
    else:
        assert [row.session for row in rows] == ["sub-a_ses-1"]
    asked = [one for one in archive.requests if "/assets/" in one]
    assert 1 <= len(asked) <= 25


def test_a_count_of_rows_is_not_believed(archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    monkeypatch.setattr("xcebra_nwb.archive.listing.MOST", 5)
    pages = iter(range(2, 10**9))
    archive.following = lambda _: f"{archive.site}/x?page={next(pages)}"
    with pytest.raises(Failure, match=r"more than 5 assets|without end"):
        find(archive, tmp_path)


def test_an_answer_is_read_to_a_bound(archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcebra_nwb.archive.client.MOST_BYTES", 100_000)
    archive.add("sub-a/sub-a_ses-1.nwb", b"x", metadata={"description": "x" * 200_000})
    with pytest.raises(Failure, match="an answer of more than 100,000 bytes"):
        find(archive, tmp_path)


def metadata(**said: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row | {"metadata": row["metadata"] | said}


ROWS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a text": lambda row: "x",
    "no path": lambda row: {name: value for name, value in row.items() if name != "path"},
    "a path of a number": lambda row: row | {"path": 3},
    "no identifier": lambda row: row | {"asset_id": None},
    "an identifier of a path": lambda row: row | {"asset_id": "../../x"},
    "an identifier of a list": lambda row: row | {"asset_id": []},
    "a negative size": lambda row: row | {"size": -1},
    "a size of words": lambda row: row | {"size": "x"},
    "an endless size": lambda row: row | {"size": float("inf")},
    "a list of metadata": lambda row: row | {"metadata": [1]},
    "a list of digests": metadata(digest=[1]),
    "variables of a text": metadata(variableMeasured="xx"),
    "a species of a text": metadata(wasAttributedTo=[{"species": "mouse"}]),
    "a subject of a number": metadata(wasAttributedTo=3),
    "a region of a text": metadata(about=["x"]),
}


@pytest.mark.parametrize("lie", ROWS.values(), ids=ROWS)
def test_a_row_of_another_form_is_one_line(
    lie: Callable[[dict[str, Any]], Any], archive: Loopback, tmp_path: Path
) -> None:
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    archive.rows = lambda rows: [lie(row) for row in rows]
    with pytest.raises(XcebraError, match=r"row of a listing|another form") as raised:
        find(archive, tmp_path)
    assert "\n" not in str(raised.value) and not (tmp_path / "t.tsv").exists()


@pytest.mark.parametrize("digest", ["../../x", "a" * 1000, {"a": 1}])
def test_what_is_no_digest_is_not_stated(digest: object, archive: Loopback, tmp_path: Path) -> None:
    lie = metadata(digest={"dandi:dandi-etag": digest, "dandi:sha2-256": digest})
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    archive.rows = lambda rows: [lie(row) for row in rows]
    (row,) = find(archive, tmp_path)
    assert (row.etag, row.sha256) == ("", "")
    with pytest.raises(UsageError, match="no digest"):
        downloaded(row)


def test_a_table_stays_readable_whatever_is_listed(archive: Loopback, tmp_path: Path) -> None:
    archive.add(f"{'a' * 200_000}.nwb", b"x")
    archive.add("sub-a/sub-a_ses-1.nwb", b"y", metadata={"variableMeasured": [{"value": "Units" * 40_000}]})
    find(archive, tmp_path)
    long, short = sorted(session_table.read(tmp_path / "t.tsv"), key=lambda row: len(row.session), reverse=True)
    assert (long.include, short.session) == (False, "sub-a_ses-1")


def test_a_download_that_does_not_end_is_left(archive: Loopback, tmp_path: Path) -> None:
    asset = archive.add("sub-a/sub-a_ses-1.nwb", b"x" * 1000)
    (row,) = find(archive, tmp_path)
    asset.content = bytes(80_000_000)
    with pytest.raises(Failure, match="past end of file"):
        downloaded(row)
    asset.size, asked = 80_000_000, len(archive.requests)  # it says so, once it was listed
    with pytest.raises(Failure, match="80000000 bytes, not 1000"):
        downloaded(row)
    assert not any("download" in one for one in archive.requests[asked:])
    held = (path for path in (tmp_path / "cache" / "incoming").rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in held) < 10_000_000  # what had come when it was seen


@pytest.mark.parametrize("path", ["", "/x", "a/../b", "./a", "a//b", "a\\b", "a\nb", "a" * 256, "a/" * 3000 + "b"])
def test_no_path_that_leads_elsewhere_is_plain(path: str) -> None:
    assert not is_plain(path)
    assert is_plain("sub-a/a b+c.nwb")
