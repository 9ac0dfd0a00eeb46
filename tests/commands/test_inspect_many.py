"""``inspect`` of many recordings: a line for each, a summary, a table and JSON."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from tests.support import nwb_builders as build
from tests.support.command_line import run
from tests.support.loopback import Loopback
from xcebra_nwb.commands import inspect_many
from xcebra_nwb.nwb.inventory.models import Inventory


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of one kind, one without behaviour, one that is no NWB file, and a pipe."""
    folder = tmp_path_factory.mktemp("dandiset")
    (folder / "sub-a").mkdir()
    build.tiny(folder / "sub-a" / "one.nwb")
    build.tiny(folder / "two.nwb", seed=1)
    build.without_behaviour(folder / "lonely.nwb")
    (folder / "text.nwb").write_text("no recording")
    os.mkfifo(folder / "pipe.nwb")
    return folder


def test_every_recording_has_a_line_and_a_summary_counts_the_kinds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "inspect", folder)
    lines = out.splitlines()
    labels = "position: continuous, head_direction: circular, speed: continuous"
    assert code == 0
    assert f"{folder}/sub-a/one.nwb: /units (units, spikes, 6 units); {labels}" in lines
    assert lines[0].startswith(f"{folder}/lonely.nwb: refused [no-label]: lonely.nwb: no behaviour found")
    assert f"{folder}/pipe.nwb: refused [no code]: neither a file nor a folder" in lines
    assert lines[-5] == "5 recordings: 2 would be extracted by auto, 3 would not"
    assert lines[-4] == f"     2  units, spikes; {labels}"
    assert sorted(lines[-3:]) == [f"     1  refused [{code}]" for code in ("no code", "no-label", "not-nwb")]


def test_json_is_a_list_of_inventories(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "inspect", folder, "--json")
    contents = [Inventory.model_validate(content) for content in json.loads(out)]
    names = [Path(content.file.path).name for content in contents]
    assert names == ["lonely.nwb", "pipe.nwb", "one.nwb", "text.nwb", "two.nwb"]
    assert [content.refusal is None for content in contents] == [False, False, True, False, True]
    assert contents[2].config.startswith("neural:") and contents[2].automatic.units == 6


def test_the_table_has_a_row_for_every_recording(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = folder / "sub-a" / "one.nwb", folder / "text.nwb"
    code, _, _ = run(capsys, "inspect", one, two, "--table", tmp_path / "it.tsv")
    with (tmp_path / "it.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, dialect="excel-tab"))
    assert code == 0 and [row["file"] for row in rows] == [str(one), str(two)]
    assert rows[0]["labels"] == "position: continuous, head_direction: circular, speed: continuous"
    assert (rows[0]["neural"], rows[0]["units"], rows[0]["bins_in_use"]) == ("/units", "6", "1199")
    assert (rows[1]["refused"], rows[1]["reason"]) == ("not-nwb", "not an NWB file: not HDF5")


def test_paths_under_the_working_folder_are_relative(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    _, out, _ = run(capsys, "inspect", "sub-a", "text.nwb")
    assert [line.split(":")[0] for line in out.splitlines()[:2]] == ["sub-a/one.nwb", "text.nwb"]


def test_a_config_is_printed_for_one_recording_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "inspect", folder, "--config")
    assert code == 2 and "--config is for one recording" in errors


def test_a_folder_without_recordings_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "inspect", tmp_path)
    assert code == 2 and "no NWB file found" in errors


def test_an_error_of_a_library_about_one_file_does_not_hide_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(source: Path, follow: object) -> Inventory:
        raise ValueError("an odd file")

    monkeypatch.setattr(inspect_many, "inspect", broken)
    _, out, _ = run(capsys, "inspect", folder / "two.nwb", folder / "lonely.nwb")
    assert [line.partition(": ")[2] for line in out.splitlines()[:2]] == [
        "refused [no code]: ValueError: an odd file"
    ] * 2


@pytest.mark.archive
def test_the_assets_of_a_dandiset_are_screened(
    archive: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = build.tiny(tmp_path / "tiny.nwb").read_bytes()
    for subject in ("a", "b"):
        archive.add(f"sub-{subject}/sub-{subject}_ses-1_ecephys.nwb", content)
    code, out, _ = run(capsys, "inspect", f"{archive.site}/dandiset/000001/0.261122.1116")
    assert code == 0 and out.count("/units (units, spikes, 6 units)") == 2
    assert "2 recordings: 2 would be extracted by auto, 0 would not" in out
