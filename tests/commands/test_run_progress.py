"""Following a run: one line when a step ends, nothing twice, and what fails at once."""

import json
import logging
import os
import re
from pathlib import Path

import pytest

from xcebra_nwb.commands import run_progress
from xcebra_nwb.commands.run_progress import RunMonitor, display
from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import ALL_SESSIONS, log_path
from xcebra_nwb.core.receipts import Receipt
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.report.steps import RunSteps, Step, time_left

PROGRESS = "training 6 members: 500 of 2000 steps, 25.0/s, 60 s left\n"
KILLED = "Error in rule train:\n    jobid: 3\n    log: logs/{}/train.log (check log file(s) for error details)\n"


def write_log(results: Path, who: str, command: str, text: str, time: int | None = None) -> Path:
    path = results / "logs" / who / f"{command}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if time is not None:
        os.utime(path, (time, time))
    return path


def end(results: Path, session: str, command: str, seconds: float | None = 75.2, **refusal: object) -> None:
    """The receipt of a command and, after it, the time that the workflow measured."""
    fields = {"command": command, "session": session, "state": "done"} | refusal
    receipts.save(Receipt.model_validate(fields), results / session)
    if seconds is not None:
        table = results / "benchmarks" / session / f"{command}.tsv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")


def begun(results: Path) -> Path:
    """The folder of a run that has just begun."""
    (results / "config.yaml").write_text("{}")
    os.utime(results / "config.yaml", (1000, 1000))
    return results


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, without the time of day; it grows."""

    class Lines(list[str]):
        def __iter__(self):
            for message in caplog.messages:
                time, _, line = message.partition("  ")
                assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
                yield line

        def __eq__(self, other: object) -> bool:
            return list(iter(self)) == other

    caplog.set_level(logging.INFO, logger="xcebra_nwb")
    return Lines()


def test_each_step_is_said_once_when_it_ends_and_progress_is_not(tmp_path: Path, said: list[str]) -> None:
    monitor = RunMonitor(begun(tmp_path), ["a", "b"])
    write_log(tmp_path, "a", "extract", "12 units\n")
    end(tmp_path, "a", "extract")
    write_log(tmp_path, "a", "train", PROGRESS)
    for _ in range(9):
        monitor.poll()
    assert said == ["a: extract: done in 1 min 15 s"]
    end(tmp_path, "a", "train", None)  # nobody measures its time
    monitor.poll()
    assert said == ["a: extract: done in 1 min 15 s"]
    for _ in range(run_progress.POLLS_FOR_TIME):
        monitor.poll()
        os.utime(receipts.path(tmp_path / "a", "train"))  # as the workflow does once the job has ended
    assert said == ["a: extract: done in 1 min 15 s", "a: train: done"]


def test_a_refusal_is_said_once_and_not_by_the_commands_that_pass_it_on(tmp_path: Path, said: list[str]) -> None:
    monitor = RunMonitor(begun(tmp_path), ["a"])
    for command in receipts.ORDER[1:-1]:
        end(tmp_path, "a", command, state="refused", code=Code.NOTHING_DONE, reason="no label", remedy="add one")
        monitor.poll()
    end(tmp_path, "a", "report")  # the page says why
    monitor.poll()
    assert said == [f"a: extract: refused: no label – add one [{Code.NOTHING_DONE}]"]


def test_a_failure_is_said_when_it_comes_also_of_a_job_that_was_killed(tmp_path: Path, said: list[str]) -> None:
    monitor = RunMonitor(begun(tmp_path), ["a", "b", "c"])
    write_log(tmp_path, "a", "extract", "12 units\nxcebra-nwb: failed: out of memory (a larger machine)\n")
    write_log(tmp_path, "c", "extract", "xcebra-nwb: failed: of an earlier run\n", time=1)
    end(tmp_path, "b", "extract")
    write_log(tmp_path, "b", "train", PROGRESS)
    monitor.poll()
    (tmp_path / "logs" / "workflow.log").write_text(KILLED.format("b"))
    monitor.poll()
    monitor.poll()
    assert said == [
        "a: extract: failed: out of memory (a larger machine)",
        "b: extract: done in 1 min 15 s",
        f"b: train: failed: {PROGRESS.strip()}",
    ]


def test_what_is_done_again_is_said_and_what_an_earlier_run_did_is_not(tmp_path: Path, said: list[str]) -> None:
    for command in ("extract", "assess"):
        end(tmp_path, "a", command)
    monitor = RunMonitor(begun(tmp_path), ["a"])
    monitor.poll()
    assert said == []
    end(tmp_path, "a", "assess", 2)  # within one poll
    monitor.poll()
    monitor.poll()
    assert said == ["a: assess: done in 2 s"]


def test_a_long_step_is_said_once_with_the_time_that_is_left(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_progress, "SECONDS_UNTIL_LONG", 0.0)
    monkeypatch.setattr(run_progress, "SECONDS_UNTIL_SILENT", 0.0)
    monitor = RunMonitor(begun(tmp_path), ["a"])
    write_log(tmp_path, "a", "extract", "")
    for _ in range(3):
        monitor.poll()
    end(tmp_path, "a", "extract")
    write_log(tmp_path, "a", "train", PROGRESS)
    for _ in range(3):
        monitor.poll()
    assert said == [
        "a: extract: at work for under 1 s",
        "a: extract: done in 1 min 15 s",
        "a: train: at work for under 1 s, about 1 min left",
    ]


def test_beside_a_display_only_the_ends_of_sessions_are_said(tmp_path: Path, said: list[str]) -> None:
    monitor = RunMonitor(begun(tmp_path), ["a"], brief=True)
    for command in receipts.ORDER[1:]:
        end(tmp_path, "a", command, 10)
        monitor.poll()
    assert said == ["a: done in 1 min 10 s"]
    assert display(monitor.steps) is not None


def test_the_time_left_is_that_of_the_same_command_elsewhere(tmp_path: Path) -> None:
    begun(tmp_path)
    end(tmp_path, "a", "extract", 10)
    steps = RunSteps(tmp_path, ["a", "b"])
    assert time_left(steps.read()) is None  # nobody knows how long train takes
    for command in receipts.ORDER[2:]:
        end(tmp_path, "a", command, 10)
    write_log(tmp_path, "b", "extract", PROGRESS)
    assert time_left(steps.read()) == 60 + 10 * (len(receipts.ORDER) - 2)
    assert time_left([Step("a", "train", "failed"), Step("a", "assess", "waiting")]) == 0


def test_a_time_of_an_earlier_run_is_not_taken_for_that_of_this_one(tmp_path: Path) -> None:
    end(tmp_path, "a", "extract", 75)
    os.utime(tmp_path / "benchmarks" / "a" / "extract.tsv", (1, 1))
    assert RunSteps(tmp_path, ["a"]).read()[0].seconds is None


@pytest.mark.parametrize("content", ["", "{", json.dumps({"state": "perhaps"})])
def test_a_receipt_that_cannot_be_read_is_a_failure(content: str, tmp_path: Path) -> None:
    receipts.path(tmp_path / "a", "extract").parent.mkdir(parents=True)
    receipts.path(tmp_path / "a", "extract").write_text(content)
    step = RunSteps(tmp_path, ["a"]).read()[0]
    assert (step.state, bool(step.reason)) == ("failed", True)


def test_a_session_has_the_log_of_the_job_that_was_last(tmp_path: Path) -> None:
    own = write_log(tmp_path, "a", "train", "alone", time=1)
    assert log_path(tmp_path, "a", "train") == own
    shared = write_log(tmp_path, ALL_SESSIONS, "train", "all", time=2)
    assert log_path(tmp_path, "a", "train") == log_path(tmp_path, "b", "train") == shared
    os.utime(own, (3, 3))
    assert log_path(tmp_path, "a", "train") == own


def test_a_step_that_waits_for_the_network_says_so_each_time(tmp_path: Path, said: list[str]) -> None:
    monitor = RunMonitor(begun(tmp_path), ["a"])
    for seconds in (20, 20, 40):
        write_log(tmp_path, "a", "fetch", f"a: x.nwb: nothing has arrived for {seconds} s, trying on\n")
        monitor.poll()
    assert list(said) == [f"fetch: a: x.nwb: nothing has arrived for {seconds} s, trying on" for seconds in (20, 40)]
