"""Sessions of an archive: which are taken, what they are called, how they are pinned, and what changed since."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.commands.discover import discover, update
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Failure, UsageError

VERSION = "0.261122.1116"
UNITS = {"variableMeasured": [{"value": "Units"}, {"value": "Position"}]}


def named(path: str, archive: Loopback, **more: object):
    return archive.add(path, path.encode(), metadata=UNITS, **more)


@pytest.fixture
def held(archive: Loopback) -> Loopback:
    for path in ("sub-a/sub-a_ses-1_ecephys.nwb", "sub-a/sub-a_ses-2_ecephys.nwb", "sub-b/sub-b_ses-1_ecephys.nwb"):
        named(path, archive)
    return archive


def address(archive: Loopback, ending: str = "") -> str:
    return f"{archive.site}/dandiset/000001/{VERSION}{ending}"


def test_a_version_is_one_row_an_asset_pinned_by_version_id_and_digests(held: Loopback, tmp_path: Path) -> None:
    rows = discover([address(held)], tmp_path / "t.tsv")
    assert [row.session for row in rows] == ["sub-a_ses-1", "sub-a_ses-2", "sub-b_ses-1"]
    assert session_table.read(tmp_path / "t.tsv") == rows
    first, asset = rows[0], next(iter(held.dandisets["000001"].versions[VERSION].assets.values()))
    assert (first.dandiset, first.version, first.asset_id) == ("000001", VERSION, asset.asset_id)
    assert (first.etag, first.sha256) == (asset.digest["dandi:dandi-etag"], asset.digest["dandi:sha2-256"])
    assert (first.size, first.found, first.include) == (asset.size, "Units, Position", True)
    listings = [one for one in held.requests if "/assets/" in one]
    assert len(listings) == 1
    assert not held.sent


@pytest.mark.parametrize(
    ("ending", "count"),
    [("/files?location=sub-a/", 2), ("/files?location=sub-a/*_ses-1*", 1), ("", 3)],
)
def test_folders_and_globs_choose(ending: str, count: int, held: Loopback, tmp_path: Path) -> None:
    assert len(discover([address(held, ending)], tmp_path / "t.tsv")) == count


def test_asset_ids_choose_and_an_unknown_one_is_named(held: Loopback, tmp_path: Path) -> None:
    ids = list(held.dandisets["000001"].versions[VERSION].assets)
    rows = discover([ids[2], address(held), ids[0]], tmp_path / "t.tsv")
    assert [row.asset_id for row in rows] == [ids[2], ids[0]]
    with pytest.raises(UsageError, match="0000: no such asset"):
        discover([address(held), "00000000-0000-0000-0000-000000000000"], tmp_path / "t.tsv")


def test_archives_and_folders_mix_and_no_two_sessions_share_a_name(held: Loopback, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    nwb_builders.tiny(tmp_path / "here" / "sub-a_ses-1.nwb")
    named("other/sub-b_ses-1_image.nwb", held)
    rows = discover([tmp_path / "here", address(held)], tmp_path / "t.tsv", base=tmp_path)
    names = [row.session for row in rows]
    assert len(set(names)) == 5
    assert {"sub-a_ses-1", "sub-b_ses-1_ecephys", "sub-b_ses-1_image"} <= set(names)
    assert rows[-1].source == "here/sub-a_ses-1.nwb"


def test_every_asset_that_is_left_out_says_why(held: Loopback, tmp_path: Path) -> None:
    held.add("sub-c/sub-c_ses-1.nwb", b"", metadata={"variableMeasured": [{"value": "ElectricalSeries"}]})
    held.add("README.md", b"text")
    held.add("sub-c/sub-c_ses-1.nwb.zarr", b"")
    held.add("sub-a/sub-a_ses-1_desc-xcebra.nwb", b"")
    held.add("sub-d/sub-d_ses-1.nwb", b"", metadata=UNITS, size=3 * 10**9)
    rat = {"wasAttributedTo": [{"species": {"name": "Rattus norvegicus - Norway rat"}}]}
    held.add("sub-e/sub-e_ses-1.nwb", b"", metadata=UNITS | rat)
    screen = Screen(species="rattus", max_size=10**9)
    reasons = {row.path: row.reason for row in discover([address(held)], tmp_path / "t.tsv", screen=screen)}
    assert reasons["sub-c/sub-c_ses-1.nwb"] == (
        "screened: no neural data that is read: variableMeasured is ElectricalSeries"
    )
    assert reasons["sub-c/sub-c_ses-1.nwb.zarr"] == "screened: species is not stated"  # as any other
    assert reasons["README.md"] == "screened: not an NWB file"
    assert reasons["sub-a/sub-a_ses-1_desc-xcebra.nwb"] == "screened: results of xcebra-nwb, not a recording"
    assert reasons["sub-d/sub-d_ses-1.nwb"] == "screened: 3.0 GB: larger than asked for"
    assert reasons["sub-a/sub-a_ses-1_ecephys.nwb"] == "screened: species is not stated"
    assert reasons["sub-e/sub-e_ses-1.nwb"] == ""


ATTACKS = (
    "../../x.nwb",
    "/etc/x.nwb",
    "sub-a/\nrm -rf.nwb",
    "a\\..\\b.nwb",
    "sub-a/./x.nwb",
    "\x1b[31m.nwb",
    "a\t.nwb",
)
HARMLESS = ("sub-a/$(touch x).nwb", "sub-a/'; touch x;.nwb", "sub-a/{session}.nwb", "sub-a/<b>.nwb", "a b/日本.nwb")


def test_paths_that_attack_are_left_out_and_what_only_looks_odd_is_harmless(archive: Loopback, tmp_path: Path) -> None:
    for path in (*ATTACKS, *HARMLESS):
        named(path, archive)
    rows = discover([address(archive)], tmp_path / "t.tsv")
    assert session_table.read(tmp_path / "t.tsv") == rows
    assert sum(row.include for row in rows) == len(HARMLESS)
    for row in rows:
        assert (tmp_path / "results" / row.session).resolve().parent == tmp_path / "results"
        assert not set(row.source) & set("{}<>$ '\n\t\x1b")


def test_a_draft_is_refused_unless_asked_for(archive: Loopback, tmp_path: Path) -> None:
    named("sub-a/sub-a_ses-1.nwb", archive, version="draft")
    with pytest.raises(UsageError, match="a draft can change"):
        discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")
    rows = discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv", screen=Screen(draft=True))
    assert (rows[0].version, bool(rows[0].etag)) == ("draft", True)


def test_a_draft_that_changes_while_it_is_listed_is_listed_again(archive: Loopback, tmp_path: Path) -> None:
    named("sub-a/sub-a_ses-1.nwb", archive, version="draft")
    left = iter(range(2))

    def change() -> None:
        if next(left, None) is not None:
            named(f"sub-a/sub-a_ses-{len(archive.requests)}.nwb", archive, version="draft")

    archive.after_page = change
    screen = Screen(draft=True)
    assert len(discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv", screen=screen)) == 3
    archive.after_page = lambda: named(f"x{time.monotonic_ns()}.nwb", archive, version="draft")
    with pytest.raises(Failure, match="changed during the listing"):
        discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv", screen=screen)


def test_what_the_user_decided_stays_and_update_says_what_changed(held: Loopback, tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    rows = discover([address(held)], table)
    mine = rows[0].model_copy(update={"session": "mine", "include": False, "reason": "drift"})
    session_table.write([mine, *rows[1:]], table)
    assert discover([address(held)], table)[0] == mine
    for row in rows[:2]:
        held.add(row.path, b"new" + row.path.encode(), metadata=UNITS, version="0.270101.1200")
    named("sub-z/sub-z_ses-1.nwb", held, version="0.270101.1200")
    differ = update(table)
    assert {kind: [row.session for row in found] for kind, found in differ.items()} == {
        "changed": ["mine", "sub-a_ses-2"],
        "gone": ["sub-b_ses-1"],
        "new": ["sub-z_ses-1"],
    }
    after = {row.session: row for row in session_table.read(table)}
    assert (after["mine"].version, after["mine"].reason, after["mine"].include) == ("0.270101.1200", "drift", False)
    assert (after["sub-b_ses-1"].version, after["sub-b_ses-1"].include) == (VERSION, True)
    assert after["sub-z_ses-1"].include is False
    again = update(table)
    assert not again["changed"] and not again["new"]


def test_two_versions_in_one_table_keep_their_names(held: Loopback, tmp_path: Path) -> None:
    named("sub-a/sub-a_ses-1_ecephys.nwb", held, version="0.270101.1200")
    both = [address(held), f"{held.site}/dandiset/000001/0.270101.1200"]
    first = discover(both, tmp_path / "t.tsv")
    assert len({row.session for row in first}) == 4
    assert discover(both, tmp_path / "t.tsv") == first


def test_regions_are_found_wherever_the_archive_states_them(archive: Loopback, tmp_path: Path) -> None:
    deep = {"wasDerivedFrom": [{"wasDerivedFrom": [{"anatomy": [{"schemaKey": "Anatomy", "name": "CA1 field"}]}]}]}
    archive.add("sub-a/sub-a_ses-1.nwb", b"a", metadata=UNITS | deep)
    archive.add("sub-b/sub-b_ses-1.nwb", b"b", metadata=UNITS | {"about": [{"schemaKey": "Anatomy", "name": "V1"}]})
    archive.add("sub-c/sub-c_ses-1.nwb", b"c", metadata=UNITS)
    rows = discover([address(archive)], tmp_path / "t.tsv", screen=Screen(region="ca1"))
    assert [row.reason for row in rows] == ["", "screened: region is V1", "screened: region is not stated"]


def test_thousands_of_assets_come_in_pages_of_a_thousand(archive: Loopback, tmp_path: Path) -> None:
    for number in range(2500):
        archive.add(f"sub-{number}/sub-{number}_ses-1.nwb", b"x", metadata=UNITS, digest={"dandi:dandi-etag": "a-1"})
    archive.faults["listing"].extend(["429", "503"])
    rows = discover([address(archive)], tmp_path / "t.tsv")
    assert len({row.asset_id for row in rows}) == len({row.session for row in rows}) == 2500
    assert sum("/assets/?" in one for one in archive.requests) == 3 + 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{site}/dandiset/000099/0.1.2", "not in the archive|No such"),
        ("{site}/dandiset/000001/0.1.2", "not in the archive|No such"),
        ("{site}/dandiset/000001/0.261122.1116/files?location=sub-z/", "no asset of that name"),
        ("dandi://nowhere/000001", "Unknown instance"),
        ("http://127.0.0.1:1/dandiset/000001", "Could not retrieve server info"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(given: str, says: str, held: Loopback, tmp_path: Path) -> None:
    with pytest.raises((UsageError, Failure), match=says) as raised:
        discover([given.format(site=held.site)], tmp_path / "t.tsv")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "t.tsv").exists()
