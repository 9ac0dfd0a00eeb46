"""A dandiset of results: named and described as archives want it, sent when told, and nothing of others touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from tests.support.whole_analysis import NAME, analysed
from xcebra_nwb.archive.publication import Origin, asset_path, license_of
from xcebra_nwb.archive.upload import upload
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.fetch import fetch
from xcebra_nwb.commands.publish import Published, publish
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.receipts import ORDER, Receipt, save
from xcebra_nwb.core.session_table import Session

CONTACT = "Doe, Jane <jane@example.org>"
PATH = "sub-rat0/sub-rat0_ses-one_desc-xcebra_ecephys.nwb"
KEY = "a key"
FREE, BOUND = "spdx:CC0-1.0", "spdx:CC-BY-4.0"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The table and results of one session that was streamed from an archive."""
    folder = tmp_path_factory.mktemp("finished")
    directory = folder / "results" / NAME
    with pytest.MonkeyPatch.context() as patch, Loopback() as archive:
        patch.setenv("XCEBRA_NWB_CACHE", str(folder / "cache"))
        archive.add(f"sub-a/{NAME}.nwb", nwb_builders.tiny(folder / "x.nwb", only_position=True).read_bytes())
        said = {"id": "DANDI:000001/0.1", "name": "Rats", "citation": "Doe (2026) Rats.", "license": [FREE]}
        archive.dandisets["000001"].versions["0.261122.1116"].metadata = said | {"doi": "10.80507/rats"}
        discover([f"{archive.site}/dandiset/000001"], folder / "t.tsv")
        fetch(folder / "t.tsv", directory, "stream")
        analysed(directory / "source.json", directory)
        for command in ORDER:
            save(Receipt(command=command, session=NAME, state="done"), directory)
        yield folder


