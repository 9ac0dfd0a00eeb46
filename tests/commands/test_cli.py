"""The command line: one line on every error, and the exit codes of the contract."""

import errno
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support import nwb_builders
from tests.support.command_line import one_line, run
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.files import atomic

QUICK = {"training": {"steps": 20, "batch_size": 64, "seeds": 2, "nulls": 3}, "neural": {"min_spikes": 10}}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(schema.dump(schema.validate(QUICK)))
    return path


def nwb_1(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file.create_group("epochs")
    return path


def truncated(path: Path) -> Path:
    whole = nwb_builders.tiny(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def text_file(path: Path) -> Path:
    path.write_text("not an NWB file")
    return path


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (lambda path: path, 2, "no such file"),
        (text_file, 3, "not an? (HDF5|NWB)"),
        (nwb_1, 3, "NWB 1.0.6 is too old"),
        (truncated, 3, "truncated|cut"),
        (nwb_builders.without_behaviour, 3, "no behaviour"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line(
    make, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, errors = run(capsys, "extract", make(tmp_path / "a.nwb"), tmp_path / "out")
    assert found == code
    assert re.search(says, one_line(errors))
    assert not (tmp_path / "out" / "session.nc").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trianing: {steps: 5}", "unknown key trianing (did you mean training?)"),
        ("training: {step: 5}", "unknown key training.step (did you mean steps?)"),
        ("training: {steps: many}", "training.steps"),
        ("training: {regularizer: {ramp: [1.5, 2]}}", "never switches on"),
        ("training: {denominator: negatives}", "encoder.clip"),
        ("training: [", "not YAML"),
    ],
)
def test_a_wrong_config_gives_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)
    code, _, errors = run(capsys, "train", tmp_path, "--config", wrong)
    assert code == 2
    assert says in one_line(errors)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"labels": {"position": {"source": "/processing/behavior/Position/positoin"}}}, 2, "Position/position"),
        ({"training": {"batch_size": 5000}}, 3, "fewer than a batch"),
        (
            {"time": {"within": [0, 0.4]}, "encoder": {"architecture": "conv10"}, "neural": {"min_spikes": 0}},
            3,
            "no window of 10 bins fits",
        ),
        ({"neural": {"min_spikes": 10**6}}, 3, "spikes"),
    ],
)
def test_a_question_that_the_file_cannot_answer_gives_one_line(
    change: dict, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "config.yaml"
    settings.write_text(schema.dump(schema.validate(QUICK | change)))
    source = nwb_builders.tiny(tmp_path / "a.nwb")
    found, _, errors = run(capsys, "extract", source, tmp_path / "out", "-c", settings)
    assert found == code
    assert says in one_line(errors)


@pytest.mark.slow
def test_a_graphics_card_that_is_not_there_is_said(
    tmp_path: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = nwb_builders.tiny(tmp_path / "a.nwb")
    run(capsys, "extract", source, tmp_path / "out", "-c", settings)
    settings.write_text(schema.dump(schema.validate(QUICK | {"training": QUICK["training"] | {"device": "cuda:99"}})))
    code, _, errors = run(capsys, "train", tmp_path / "out", "-c", settings)
    assert code == 2
    assert "cuda:99 is not there" in one_line(errors)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_usage_errors_are_one_line_with_the_nearest_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "trian")
    assert code == 2
    assert "train" in one_line(errors)


def test_an_unexpected_error_is_one_line_and_a_traceback_only_for_debug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path, follow: object) -> None:
        raise ZeroDivisionError("in the\nmiddle")

    monkeypatch.setattr("xcebra_nwb.commands.inspect.inspect", broken)
    code, _, errors = run(capsys, "inspect", tmp_path / "a.nwb")
    assert code == 1
    assert "unexpected ZeroDivisionError: in the middle" in one_line(errors)
    _, _, errors = run(capsys, "inspect", tmp_path / "a.nwb", "--debug")
    assert "Traceback" in errors


def test_a_full_disk_is_one_line_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, follow: object) -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "something long of a library")

    monkeypatch.setattr("xcebra_nwb.commands.inspect.inspect", full)
    code, _, errors = run(capsys, "inspect", tmp_path / "a.nwb")
    assert code == 1
    assert f"failed: {tmp_path / 'a.nwb'}: No space left on device (make room there" in one_line(errors)
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_is_one_line_that_says_what_would_help(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(path: Path, follow: object) -> None:
        np.empty(2**60, dtype=np.uint8)

    monkeypatch.setattr("xcebra_nwb.commands.inspect.inspect", too_large)
    code, _, errors = run(capsys, "inspect", tmp_path / "a.nwb")
    assert code == 1
    assert "failed: out of memory: Unable to allocate" in one_line(errors)
    assert "time.bin_width" in errors


def test_inspect_speaks_to_people_and_to_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = nwb_builders.tiny(tmp_path / "a.nwb")
    code, text, _ = run(capsys, "inspect", source)
    assert code == 0
    assert "position" in text
    code, text, _ = run(capsys, "inspect", source, "--json")
    assert "neural" in json.loads(text)


def test_quiet_says_nothing_when_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nwb_builders.tiny(tmp_path / "a.nwb")
    code, out, errors = run(capsys, "discover", tmp_path, "-o", tmp_path / "sessions.tsv", "-q")
    assert (code, out, errors) == (0, "", "")
    logging.getLogger("xcebra_nwb").setLevel(logging.NOTSET)


@pytest.mark.slow
def test_the_commands_one_after_another_leave_every_file_and_the_same_bits(
    tmp_path: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = nwb_builders.tiny(tmp_path / "sub-rat_ses-1.nwb", only_position=True)
    first, second = (tmp_path / name / "sub-rat_ses-1" for name in ("first", "second"))
    digests = []
    assert run(capsys, "extract", source, first, "-c", settings)[0] == 0
    shutil.copytree(first, second)
    for directory in (first, second):
        assert run(capsys, "train", directory, "-c", settings)[0] == 0
        assert run(capsys, "attribute", directory, "-c", settings)[0] == 0
        receipts = [
            json.loads((directory / "receipts" / f"{command}.json").read_text()) for command in ("train", "attribute")
        ]
        digests.append([receipts[0]["files"]["model.safetensors"], receipts[1]["files"]["attribution.nc"]])
    assert digests[0] == digests[1]
    assert run(capsys, "assess", first)[0] == 0
    assert json.loads((first / "assessment.json").read_text())["labels"].keys() == {"position"}


def test_the_bits_of_linear_algebra_do_not_depend_on_the_threads_that_the_environment_names() -> None:
    """A process of its own, since OpenBLAS reads the variable when it is loaded."""
    code = "import sys; sys.argv = ['xcebra-nwb', '--version']; from xcebra_nwb.commands.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\nimport os, numpy, threadpoolctl\n"
    code += "print(*{pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas'})"
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1"


@pytest.mark.parametrize(("given", "expected"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_a_waiting_thread_is_told_to_sleep_before_torch_is_loaded(given: dict[str, str], expected: str) -> None:
    code = (
        "import os, sys, xcebra_nwb.commands.cli as cli; assert 'torch' not in sys.modules;"
        "sys.argv = ['xcebra-nwb', '--help']\n"
        "try: cli.main()\n"
        "finally: print(os.environ['GOMP_SPINCOUNT'], file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert said.returncode == 0 and said.stderr.strip() == expected
