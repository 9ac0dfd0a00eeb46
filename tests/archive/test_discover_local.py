"""The discovery of local files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject

from xcebra_nwb.archive import local
from xcebra_nwb.archive.names import session_names
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.reading.foreign import Follow

HEADER = "\t".join(session_table.COLUMNS)


def recording(path: Path, subject: str | None = "a", session: str | None = "1", behaviour: bool = True) -> Path:
    """Three units that fire 60 times each in 60 s, and a position."""
    nwbfile = NWBFile("made", path.stem, datetime(2024, 1, 2, tzinfo=UTC), session_id=session)
    if subject is not None:
        nwbfile.subject = Subject(subject_id=subject, species="Mus musculus", sex="U", age="P90D")
    rng = np.random.default_rng(0)
    for _ in range(3):
        nwbfile.add_unit(spike_times=np.sort(rng.uniform(0, 60, 60)))
    if behaviour:
        times = np.arange(0, 60, 0.1)
        series = SpatialSeries(
            name="led",
            data=rng.normal(size=(len(times), 2)).cumsum(0),
            reference_frame="corner",
            unit="m",
            timestamps=times,
        )
        nwbfile.create_processing_module("behavior", "video").add(Position(spatial_series=series))
    path.parent.mkdir(parents=True, exist_ok=True)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_file_becomes_a_row(tmp_path: Path) -> None:
    path = recording(tmp_path / "data" / "x.nwb")
    rows = discover([tmp_path / "data"], tmp_path / "sessions.tsv")
    assert rows == session_table.read(tmp_path / "sessions.tsv")
    assert rows == [
        Session(
            session="sub-a_ses-1",
            include=True,
            source=str(path),
            path="x.nwb",
            size=path.stat().st_size,
            sha256=sha256(path),
            found="3 units, 180 spikes; position (2)",
        )
    ]


def test_sources_under_the_working_folder_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording(tmp_path / "work" / "in.nwb")
    outside = recording(tmp_path / "out.nwb", subject="b")
    monkeypatch.chdir(tmp_path / "work")
    rows = discover(["in.nwb", "../out.nwb"], Path("sessions.tsv"))
    assert [r.source for r in rows] == [str(outside), "in.nwb"]
    rows = discover(["in.nwb"], Path("sessions.tsv"), base=tmp_path)
    assert [r.source for r in rows] == ["work/in.nwb"]


def test_files_are_found_once_sorted_and_without_our_own_exports(tmp_path: Path) -> None:
    for name in ("b.nwb", "sub/a.nwb", ".hidden.nwb", ".cache/c.nwb", "sub-a_ses-1_desc-xcebra.nwb", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.nwb").symlink_to(tmp_path / "b.nwb")
    found = local.find([tmp_path / "sub" / "a.nwb", tmp_path, tmp_path / "b.nwb"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] in (
        ["b.nwb", "sub/a.nwb"],
        ["link.nwb", "sub/a.nwb"],
    )
    assert local.find([tmp_path / "sub-a_ses-1_desc-xcebra.nwb"]) == [tmp_path / "sub-a_ses-1_desc-xcebra.nwb"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere.nwb", "nowhere.nwb: no such file or folder"),
        (".", "no NWB file found"),
    ],
)
def test_inputs_that_cannot_be_discovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        discover([given], tmp_path / "sessions.tsv")
    assert not list(tmp_path.iterdir())


def test_names_of_sessions() -> None:
    stated = {
        Path("x.nwb"): "sub-a_ses-1",
        Path("sub-m4_ses-20_ecephys.nwb"): "",
        Path("sub-m4.nwb"): "",
        Path("rec: 3 (final).nwb"): "",
        Path("one/d.nwb"): "sub-d_ses-1",
        Path("two/d.nwb"): "sub-D_ses-1",
        Path("two/e.nwb"): "sub-d_ses-1",
        Path("ö.nwb"): "",
        Path("logs.nwb"): "",
    }
    names = session_names(stated)
    assert names == [
        "sub-a_ses-1", "sub-m4_ses-20", "sub-m4", "rec-3-final", "d", "d-2", "e", "session", "logs-2",
    ]  # fmt: skip
    for name in names:
        assert Session(session=name, include=True, source="x")


def test_identifiers_with_odd_characters_become_safe(tmp_path: Path) -> None:
    recording(tmp_path / "x.nwb", subject="../rat 7/µ", session="day_1\n")
    assert discover([tmp_path], tmp_path / "t.tsv")[0].session == "sub-rat-7_ses-day-1"


def test_files_that_cannot_be_read_are_listed_with_what_is_wrong(tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole.nwb").read_bytes()
    (tmp_path / "whole.nwb").unlink()
    (tmp_path / "cut.nwb").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nwb").write_text("hello")
    with h5py.File(tmp_path / "old.nwb", "w") as file:
        file["nwb_version"] = "NWB-1.0.5"
    recording(tmp_path / "silent.nwb", behaviour=False)
    found = {r.path: (r.session, r.include, r.found) for r in discover([tmp_path], tmp_path / "t.tsv")}
    assert all(include for _, include, _ in found.values())
    assert found["cut.nwb"][::2] == ("cut", "refused: truncated")
    assert found["text.nwb"][::2] == ("text", "refused: not an NWB file: not HDF5")
    assert "NWB 1.0.5 is too old" in found["old.nwb"][2]
    assert found["silent.nwb"][2].startswith("auto refuses: ")


def test_a_link_to_a_file_that_was_not_fetched_is_left_out_until_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.nwb").symlink_to(tmp_path / "annex.nwb")
    first = discover([tmp_path / "data"], tmp_path / "t.tsv")[0]
    assert (first.include, first.reason, first.size) == (False, "a link to a file that is not here", None)
    recording(tmp_path / "annex.nwb")
    second = discover([tmp_path / "data"], tmp_path / "t.tsv")[0]
    assert (second.session, second.include, second.reason) == ("x", True, "")
    assert second.size


def test_what_the_user_decided_stays(tmp_path: Path) -> None:
    recording(tmp_path / "x.nwb")
    rows = discover([tmp_path], tmp_path / "t.tsv")
    mine = rows[0].model_copy(update={"session": "mine", "include": False, "reason": "drift", "found": "old"})
    session_table.write([mine], tmp_path / "t.tsv")
    recording(tmp_path / "y.nwb")
    again = {r.path: r for r in discover([tmp_path], tmp_path / "t.tsv")}
    assert again["x.nwb"] == mine.model_copy(update={"found": rows[0].found})
    assert again["y.nwb"].include


def test_a_file_that_is_no_table_is_not_overwritten(tmp_path: Path) -> None:
    path = recording(tmp_path / "x.nwb")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="not a tab-separated table"):
        discover([path], path)
    assert path.read_bytes() == before


def test_a_file_is_read_again_only_if_it_or_the_rule_of_links_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [recording(tmp_path / f"{name}.nwb", subject=name) for name in "ab"]
    looked: list[str] = []
    inventory = local.inventory
    monkeypatch.setattr(local, "inventory", lambda path, follow: looked.append(path.name) or inventory(path, follow))

    def look(follow: Follow = Follow.FOLDER) -> list[Session]:
        looked.clear()
        return local.rows(files, tmp_path, follow=follow, memory=tmp_path / "seen.json")

    first = look()
    assert looked == ["a.nwb", "b.nwb"]
    assert look() == first and looked == []
    with h5py.File(files[1], "r+") as file:
        file["general/subject/subject_id"][()] = "c"
    changed = look()
    assert looked == ["b.nwb"]
    assert changed[0] == first[0] and changed[1].session == "sub-c_ses-1"
    assert changed[1].sha256 == sha256(files[1]) != first[1].sha256
    look(Follow.ANYWHERE)
    assert looked == ["a.nwb", "b.nwb"]
    (tmp_path / "seen.json").write_text("{")
    assert look() == changed and len(looked) == 2


def test_a_file_that_cannot_be_read_or_leads_to_others_is_looked_at_every_time(tmp_path: Path) -> None:
    recording(tmp_path / "linked.nwb", subject="b")
    linking, text = recording(tmp_path / "a.nwb"), tmp_path / "x.nwb"
    with h5py.File(linking, "r+") as file:
        file["scratch"] = h5py.ExternalLink("linked.nwb", "/units")
    text.write_text("no HDF5")
    local.rows([linking, text], tmp_path, memory=tmp_path / "seen.json")
    assert not (tmp_path / "seen.json").exists()
