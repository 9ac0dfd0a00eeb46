"""Nothing that not everybody may see becomes public: results of embargoed data stay out of open dandisets."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
import yaml

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from tests.support.whole_analysis import NAME, analysed
from xcebra_nwb.archive import pinned, publication
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.archive.upload import upload
from xcebra_nwb.commands import cli
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.fetch import fetch
from xcebra_nwb.commands.publish import Published, publish
from xcebra_nwb.commands.write import write
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError, XcebraError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.receipts import ORDER, Receipt, save
from xcebra_nwb.nwb.export.read_back import read_export

CONTACT = "Doe, Jane <jane@example.org>"
KEY, OF_ANOTHER = "a key", "a key of another"
SOURCE, TARGET = "000001", "000002"
LICENSE = "spdx:CC-BY-4.0"


def variable(archive: Loopback) -> str:
    return f"{archive.site.removeprefix('http://')}_API_KEY"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Loopback, Path]]:
    """The results of a session of the draft of an embargoed dandiset, and its archive."""
    folder = tmp_path_factory.mktemp("finished")
    directory = folder / "results" / NAME
    with pytest.MonkeyPatch.context() as patch, Loopback() as archive:
        patch.setenv("XCEBRA_NWB_CACHE", str(folder / "cache"))
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        patch.setattr("time.sleep", lambda seconds: None)
        archive.keys.add(KEY)
        archive.keys_of_others.add(OF_ANOTHER)
        archive.add(
            f"sub-a/{NAME}.nwb", nwb_builders.tiny(folder / "x.nwb", only_position=True).read_bytes(), SOURCE, "draft"
        )
        archive.dandisets[SOURCE].embargoed = True
        patch.setenv(variable(archive), KEY)
        cli_discover = ["discover", "--draft", f"{archive.site}/dandiset/{SOURCE}", "-o", str(folder / "t.tsv")]
        assert run(cli_discover, patch) == 0
        fetch(folder / "t.tsv", directory, "stream")
        analysed(directory / "source.json", directory)
        for command in ORDER:
            save(Receipt(command=command, session=NAME, state="done"), directory)
        yield archive, folder


def run(words: list[str], patch: pytest.MonkeyPatch) -> int:
    patch.setattr("sys.argv", ["xcebra-nwb", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def archive(finished: tuple[Loopback, Path]) -> Iterator[Loopback]:
    """The archive with an empty, open dandiset; the source is embargoed."""
    archive, _ = finished
    archive.add("elsewhere.nwb", b"", dandiset=TARGET, version="draft")
    archive.dandisets[SOURCE].embargoed, archive.dandisets[TARGET].embargoed = True, False
    archive.uploaded.clear()
    yield archive
    del archive.dandisets[TARGET]


@pytest.fixture
def folder(finished: tuple[Loopback, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results in a folder of the test's own; whether what is prepared is valid is asked in test_publish."""
    monkeypatch.setattr(publication, "faults", lambda path: [])
    shutil.copytree(finished[1], tmp_path / "run")
    return tmp_path / "run"


def prepare(folder: Path, license: str | None = None) -> Published:
    return publish(folder / "results", folder / "t.tsv", folder / "out", CONTACT, license=license)


def send(made: Published, archive: Loopback, folder: Path, public: bool = False) -> dict[str, list[str]]:
    return upload(folder / "out", made.files, TARGET, archive.site, made.origins, public)


def export_of(folder: Path) -> Path:
    return folder / "results" / NAME / f"{NAME}_desc-xcebra.nwb"


def rewrite(folder: Path, **changed: str) -> None:
    """Change what the results say of their source; an empty text takes the key out."""
    with h5py.File(folder / "results" / NAME / "session.nc", "r+") as h5:
        h5.attrs.update({name: text for name, text in changed.items() if name in h5.attrs})
    rewrite_export(folder, **changed)


