"""doctor: says what a machine has and what would help, and ends with 1 if something is wrong."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
import torch

from tests.support.command_line import run
from tests.support.loopback import Loopback
from xcebra_nwb.commands import doctor, doctor_archive, doctor_training
from xcebra_nwb.commands.doctor_finding import Finding

QUIET = ("doctor", "--offline", "--no-train")


def found(part: str, findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.part == part)


def test_every_part_is_said_once_and_a_sound_machine_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(capsys, *QUIET, "--json")
    parts = [finding["part"] for finding in json.loads(said) if finding["part"] not in {"software", "disk"}]
    assert (code, parts) == (0, ["cores", "memory", "card", "compiler", "cache", "shared cache", "cluster"])


def test_a_cache_that_others_may_write_to_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("XCEBRA_NWB_CACHE", str(tmp_path))
    code, said, _ = run(capsys, *QUIET)
    assert code == 1
    assert f"wrong cache: {tmp_path}: others may write to this folder" in said


def test_the_shared_cache_is_said_to_be_usable_read_only_or_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state(named: str) -> tuple[str, str]:
        monkeypatch.setenv("XCEBRA_NWB_SHARED_CACHE", named)
        finding = doctor._shared_cache()
        return finding.state, finding.text

    assert state("") == ("ok", "none: XCEBRA_NWB_SHARED_CACHE names none")
    assert state(f"{tmp_path}/new") == ("ok", f"{tmp_path}/new: results can be taken and added")
    assert state("relative") == (
        "wrong",
        "XCEBRA_NWB_SHARED_CACHE: relative is relative, and jobs run in other folders",
    )
    (tmp_path / "xcebra-nwb-results-1").write_text("a file, where a folder has to be")
    assert state(str(tmp_path))[0] == "wrong"
    blocked = tmp_path / "blocked"
    (blocked / "xcebra-nwb-results-1" / "README").mkdir(parents=True)
    assert state(str(blocked))[0] == "note"


def test_little_memory_is_wrong_and_says_how_much_a_job_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcebra_nwb.core.host_memory.free_bytes", lambda: 700_000_000)
    memory = found("memory", doctor.doctor(instance=None, train=False))
    assert (memory.state, memory.text, memory.remedy) == ("wrong", "0.7 GB free", "a job with at least 2 GB")


def test_a_busy_machine_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    cores = found("cores", doctor.doctor(instance=None, train=False))
    assert cores.state == "note" and "1000 programs" in cores.text


def test_a_driver_without_a_torch_for_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    card = doctor_training.describe_card("auto")
    assert card.state == "note" and "built without CUDA" in card.text and card.remedy.startswith("install a build")


def test_a_card_that_is_named_and_is_not_there_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor_training.describe_card("cuda:1").state == "wrong"
    assert doctor_training.describe_rate("cuda:1").state == "wrong"


@pytest.mark.slow  # trains for a second
def test_the_rate_is_measured_and_a_warning_of_the_training_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = doctor_training.describe_rate("cpu")
    assert measured.state == "ok" and "steps a second" in measured.text

    def warns(*_: object) -> object:
        return lambda steps: logging.getLogger("xcebra_nwb").warning("plain steps, slower")

    monkeypatch.setattr(doctor_training, "ours", warns)
    warned = doctor_training.describe_rate("cpu")
    assert warned.state == "note" and "plain steps, slower" in warned.text


@pytest.mark.archive
def test_an_archive_that_answers_and_one_that_does_not(archive: Loopback) -> None:
    answers, key = doctor_archive.describe_archive(archive.site)
    assert answers.state == "ok" and archive.site in answers.text
    assert key.state == "note" and "open dandisets need none" in key.text
    (nothing,) = doctor_archive.describe_archive("http://127.0.0.1:9")
    assert nothing.state == "note" and "cannot be reached" in nothing.text
