"""Which jobs of SLURM were killed while they worked on a session, and why; stand-ins answer for its programs."""

from pathlib import Path

import pytest

from xcebra_nwb.core import slurm_jobs
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.receipts import run_command
from xcebra_nwb.core.slurm_jobs import History, Kills
from xcebra_nwb.report.status import session_status


class Slurm:
    """Programs of SLURM that give fixed answers, and note how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def answers(self, program: str, said: str = "", after: str = "") -> None:
        script = f"#!/bin/sh\necho \"$@\" >> {self.folder}/{program}.asked\ncat <<'END'\n{said}\nEND\n{after}\n"
        (self.folder / program).write_text(script)
        (self.folder / program).chmod(0o755)

    def asked(self, program: str) -> list[str]:
        file = self.folder / f"{program}.asked"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    programs = Slurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{programs.folder}:/usr/bin:/bin")
    for name in ("sacct", "scontrol", "squeue", "scancel"):
        programs.answers(name)
    return programs


def killed(directory: Path, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what a command leaves that is killed in a job."""
    monkeypatch.setenv(slurm_jobs.JOB, job)
    noted = slurm_jobs.read(directory)
    with slurm_jobs.noted([directory]):
        kept = (directory / slurm_jobs.FILE).read_bytes()
    assert slurm_jobs.read(directory) == noted
    (directory / slurm_jobs.FILE).write_bytes(kept)


def test_a_job_is_noted_while_its_command_works_and_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path / "a", "11", monkeypatch)
    monkeypatch.setenv(slurm_jobs.JOB, "12")

    def work() -> list[Path]:
        assert slurm_jobs.read(tmp_path / "a") == ["11", "12"]
        raise ValueError

    with pytest.raises(ValueError):
        run_command("extract", tmp_path / "a", work, batch=True)
    assert slurm_jobs.read(tmp_path / "a") == ["11"]
    page = tmp_path / "a" / "report.html"
    run_command("report", tmp_path / "a", lambda: [page] if page.write_text("a page") else [], batch=True)
    assert slurm_jobs.read(tmp_path / "a") == []  # the session is finished


def test_only_a_kill_for_memory_or_time_lets_the_next_attempt_ask_for_more(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ("TIMEOUT", "OUT_OF_MEMORY", "CANCELLED by 0", "NODE_FAIL", "PREEMPTED", "RUNNING", "COMPLETED")
    rows = [f"{number}|{state}" for number, state in enumerate(states, 1)]
    slurm.answers("sacct", "\n".join([*rows, "8|FAILED", "8.batch|FAILED", "8.0|OUT_OF_MEMORY", "9|TIMEOUT"]))
    for number in range(1, 9):
        killed(tmp_path / "a", str(number), monkeypatch)
    killed(tmp_path / "b", "9", monkeypatch)
    killed(tmp_path / "c", "10", monkeypatch)  # nobody knows it any more
    history = History(tmp_path, ["a", "b", "c", "d"])
    assert [history.kills(session, 1) for session in "abcd"] == [
        *(Kills(memory=2, time=1), Kills(time=1), Kills(unknown=1), Kills())
    ]
    assert len(slurm.asked("sacct")) == 1
    killed(tmp_path / "b", "9", monkeypatch)
    assert history.kills("b", 2) == history.kills("b", 2) == Kills(time=2)
    assert len(slurm.asked("sacct")) == 2


def test_without_accounting_the_controller_says_why(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.answers("sacct", after="exit 1")
    slurm.answers("scontrol", "JobId=7 JobName=x JobState=TIMEOUT Reason=TimeLimit")
    killed(tmp_path / "a", "7", monkeypatch)
    assert History(tmp_path, ["a"]).kills("a", 1) == Kills(time=1)


def test_without_slurm_the_reason_of_a_kill_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    killed(tmp_path / "a", slurm_jobs.OTHER, monkeypatch)
    assert History(tmp_path, ["a"]).kills("a", 2) == Kills(unknown=1)
    assert slurm_jobs.reason(tmp_path / "a") == "" and slurm_jobs.cancel_left(tmp_path) == []


def test_the_summary_says_how_slurm_ended_a_session(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.answers("sacct", "7|TIMEOUT")
    killed(tmp_path / "a", "7", monkeypatch)
    status = session_status(tmp_path, "a")
    assert (status.state, status.command) == ("failed", "extract")
    assert status.reason == "extract did not finish: SLURM ended job 7: it reached its time limit"


def test_the_jobs_that_a_dead_run_left_are_cancelled_and_no_others(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, queue = slurm_jobs.mark(tmp_path), tmp_path / "queue"
    queue.write_text(f"3|rule_a@{ours}_train\n4|rule_a@{slurm_jobs.mark(tmp_path / 'other')}_train\n5|(null)\n")
    slurm.answers("squeue", after=f"cat {queue}")
    slurm.answers("scancel", after=f"sed -i /@{ours}/d {queue}")
    assert slurm_jobs.cancel_left(tmp_path) == ["3"]
    assert slurm.asked("scancel") == ["3"]
    slurm.answers("scancel")
    queue.write_text(f"6|rule_a@{ours}_train\n")
    monkeypatch.setattr(slurm_jobs, "SECONDS_TO_END", 0.0)
    monkeypatch.setattr(slurm_jobs, "SECONDS_BETWEEN_LOOKS", 0.0)
    with pytest.raises(Failure, match="still in the queue: 6"):
        slurm_jobs.cancel_left(tmp_path)