def rewrite_export(folder: Path, **changed: str) -> None:
    """The same in the export alone."""
    with nwb_builders.edited(export_of(folder)) as h5:
        table = h5["processing/misc/xcebra_lineage"]
        keys, values = ([str(one) for one in table[name].asstr()[()]] for name in ("key", "value"))
        said = {**dict(zip(keys, values, strict=True)), **changed}
        said = {name: text for name, text in said.items() if text}
        for name, content in (("key", list(said)), ("value", list(said.values())), ("id", list(range(len(said))))):
            described = dict(table[name].attrs)
            del table[name]
            table.create_dataset(name, data=content)
            table[name].attrs.update(described)


def test_results_say_who_may_see_their_source(finished: tuple[Loopback, Path]) -> None:
    _, folder = finished
    assert session_table.read(folder / "t.tsv")[0].source_access == "embargoed"
    assert load_dataset(folder / "results" / NAME / "session.nc").attrs["source_access"] == "embargoed"
    lineage = read_export(export_of(folder)).lineage
    assert (lineage["source_access"], lineage["version"]) == ("embargoed", "draft")


def test_what_is_open_is_called_open(archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XCEBRA_NWB_CACHE", str(tmp_path / "cache"))
    archive.add("sub-a/sub-a_ses-1.nwb", b"x", dandiset="000003", version="0.1.2")
    (row,) = discover([f"{archive.site}/dandiset/000003"], tmp_path / "o.tsv")
    fetch(tmp_path / "o.tsv", tmp_path / row.session, "download")
    held = pinned.load(tmp_path / row.session / "source.json")
    assert held is not None and held.lineage["source_access"] == "open"


def test_embargoed_results_are_not_sent_to_an_open_dandiset(
    archive: Loopback, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = prepare(folder)
    with pytest.raises(UsageError, match=r"is open, and .*000001/draft is embargoed: nothing was sent") as raised:
        send(made, archive, folder)
    assert "--make-embargoed-data-public" in raised.value.remedy
    assert not archive.uploaded
    assert "relatedResource" not in archive.dandisets[TARGET].versions["draft"].metadata
    with caplog.at_level(logging.WARNING):
        assert send(made, archive, folder, public=True)["sent"]
    assert "is embargoed, and becomes public in" in caplog.text


def test_whoever_sends_files_alone_is_asked_too(archive: Loopback, folder: Path) -> None:
    files = prepare(folder).files
    with pytest.raises(UsageError, match="is embargoed"):
        upload(folder / "out", files, TARGET, archive.site)
    assert not archive.uploaded


@pytest.mark.parametrize("say", ["", "open"])
def test_the_archive_is_asked_and_not_the_results(say: str, archive: Loopback, folder: Path) -> None:
    rewrite(folder, source_access=say)
    with pytest.raises(UsageError, match="is embargoed"):
        send(prepare(folder), archive, folder)
    assert not archive.uploaded


def test_what_was_opened_since_may_go(archive: Loopback, folder: Path) -> None:
    archive.dandisets[SOURCE].embargoed = False
    assert send(prepare(folder), archive, folder)["sent"]


def test_an_embargoed_dandiset_takes_them(archive: Loopback, folder: Path) -> None:
    archive.dandisets[TARGET].embargoed = True
    assert send(prepare(folder), archive, folder)["sent"]


def test_a_dandiset_that_is_being_opened_takes_none(archive: Loopback, folder: Path) -> None:
    archive.dandisets[TARGET].embargoed = archive.dandisets[TARGET].opening = True
    with pytest.raises(UsageError, match="is embargoed: nothing was sent"):
        send(prepare(folder), archive, folder)
    assert not archive.uploaded


EDITED = {
    "another dandiset": {"address": "{api}/dandisets/000004/versions/0.1.2/assets/0/", "source_access": "open"},
    "no address": {"address": "", "source_access": ""},
    "an address of no dandiset": {"address": "{api}/assets/{asset}/", "source_access": "open"},
    "an address outside archives": {"address": "http://host.invalid/x.nwb", "source_access": "open"},
    "a mirror that is not there": {"address": "http://127.0.0.1:9/dandisets/000001/", "source_access": "open"},
}


@pytest.mark.parametrize("said", EDITED.values(), ids=EDITED)
def test_an_export_that_was_edited_does_not_open_its_source(
    said: dict[str, str], archive: Loopback, folder: Path
) -> None:
    asset = next(iter(archive.dandisets[SOURCE].versions["draft"].assets))
    archive.add("sub-a/other.nwb", b"x", dandiset="000004", version="0.1.2")
    rewrite_export(folder, **{name: text.format(api=archive.api, asset=asset) for name, text in said.items()})
    with pytest.raises(XcebraError, match=r"embargoed|cannot be reached|server info"):
        send(prepare(folder, LICENSE), archive, folder)
    del archive.dandisets["000004"]
    assert not archive.uploaded


@pytest.mark.parametrize("address", ["{api}/assets/{asset}/", "http://host.invalid/x.nwb"])
def test_an_address_that_names_no_dandiset_counts_as_embargoed(address: str, archive: Loopback, folder: Path) -> None:
    asset = next(iter(archive.dandisets[SOURCE].versions["draft"].assets))
    where = address.format(api=archive.api, asset=asset)
    rewrite(folder, address=where, source=where, source_access="open")
    with pytest.raises(UsageError, match="counts as embargoed"):
        send(prepare(folder, LICENSE), archive, folder)
    assert not archive.uploaded


def test_a_partner_of_which_nobody_knows_who_may_see_it_counts_as_embargoed(archive: Loopback, folder: Path) -> None:
    archive.dandisets[SOURCE].embargoed = False
    shutil.copytree(folder / "results" / NAME, folder / "results" / "partner")
    with h5py.File(folder / "results" / "partner" / "session.nc", "r+") as h5:
        h5.attrs.update({"source": "http://host.invalid/x.nwb", "asset_id": "", "source_access": "unknown"})
    rewrite(folder, trained_with="partner")
    with pytest.raises(UsageError, match=r"host\.invalid/x\.nwb is not shown by its archive"):
        send(prepare(folder, LICENSE), archive, folder)
    assert not archive.uploaded


def test_preparing_says_what_is_embargoed_and_what_is_a_draft(
    archive: Loopback, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = prepare(folder)
    (source,) = yaml.safe_load((folder / "out" / "dandiset.yaml").read_text())["relatedResource"]
    assert f"{source['identifier']} is embargoed: its spike times are in the results" in caplog.text
    assert f"{source['identifier']} is a draft" in caplog.text
    assert made.files


def test_a_source_that_needs_a_key_counts_as_embargoed(
    archive: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delenv(variable(archive))
        with pytest.raises(UsageError, match=r"licence of .* is not known"):
            prepare(folder)
        made = prepare(folder, LICENSE)
    assert [one.access for one in made.origins] == ["unknown"]
    with pytest.raises(UsageError, match="nothing was sent"):
        send(made, archive, folder)
    archive.dandisets[SOURCE].embargoed = False  # and the archive shows it, but not what it was to the first question
    with pytest.raises(UsageError, match="counts as embargoed"):
        send(made, archive, folder)
    assert not archive.uploaded


def test_a_source_that_is_gone_counts_as_embargoed(archive: Loopback, folder: Path) -> None:
    gone = archive.dandisets.pop(SOURCE)
    try:
        with pytest.raises(UsageError, match="counts as embargoed"):
            send(prepare(folder, LICENSE), archive, folder)
    finally:
        archive.dandisets[SOURCE] = gone
    assert not archive.uploaded


def test_what_encoders_learned_from_counts_too(archive: Loopback, folder: Path) -> None:
    archive.add("sub-a/other.nwb", b"x", dandiset="000004", version="0.1.2")
    shutil.copytree(folder / "results" / NAME, folder / "results" / "partner")  # of the embargoed dandiset
    here = f"{archive.api}/dandisets/000004/versions/0.1.2/assets/{'0' * 8}/"
    rewrite(folder, trained_with="partner", address=here, source=here, source_access="open")
    with pytest.raises(UsageError, match="000001/draft is embargoed"):
        send(prepare(folder), archive, folder)
    del archive.dandisets["000004"]
    for nowhere in ("gone", "../../run/results/partner"):
        rewrite(folder, trained_with=nowhere)
        with pytest.raises(UsageError, match="whose results are not here"):
            prepare(folder)
    assert not archive.uploaded


def test_local_recordings_are_said_to_become_public(
    archive: Loopback, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(folder, address="", asset_id="", source_access="")
    with caplog.at_level(logging.WARNING):
        made = prepare(folder, LICENSE)
    assert "1 sessions are of local recordings: in an open dandiset they are public" in caplog.text
    assert send(made, archive, folder)["sent"]


def test_a_source_of_which_nobody_knows_who_may_see_it_counts_as_embargoed(archive: Loopback, folder: Path) -> None:
    rewrite(folder, address="", asset_id="", source_access="unknown", source_file="signed.nwb")
    with pytest.raises(UsageError, match=r"nobody knows who may see signed\.nwb"):
        send(prepare(folder, LICENSE), archive, folder)


def test_the_command_names_the_flag_and_takes_it(
    archive: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["publish", "-o", str(folder / "out"), "--results", str(folder / "results")]
    words += ["--sessions", str(folder / "t.tsv"), "--contact", CONTACT]
    words += ["--upload", "--dandiset", TARGET, "--instance", archive.site]
    assert run(words, monkeypatch) == 2
    assert "--make-embargoed-data-public" in capsys.readouterr().err.splitlines()[-1]
    assert not archive.uploaded
    assert run([*words, "--make-embargoed-data-public"], monkeypatch) == 0
    assert archive.uploaded


def test_results_are_written_also_after_the_source_was_opened(archive: Loopback, folder: Path) -> None:
    archive.dandisets[SOURCE].embargoed = False
    discover([f"{archive.site}/dandiset/{SOURCE}/draft"], folder / "t.tsv", screen=Screen(draft=True))
    fetch(folder / "t.tsv", folder / "results" / NAME, "stream")
    assert write(folder / "results" / NAME / "source.json", folder / "results" / NAME, NAME)


@pytest.mark.parametrize("read", [downloaded, lambda row: streamed(row).__enter__()])
def test_an_asset_that_is_gone_is_told_from_a_key_that_is_wrong(
    read, archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XCEBRA_NWB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(variable(archive), KEY)
    asset = archive.add("sub-b/sub-b_ses-1.nwb", b"y", SOURCE, "draft")
    rows = discover([f"{archive.site}/dandiset/{SOURCE}/draft"], tmp_path / "t.tsv", screen=Screen(draft=True))
    row = next(one for one in rows if one.asset_id == asset.asset_id)
    with monkeypatch.context() as patch:
        patch.setenv(variable(archive), OF_ANOTHER)
        with pytest.raises(UsageError, match="the key is accepted, but its user may not see this dandiset"):
            read(row)
        patch.setenv(variable(archive), "wrong")
        with pytest.raises(UsageError, match=r"the key in .* is not accepted"):
            read(row)
        patch.delenv(variable(archive))
        with pytest.raises(UsageError, match="needs a key") as raised:
            read(row)
        assert f"env '{variable(archive)}=...'" in raised.value.remedy
        assert "keyring set" in raised.value.remedy
    archive.take_out(asset.asset_id)
    with pytest.raises(UsageError, match=r"the key is accepted, but .* may have been removed"):
        read(row)