@pytest.fixture
def ready(finished: Path, archive: Loopback, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same beside an archive to send it to, and a key of that."""
    archive.add("elsewhere.nwb", b"", dandiset="000002", version="draft")
    archive.keys.add(KEY)
    monkeypatch.setenv(f"{archive.site.removeprefix('http://')}_API_KEY", KEY)
    return finished


def prepare(folder: Path, output: Path) -> Published:
    return publish(folder / "results", folder / "t.tsv", output, CONTACT)


def test_what_is_prepared_has_names_and_metadata_and_no_fault(ready: Path, tmp_path: Path) -> None:
    made = prepare(ready, tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in made.files] == [PATH]
    written = yaml.safe_load((tmp_path / "out" / "dandiset.yaml").read_text())
    (source,) = written["relatedResource"]
    assert (source["relation"], source["identifier"]) == ("dcite:IsDerivedFrom", "DANDI:000001/0.1")
    assert source["url"] == "https://doi.org/10.80507/rats"
    assert written["license"] == [FREE]
    assert written["acknowledgement"] == "Derived from: Doe (2026) Rats."
    assert prepare(ready, tmp_path / "out").files == made.files


def test_a_session_that_an_archive_would_refuse_is_left_out_with_the_reason(ready: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ready, copy)
    with nwb_builders.edited(copy / "results" / NAME / f"{NAME}_desc-xcebra.nwb") as h5:
        del h5["general/subject/sex"], h5["general/subject/age"]
    with pytest.raises(UsageError, match=r"no session can be published \(dandi validate"):
        prepare(copy, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.nwb"))


def test_an_upload_goes_on_where_it_stopped_and_replaces_only_its_own(
    ready: Path, archive: Loopback, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    files = prepare(ready, out).files
    assert upload(out, files, "000002", archive.site) == {"sent": [PATH], "replaced": [], "there": []}
    draft = archive.dandisets["000002"].versions["draft"]
    sent = next(asset for asset in draft.assets.values() if asset.path == PATH)
    assert sent.content == files[0].read_bytes()
    assert draft.metadata["relatedResource"][0]["identifier"] == "DANDI:000001/0.1"
    assert draft.metadata["name"] == "a dandiset of a test"  # what people wrote there stays
    assert upload(out, files, "000002", archive.site)["there"] == [PATH]
    assert len(draft.metadata["relatedResource"]) == 1
    with nwb_builders.edited(files[0]) as h5:
        h5["processing/misc/xcebra_attribution/attribution"][:] += 1
    assert upload(out, files, "000002", archive.site)["replaced"] == [PATH]


def test_what_somebody_else_wrote_is_not_overwritten(ready: Path, archive: Loopback, tmp_path: Path) -> None:
    files = prepare(ready, tmp_path / "out").files
    archive.add(PATH, b"theirs", dandiset="000002", version="draft")
    with pytest.raises(UsageError, match=f"{PATH} is there and not from xcebra-nwb"):
        upload(tmp_path / "out", files, "000002", archive.site)
    assert not archive.uploaded


def test_an_upload_needs_a_key(ready: Path, archive: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = prepare(ready, tmp_path / "out").files
    monkeypatch.delenv(f"{archive.site.removeprefix('http://')}_API_KEY")
    with pytest.raises(UsageError, match="needs a key"):
        upload(tmp_path / "out", files, "000002", archive.site)


def test_licences_are_carried_over_and_never_guessed() -> None:
    free, bound, silent = (Origin("a", "a", "", "", licenses) for licenses in ((FREE,), (BOUND,), ()))
    assert license_of([free], 0, None) == FREE
    assert license_of([free, bound], 0, None) == BOUND
    assert license_of([silent], 3, BOUND) == BOUND
    for sources, local in (([silent], 0), ([free], 1), ([], 0)):
        with pytest.raises(UsageError, match=r"licence of .* is not known"):
            license_of(sources, local, None)
    with pytest.raises(UsageError, match="--license MIT"):
        license_of([free], 0, "MIT")


def test_names_have_the_characters_that_archives_allow() -> None:
    assert asset_path("rat/../1", "a_b c", "ecephys") == "sub-rat-1/sub-rat-1_ses-a-b-c_desc-xcebra_ecephys.nwb"
    for subject, session in (("", "1"), ("..", "1"), ("a", "")):
        with pytest.raises(UsageError, match="names no"):
            asset_path(subject, session, "ecephys")


@pytest.mark.parametrize("contact", ["Jane", "Jane <jane@example.org>", "Doe, Jane", "Doe, Jane <jane>"])
def test_a_contact_is_a_person_with_an_address(contact: str, ready: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--contact"):
        publish(ready / "results", ready / "t.tsv", tmp_path / "out", contact)


def test_only_sessions_that_are_done_are_published(ready: Path, tmp_path: Path) -> None:
    rows = session_table.read(ready / "t.tsv")
    session_table.write([*rows, Session(session="other", include=True, source="x.nwb")], tmp_path / "t.tsv")
    made = publish(ready / "results", tmp_path / "t.tsv", tmp_path / "out", CONTACT)
    assert list(made.left_out) == ["other"]
    assert made.left_out["other"].startswith("failed: ")


@pytest.mark.parametrize("lost", [f"{NAME}_desc-xcebra.nwb", "session.nc"])
def test_a_session_whose_files_are_not_there_is_left_out_and_the_others_are_sent(
    lost: str, ready: Path, tmp_path: Path
) -> None:
    copy, other = tmp_path / "copy", "sub-rat9_ses-one"
    shutil.copytree(ready, copy)
    shutil.copytree(copy / "results" / NAME, copy / "results" / other)
    export = copy / "results" / other / f"{NAME}_desc-xcebra.nwb"
    export.rename(export.with_name(f"{other}_desc-xcebra.nwb"))
    (row,) = session_table.read(copy / "t.tsv")
    session_table.write([row, row.model_copy(update={"session": other})], copy / "t.tsv")
    (copy / "results" / other / lost.replace(NAME, other)).unlink()
    made = prepare(copy, tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in made.files] == [PATH]
    assert list(made.left_out) == [other] and "no such file" in made.left_out[other]
