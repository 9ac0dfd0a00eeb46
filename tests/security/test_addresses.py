"""A source on the command line is what it looks like: read, or refused by what it is; and secrets in it stay there."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dandi.consts
import pytest
import yaml

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from tests.support.range_server import serving
from tests.support.whole_analysis import NAME, QUICK
from xcebra_nwb.archive import given
from xcebra_nwb.commands import cli
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.train import train
from xcebra_nwb.core import session_table
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Failure, UsageError, XcebraError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.nwb.export.read_back import read_export
from xcebra_nwb.nwb.inventory.inventory import inventory

SECRET = "hunter2"
FILE = "file:" + "///etc/passwd"
DANDISET, VERSION = "000207", "0.220216.0323"
PATH = "sub-4/sub-4_ses-4.nwb"


def run(*words: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["xcebra-nwb", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def held(archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The archive under the name of the real one, with a recording."""
    here = dandi.consts.DandiInstance("dandi", archive.site, archive.api)
    monkeypatch.setitem(dandi.consts.known_instances, "dandi", here)
    archive.add(PATH, nwb_builders.tiny(tmp_path / "x.nwb").read_bytes(), DANDISET, VERSION)
    return archive


FORMS = (
    "dandi://dandi/000207",
    "dandi://dandi/000207/",
    f"dandi://DANDI/000207@{VERSION}",
    f"dandi://dandi/000207@{VERSION}/sub-4/",
    f"dandi://dandi/000207@{VERSION}/sub-*/*_ses-4*",
    f"dandi://dandi/000207@{VERSION}/{PATH}",
    "DANDI:000207",
    f"dandi:000207/{VERSION}",
    f"https://doi.org/10.48324/dandi.000207/{VERSION}",
    f"doi:10.48324/dandi.000207/{VERSION}",
    f"10.48324/dandi.000207/{VERSION}",
    f"https://identifiers.org/DANDI:000207/{VERSION}",
    "{site}/dandiset/000207",
    "{site}/dandiset/000207/",
    "{site}/dandiset/000207?search=x&pos=2",
    f"{{site}}/dandiset/000207/{VERSION}/files?location=sub-4&page=1",
    f"{{site}}/dandiset/000207/{VERSION}/files?location=sub-4%2F",
    f"{{site}}/dandiset/000207/{VERSION}/files?page=1",
    f"{{site}}/#/dandiset/000207/{VERSION}/files?location=sub-4",
    "{site}/api/dandisets/000207/",
    f"{{site}}/api/dandisets/000207/versions/{VERSION}/assets/{{asset}}/",
    f"{{site}}/api/dandisets/000207/versions/{VERSION}/assets/{{asset}}/download/",
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_address_names_what_it_names(form: str, held: Loopback, tmp_path: Path) -> None:
    asset = next(iter(held.dandisets[DANDISET].versions[VERSION].assets))
    (row,) = discover([form.format(site=held.site, asset=asset)], tmp_path / "t.tsv")
    assert (row.dandiset, row.version, row.asset_id) == (DANDISET, VERSION, asset)


WRONG = (
    ("DANDI:207", "no identifier of a dandiset"),
    (f"DANDI:000207@{VERSION}", "no identifier of a dandiset"),
    ("000207", "no identifier of a dandiset"),
    ("dandi://", "names no dandiset"),
    ("dandi://000207", "names no dandiset"),
    ("dandi:/dandi/000207", "names no dandiset"),
    ("dandi://nowhere/000207", "Unknown instance"),
    ("NOWHERE:000207", "do not know how to map"),
    ("DANDI:000299", "No such Dandiset|not in the archive"),
    ("dandi://dandi/000207@9.9.9", "not in the archive|No such"),
    ("https://dandiarchive.org", "names an archive, and no dandiset"),
    ("https://dandiarchive.org/", "names an archive, and no dandiset"),
    ("https://api.dandiarchive.org/api/", "names an archive, and no dandiset"),
    ("{site}/", "names an archive, and no dandiset"),
    ("{site}/api/assets/{asset}/", "names no dandiset"),
    ("{store}/{asset}", "outside an archive has no digest"),
    ("https://dandiarchive.s3.amazonaws.com/blobs/abc/def/abcdef", "outside an archive has no digest"),
    ("https://host.invalid/x.nwb", "outside an archive has no digest"),
    ("https:/host/x.nwb", "an incomplete address"),
    ("http://", "no address"),
    ("http://[::1/x.nwb", "no address"),
    ("http://ho st/x.nwb", "no address"),
    ("http://host/\x1b[31m.nwb", "no address"),
    ("https://host/a.zarr::s3://bucket/x", "a chain of addresses"),
    (FILE, "give its path alone"),
    ("ftp://host/x.nwb", "ftp:// is not read"),
    ("s3://dandiarchive/blobs/x", "s3:// is not read"),
    ("gs://bucket/x.nwb", "gs:// is not read"),
    (f"https://user:{SECRET}@host.invalid/x.nwb", "a user or a password"),
    (f"https://user:{SECRET}@dandiarchive.org/dandiset/000207", "a user or a password"),
    (f"https://host.invalid/x.nwb?X-Amz-Signature={SECRET}", "outside an archive has no digest"),
)


@pytest.mark.parametrize("command", ["discover", "inspect"])
@pytest.mark.parametrize(("form", "says"), WRONG)
def test_every_other_form_is_refused_in_one_line_that_helps(
    form: str, says: str, command: str, held: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "inspect" and "outside an archive" in says:
        pytest.skip("it is read where it is")
    asset = next(iter(held.dandisets[DANDISET].versions[VERSION].assets))
    text = form.format(site=held.site, store=held.store, asset=asset)
    asked = len(held.requests)
    to = ("-o", tmp_path / "t.tsv") if command == "discover" else ()
    assert run(command, *to, "--", text) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert any(one in line for one in says.split("|"))
    assert line.endswith(")") and SECRET not in line and "\x1b" not in line
    assert not (tmp_path / "t.tsv").exists()
    assert says.startswith(("No such", "not in")) or not any("/assets/" in one for one in held.requests[asked:])


@pytest.mark.parametrize("command", ["extract", "write", "check"])
@pytest.mark.parametrize("text", [FILE, "s3://b/x.nwb", f"https://u:{SECRET}@h.invalid/x.nwb"])
def test_commands_on_a_session_refuse_them_too(
    command: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, text, tmp_path / NAME) == 2
    said = capsys.readouterr().err
    assert "no such file" not in said and SECRET not in said
    assert not any(SECRET in one.read_text() for one in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "https://host.invalid/x_desc-xcebra.nwb"),
        ("verify", "{here}", "--source", "https://host.invalid/x.nwb"),
        ("benchmark", "file", "dandi://dandi/000207/x.nwb", "--quick"),
    ],
)
def test_commands_that_read_files_here_say_so(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*(word.format(here=tmp_path / "x.nwb") for word in words)) == 2
    assert "only a file on this machine can be used here (download it" in capsys.readouterr().err


