"""Receipts: a refusal travels down the commands, an old file never stands beside a new failure."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xcebra_nwb.attribution.time_resolved import OverTimeFile
from xcebra_nwb.core import receipts
from xcebra_nwb.core.errors import Failure, NotInFile, Refusal, UsageError
from xcebra_nwb.core.files import HDF5_OVERHEAD, atomic, read_json, sha256, write_json, write_text
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.core.refusals import Code


def writes(directory: Path, name: str):
    def work() -> list[Path]:
        (directory / name).write_text("content")
        return [directory / name]

    return work


def refuses() -> list[Path]:
    raise Refusal(Code.NO_LABEL, "no behaviour", "name a label")


def fails() -> list[Path]:
    raise Failure("the disk is full")


def test_a_receipt_names_the_files_and_their_digests(tmp_path: Path) -> None:
    receipts.run_command("extract", tmp_path, writes(tmp_path, "session.nc"))
    found = receipts.load(tmp_path, "extract")
    assert found.state == "done"
    assert list(found.files) == ["session.nc"]
    assert len(found.files["session.nc"]) == 64


def test_the_same_content_gives_the_same_receipt(tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        receipts.run_command("extract", tmp_path, writes(tmp_path, "session.nc"))
        contents.append(receipts.path(tmp_path, "extract").read_bytes())
    assert contents[0] == contents[1]


def test_in_a_batch_a_refusal_is_noted_and_passed_on_but_reported(tmp_path: Path) -> None:
    assert receipts.run_command("extract", tmp_path, refuses, batch=True) == []
    receipts.run_command("train", tmp_path, fails, batch=True)  # never gets to fail
    found = receipts.load(tmp_path, "train")
    assert (found.state, found.code, found.reason) == ("refused", Code.NO_LABEL, "no behaviour")
    assert found.remedy == "name a label"
    receipts.run_command("report", tmp_path, writes(tmp_path, "report.html"), batch=True)
    assert receipts.load(tmp_path, "report").state == "done"


def test_alone_a_refusal_is_raised_and_still_noted(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        receipts.run_command("extract", tmp_path, refuses)
    assert receipts.load(tmp_path, "extract").state == "refused"


def test_a_failure_leaves_neither_a_receipt_nor_what_an_earlier_run_wrote(tmp_path: Path) -> None:
    receipts.run_command("extract", tmp_path, writes(tmp_path, "session.nc"))
    with pytest.raises(Failure):
        receipts.run_command("extract", tmp_path, fails)
    assert not receipts.path(tmp_path, "extract").exists()
    assert not (tmp_path / "session.nc").exists()


def test_no_old_result_stands_beside_a_refusal_even_when_the_receipt_is_gone(tmp_path: Path) -> None:
    receipts.run_command("extract", tmp_path, writes(tmp_path, "session.nc"))
    receipts.run_command("assess", tmp_path, writes(tmp_path, "assessment.json"))
    receipts.run_command("write", tmp_path, writes(tmp_path, "a_desc-xcebra.nwb"))
    receipts.path(tmp_path, "extract").unlink()  # as the workflow does before it runs a rule again
    receipts.run_command("extract", tmp_path, refuses, batch=True)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["extract.json"]


def test_what_one_file_does_not_hold_is_a_refusal_in_a_batch_and_a_mistake_alone(tmp_path: Path) -> None:
    def asks_for_too_much() -> list[Path]:
        raise NotInFile("labels.speed: no /speed in the file", "candidates: /position")

    with pytest.raises(NotInFile):
        receipts.run_command("extract", tmp_path, asks_for_too_much)
    assert not receipts.path(tmp_path, "extract").exists()
    receipts.run_command("extract", tmp_path, asks_for_too_much, batch=True)
    assert receipts.load(tmp_path, "extract").state == "refused"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("training.nc", "xcebra-nwb train"),
        ("a_desc-xcebra.nwb", "xcebra-nwb write"),
        ("receipts/check.json", "xcebra-nwb check"),
        ("else.json", "the command that writes it"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_said_with_the_command_that_makes_it(
    name: str, words: str, tmp_path: Path
) -> None:
    reads = load_dataset if name.endswith((".nc", ".nwb")) else read_json
    with pytest.raises(UsageError, match=rf"no such file \(run {words} first\)"):
        reads(tmp_path / name)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("damaged")
    with pytest.raises(UsageError, match=rf"not .*\(delete it and run {words} again\)"):
        reads(tmp_path / name)


@pytest.mark.parametrize("error", [KeyError("bad header"), RuntimeError("bad header")])
def test_damage_inside_a_file_is_said_in_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*arguments: object, **options: object) -> xr.Dataset:
        raise error  # as HDF5 does, by where the damage is

    save_dataset(xr.Dataset({"map": ("unit", np.zeros(3))}), tmp_path / "training.nc")
    monkeypatch.setattr(xr, "open_dataset", damaged)
    with pytest.raises(UsageError, match=r"training\.nc: not a netCDF4 file: .*bad header"):
        load_dataset(tmp_path / "training.nc")


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic(tmp_path / "page.html") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, synced = tmp_path / "page.html", []
    original = os.fsync

    def fsync(descriptor: int) -> None:
        original(descriptor)
        synced.append((os.fstat(descriptor), page.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(page, "whole")
    (file, named_before), (folder, named_after) = synced
    assert os.path.samestat(file, page.stat()) and not named_before
    assert file.st_size == len("whole")
    assert os.path.samestat(folder, tmp_path.stat()) and named_after


def test_a_disk_that_has_no_room_when_it_has_to_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "quota")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"page\.html"):
        write_text(tmp_path / "page.html", "whole")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_found_before_hdf5_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = xr.Dataset({"map": ("unit", np.zeros(1000))})
    free = HDF5_OVERHEAD + values.nbytes
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(2 * free, free, free))
    save_dataset(values, tmp_path / "a.nc")
    OverTimeFile(tmp_path / "b.nc", ["inverse"], (1, 20, 100), np.zeros(100, dtype=bool))._file.close()
    free -= 1
    with pytest.raises(OSError, match=f"{tmp_path / 'a.nc'}") as caught:
        save_dataset(values, tmp_path / "a.nc")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        OverTimeFile(tmp_path / "c.nc", ["inverse"], (1, 20, 101), np.zeros(101, dtype=bool))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nc", "b.nc"]


def test_json_knows_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def elsewhere(command: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """What becomes of a command that another process does on the session of ``directory``."""
    program = (
        "import pathlib, sys; from xcebra_nwb.core import receipts;"
        "receipts.run_command(sys.argv[1], pathlib.Path(sys.argv[2]), lambda: []); print('done')"
    )
    arguments = [sys.executable, "-c", program, command, str(directory)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_two_processes_do_not_work_on_one_session_at_a_time(tmp_path: Path) -> None:
    found = []

    def work() -> list[Path]:
        found.append(elsewhere("attribute", tmp_path))
        return writes(tmp_path, "training.nc")()

    receipts.run_command("train", tmp_path, work)
    assert "Failure" in found[0].stderr
    assert f"{tmp_path}: another process is working there (wait for it, or stop it)" in found[0].stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["receipts", "training.nc"]  # and no lock
    assert elsewhere("attribute", tmp_path).stdout == "done\n"


def test_a_command_that_fails_lets_go_of_the_session(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        receipts.run_command("train", tmp_path, fails)
    receipts.run_command("train", tmp_path, writes(tmp_path, "training.nc"))


def test_what_a_kill_left_half_written_goes_with_the_next_run(tmp_path: Path) -> None:
    left = [tmp_path / name for name in (".77-training.nc", ".7-model.safetensors", ".8-sub-1_desc-xcebra.nwb")]
    mine = [tmp_path / name for name in (".notes-training.nc", "7-training.nc")]
    for file in left + mine:
        file.write_text("half")
    for command, names in (("train", ["training.nc"]), ("write", ["sub-1_desc-xcebra.nwb"])):
        receipts.run_command(command, tmp_path, writes(tmp_path, names[0]))
    assert not any(file.exists() for file in left)
    assert all(file.exists() for file in mine)


def three(tmp_path: Path) -> list[Path]:
    """Sessions of which the second was refused when it was extracted."""
    directories = [tmp_path / name for name in ("a", "b", "c")]
    for directory, work in zip(directories, (writes(directories[0], "session.nc"), refuses, None), strict=True):
        directory.mkdir()
        if work is not None:
            receipts.run_command("extract", directory, work, batch=True)
    return directories


def test_sessions_trained_together_each_keep_a_receipt_and_a_refused_one_is_skipped(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)
    (third / "training.nc").write_text("old")

    def work(directories: list[Path]) -> dict[Path, list[Path] | Refusal]:
        assert directories == [first, third]
        return {first: writes(first, "training.nc")(), third: Refusal(Code.NOT_IN_ONE_SPACE, "units: cm here, m in a")}

    receipts.run_on_several("train", [first, second, third], work, batch=True)
    found = [receipts.load(directory, "train") for directory in (first, second, third)]
    assert [one.state for one in found] == ["done", "refused", "refused"]
    assert list(found[0].files) == ["training.nc"]
    assert [one.reason for one in found[1:]] == ["no behaviour", "units: cm here, m in a"]
    assert [one.code for one in found] == [None, Code.NO_LABEL, Code.NOT_IN_ONE_SPACE]
    assert not (third / "training.nc").exists()


def test_together_and_not_in_a_batch_a_refused_session_stops_the_work_before_it_begins(tmp_path: Path) -> None:
    def never(directories: list[Path]) -> dict[Path, list[Path] | Refusal]:
        raise AssertionError(directories)

    with pytest.raises(Refusal, match="no behaviour"):
        receipts.run_on_several("train", three(tmp_path), never)


def test_sessions_apart_do_not_stop_each_other_and_what_is_current_is_left_alone(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)
    receipts.run_command("train", third, writes(third, "training.nc"))
    (second / "training.nc").write_text("old")

    def work(directories: list[Path]) -> dict[Path, list[Path] | Refusal]:
        assert directories == [first]
        return {first: writes(first, "training.nc")()}

    def current(directory: Path) -> list[Path]:
        return [third / "training.nc"] if directory == third else []

    with pytest.raises(Refusal, match="no behaviour"):
        receipts.run_on_several("train", [third, second, first], work, independent=True, current=current)
    found = [receipts.load(directory, "train") for directory in (first, second, third)]
    assert [one.state for one in found] == ["done", "refused", "done"]
    assert found[2].files == {"training.nc": sha256(third / "training.nc")}
    assert not (second / "training.nc").exists()


@pytest.mark.parametrize("batch", [False, True])
def test_a_session_that_fails_by_itself_keeps_the_others_receipts(
    batch: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directories = [tmp_path / name for name in ("a", "b", "c", "d")]
    first, second, third, fourth = directories
    for directory in directories:
        directory.mkdir()
        (directory / "report.html").write_text("old")

    def work(left: list[Path]) -> dict[Path, list[Path] | Refusal | Failure]:
        (receipts.path(third, "train") / "in the way").mkdir(parents=True)
        done = {directory: writes(directory, "training.nc")() for directory in left}
        return done | {second: Failure("b: no space left on device"), first: Refusal(Code.TOO_SHORT, "too short")}

    with pytest.raises(Failure, match="b: no space left"):
        receipts.run_on_several("train", directories, work, batch=batch, independent=True)
    assert "failed: c: its receipt cannot be written: " in caplog.text
    assert [receipts.load(directory, "train").state for directory in (first, fourth)] == ["refused", "done"]
    assert not receipts.path(second, "train").exists()
    assert [directory for directory in directories if (directory / "report.html").exists()] == [fourth]


def test_what_goes_wrong_together_concerns_all_sessions(tmp_path: Path) -> None:
    first, second, third = three(tmp_path)

    def refuses_all(directories: list[Path]) -> dict[Path, list[Path] | Refusal]:
        raise Refusal(Code.NOT_IN_ONE_SPACE, "nothing in common")

    with pytest.raises(Refusal):
        receipts.run_on_several("train", [first, third], refuses_all)
    assert {receipts.load(directory, "train").reason for directory in (first, third)} == {"nothing in common"}

    def fails_all(directories: list[Path]) -> dict[Path, list[Path] | Refusal]:
        raise Failure("the disk is full")

    with pytest.raises(Failure):
        receipts.run_on_several("train", [first, second, third], fails_all, batch=True)
    assert not receipts.path(first, "train").exists()


def trained(directory: Path) -> list[Path]:
    """The files of a training that is current."""
    return [directory / "training.nc"] if (directory / "training.nc").exists() else []


def never() -> list[Path]:
    raise AssertionError("trained again")


@pytest.mark.parametrize("lost", [("train",), ("extract", "train", "attribute")])
def test_a_training_that_is_current_is_left_alone_also_without_its_receipt(
    lost: tuple[str, ...], tmp_path: Path
) -> None:
    for command, name in (("extract", "session.nc"), ("train", "training.nc"), ("attribute", "attribution.nc")):
        receipts.run_command(command, tmp_path, writes(tmp_path, name))
    before = receipts.path(tmp_path, "train").read_bytes()
    for command in lost:  # as the workflow does when one command of a job fails
        receipts.path(tmp_path, command).unlink()
    assert receipts.run_command("train", tmp_path, never, current=trained) == [tmp_path / "training.nc"]
    assert receipts.path(tmp_path, "train").read_bytes() == before


def test_a_training_that_is_damaged_is_done_again(tmp_path: Path) -> None:
    receipts.run_command("train", tmp_path, writes(tmp_path, "training.nc"))
    receipts.path(tmp_path, "train").unlink()
    (tmp_path / "training.nc").write_text("damaged")
    receipts.run_command("train", tmp_path, writes(tmp_path, "training.nc"), current=trained)
    assert (tmp_path / "training.nc").read_text() == "content"


def test_a_training_outlives_a_failure_before_it_and_no_refusal(tmp_path: Path) -> None:
    receipts.run_command("train", tmp_path, writes(tmp_path, "training.nc"))
    receipts.run_command("attribute", tmp_path, writes(tmp_path, "attribution.nc"))
    with pytest.raises(Failure):
        receipts.run_command("extract", tmp_path, fails)
    assert (tmp_path / "training.nc").exists()
    assert not receipts.path(tmp_path, "train").exists() and not (tmp_path / "attribution.nc").exists()
    receipts.run_command("train", tmp_path, never, current=trained)
    receipts.run_command("extract", tmp_path, refuses, batch=True)
    assert not (tmp_path / "training.nc").exists()


def test_a_folder_whose_name_no_file_can_have_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="250 characters"):
        receipts.run_command("extract", tmp_path / ("a" * 250), never)
