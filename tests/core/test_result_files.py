"""A result file that is missing or damaged is found, and a whole one is read once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from xcebra_nwb.core import receipts, result_files
from xcebra_nwb.core.result_files import ResultFiles, save_summary


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two sessions with two commands each, and a summary."""
    for session in ("a", "b"):
        for command, name in (("extract", "session.nc"), ("train", "training.nc")):
            file = tmp_path / session / name

            def work(file: Path = file) -> list[Path]:
                file.write_text("content")
                return [file]

            receipts.run_command(command, tmp_path / session, work)
    (tmp_path / "summary.html").write_text("page")
    save_summary([tmp_path / "summary.html"], tmp_path)
    return tmp_path


def cut(path: Path) -> None:
    path.write_text("con")


def change(path: Path) -> None:
    """Change the content, and neither the size nor the time of the last change."""
    status = path.stat()
    path.write_text("CONTENT"[: status.st_size])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(("damage", "problem"), [(Path.unlink, "missing"), (cut, "damaged"), (change, "damaged")])
@pytest.mark.parametrize(
    ("session", "file", "command", "left"),
    [
        ("b", "session.nc", "extract", {"a/receipts/extract.json", "a/receipts/train.json"}),
        (
            "a",
            "training.nc",
            "train",
            {"a/receipts/extract.json", "b/receipts/extract.json", "b/receipts/train.json"},
        ),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_named_and_made_again_with_all_after_it(
    damage: Callable[[Path], None], problem: str, session: str, file: str, command: str, left: set[str], results: Path
) -> None:
    before = ResultFiles(results)
    assert before.faults(["a", "b"]) == []
    before.save()
    damage(results / session / file)
    (fault,) = ResultFiles(results).faults(["a", "b"])
    assert fault == (session, command, file, problem)
    before.forget([fault])
    assert {path.relative_to(results).as_posix() for path in results.glob("*/receipts/[a-z]*.json")} == left
    assert not (results / "summary.html").exists()


def test_a_summary_that_is_damaged_is_made_again(results: Path) -> None:
    cut(results / "summary.html")
    (fault,) = ResultFiles(results).faults(["a", "b"])
    assert fault == ("", "summarize", "summary.html", "damaged")
    ResultFiles(results).forget([fault])
    assert not (results / "summary.html").exists()


def test_a_receipt_that_is_missing_before_a_later_one_is_a_fault(results: Path) -> None:
    receipts.path(results / "a", "extract").unlink()
    assert ResultFiles(results).faults(["a"]) == [("a", "extract", "receipts/extract.json", "missing")]


def test_a_file_is_read_again_only_if_its_state_on_the_disk_changed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = result_files.sha256

    def counted(path: Path) -> str:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(result_files, "sha256", counted)
    first = ResultFiles(results)
    assert first.faults(["a"]) == [] and len(read) == 3
    first.save()
    assert ResultFiles(results).faults(["a"]) == [] and len(read) == 3
    os.utime(results / "a" / "session.nc")
    assert ResultFiles(results).faults(["a"]) == [] and read[3:] == ["session.nc"]


def test_a_receipt_that_cannot_be_read_or_leads_elsewhere_is_a_damaged_one(results: Path) -> None:
    receipt = receipts.path(results / "a", "extract")
    receipt.write_text(receipt.read_text().replace("session.nc", "../b/session.nc"))
    receipts.path(results / "b", "train").write_text("{")
    found = [(fault.session, fault.command, fault.problem) for fault in ResultFiles(results).faults(["a", "b"])]
    assert found == [("a", "extract", "damaged"), ("b", "train", "damaged")]


def test_a_pipe_in_the_place_of_a_result_is_not_waited_for(results: Path) -> None:
    (results / "a" / "session.nc").unlink()
    os.mkfifo(results / "a" / "session.nc")
    assert [fault.problem for fault in ResultFiles(results).faults(["a"])] == ["damaged"]


@pytest.mark.parametrize(("state", "missing"), [("done", ["report"]), ("refused", ["report"]), ("failed", [])])
def test_the_last_receipt_of_a_finished_session_that_is_missing_is_a_fault(
    state: str, missing: list[str], tmp_path: Path
) -> None:
    for command in receipts.ORDER[1:]:
        receipts.run_command(command, tmp_path / "a", list)
    (tmp_path / "a" / "status.json").write_text(json.dumps({"state": state}))
    assert ResultFiles(tmp_path).faults(["a"]) == []
    receipts.path(tmp_path / "a", "report").unlink()
    assert [fault.command for fault in ResultFiles(tmp_path).faults(["a"])] == missing