def test_an_asset_is_inspected_and_extracted_by_its_address(
    held: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"dandi://dandi/000207@{VERSION}/{PATH}"
    assert run("inspect", address, "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"]["path"].endswith("/")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(QUICK))
    assert run("extract", address, tmp_path / NAME, "-c", tmp_path / "c.yaml") == 0
    said = load_dataset(tmp_path / NAME / "session.nc").attrs
    assert (said["dandiset"], said["version"], said["path"]) == (DANDISET, VERSION, PATH)
    assert (said["source_access"], bool(said["sha256"])) == ("open", True)


def test_several_assets_are_no_source(held: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held.add("sub-5/sub-5_ses-5.nwb", b"x", DANDISET, VERSION)
    assert run("extract", "DANDI:000207", tmp_path / NAME) == 2
    assert "2 assets, but one is needed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signed_address_is_read_by_every_command_and_its_signature_stays_out_of_all_that_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    nwb_builders.tiny(served / "x.nwb").rename(served / f"x.nwb?X-Amz-Signature={SECRET}")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(QUICK))
    directory = tmp_path / "results" / NAME
    with caplog.at_level(logging.DEBUG, "xcebra_nwb"), serving(served) as server:
        address = f"{server.address('x.nwb')}?X-Amz-Signature={SECRET}"
        assert run("inspect", address) == 0
        assert "/x.nwb  (NWB" in capsys.readouterr().out
        assert run("extract", address, directory, "-c", tmp_path / "c.yaml") == 0
        config = validate(QUICK)
        train(directory, config), attribute(directory, config), assess(directory)
        assert run("write", address, directory) == 0
        assert run("check", address, directory) == 0
        assert run("report", directory) == 0
        lineage = read_export(directory / f"{NAME}_desc-xcebra.nwb").lineage
        for file in directory.rglob("*"):
            assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
        assert run("write", server.address("other.nwb"), directory) == 1  # another one than it was extracted from
        assert run("inspect", f"{server.address('gone.nwb')}?key={SECRET}") == 1
    assert (lineage["source_file"], lineage["source_access"]) == ("x.nwb", "unknown")
    assert lineage["source_url"].endswith("/x.nwb")
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err + caplog.text


class _Elsewhere(BaseHTTPRequestHandler):
    to = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.to)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("to", [FILE, "ftp://127.0.0.1/x.nwb", "data:,x", "/nowhere"])
def test_a_server_leads_nowhere_but_the_web(
    to: str, redirecting: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Elsewhere, "to", f"{to}?{SECRET}")
    address = f"http://127.0.0.1:{redirecting.server_address[1]}/x.nwb?{SECRET}"
    with pytest.raises(Failure, match="cannot be read") as raised:
        inventory(address)
    assert "\n" not in str(raised.value) and SECRET not in str(raised.value)


def test_a_path_stays_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DANDI:000207", "a::b.nwb", "C:x.nwb", "000207", "x?y.nwb"):
        Path(name).write_bytes(b"")
        assert given.checked(name) == Path(name)
    assert given.checked("no/such.nwb") == Path("no/such.nwb")


@pytest.mark.parametrize("source", ["https://host/x.nwb", f"https://u:{SECRET}@host/dandiset/000001"])
def test_a_table_holds_no_address_that_is_not_pinned(source: str, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(f"session\tinclude\tsource\na\ttrue\t{source}\n")
    with pytest.raises(XcebraError, match="address w") as raised:
        session_table.read(tmp_path / "t.tsv")
    assert SECRET not in str(raised.value)


def test_asking_for_the_source_of_a_command_gives_a_path(tmp_path: Path) -> None:
    assert given.source(str(tmp_path / "x.nwb")) == tmp_path / "x.nwb"
    with pytest.raises(UsageError, match="give its path alone"):
        given.local(FILE)
