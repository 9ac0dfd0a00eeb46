"""Following a run: every line once, also those of a job for all sessions."""

import logging
import os
from pathlib import Path

import pytest

from xcebra_nwb.commands.run_progress import RunMonitor
from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import ALL_SESSIONS, log_path
from xcebra_nwb.core.receipts import Receipt


def write_log(results: Path, who: str, command: str, text: str, time: int = 1) -> Path:
    path = results / "logs" / who / f"{command}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time, time))
    return path


def test_the_log_of_a_job_for_all_sessions_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    monitor = RunMonitor(tmp_path, ["a", "b"])
    write_log(
        tmp_path, ALL_SESSIONS, "train", "2 sessions in one latent space\ntraining: 5 of 9 steps, 4.0/s, 1 s left\n"
    )
    for session in ("a", "b"):
        write_log(tmp_path, session, "extract", "12 units\n")
        for command in ("extract", "train"):
            receipts.save(Receipt(command=command, session=session, state="done"), tmp_path / session)
    with caplog.at_level(logging.INFO, logger="xcebra_nwb"):
        monitor.poll()
        monitor.poll()
    said = ["a: extract: 12 units", "b: extract: 12 units", f"{ALL_SESSIONS}: train: 2 sessions in one latent space"]
    assert caplog.messages == said


def test_what_is_done_again_is_said_and_what_an_earlier_run_did_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for command in ("extract", "assess"):
        write_log(tmp_path, "a", command, "old\n")
        receipts.save(Receipt(command=command, session="a", state="done"), tmp_path / "a")
    monitor = RunMonitor(tmp_path, ["a"])
    with caplog.at_level(logging.INFO, logger="xcebra_nwb"):
        monitor.poll()
        receipts.path(tmp_path / "a", "assess").unlink()  # as the workflow does before it runs a job
        monitor.poll()
        write_log(tmp_path, "a", "assess", "position: supported\n")
        receipts.save(Receipt(command="assess", session="a", state="done"), tmp_path / "a")
        monitor.poll()
        monitor.poll()
    assert caplog.messages == ["a: assess: position: supported"]


def test_a_session_has_the_log_of_the_job_that_was_last(tmp_path: Path) -> None:
    own = write_log(tmp_path, "a", "train", "alone", time=1)
    assert log_path(tmp_path, "a", "train") == own
    shared = write_log(tmp_path, ALL_SESSIONS, "train", "all", time=2)
    assert log_path(tmp_path, "a", "train") == log_path(tmp_path, "b", "train") == shared
    os.utime(own, (3, 3))
    assert log_path(tmp_path, "a", "train") == own
