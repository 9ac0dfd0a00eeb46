"""The steps of a run while it works: one for each session and command, read from receipts, logs and measured times."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import Batch, log_path, read_batches
from xcebra_nwb.core.errors import UsageError, one_line
from xcebra_nwb.core.progress import ProgressLine, is_waiting
from xcebra_nwb.core.receipts import Receipt
from xcebra_nwb.report.status import ERROR, log_excerpt

State = Literal["waiting", "at work", "done", "refused", "failed"]
FINAL: tuple[State, ...] = ("done", "refused", "failed")
COMMANDS = receipts.ORDER
WORKFLOW_LOG = Path("logs", "workflow.log")
FAILED_JOB = re.compile(rb"^    log: (.+?) \(check log file", re.MULTILINE)  # what Snakemake writes of a failed job
TOUCHED = 5_000_000_000  # ns after which the workflow sets the time of the receipt at most
Stamp = tuple[int, int]  # inode, time in ns


@dataclass(frozen=True)
class Step:
    """One command on one session.

    Attributes:
        session: name of the session.
        command: name of the command.
        state: what became of it so far.
        reason: why it was refused or failed, or what it waits for, in one line.
        progress: how far it is, where its log says so.
        seconds: how long it took; None while it works, or where nobody measured it.
        written: tells receipts apart that were written one after the other; None without a receipt.
    """

    session: str
    command: str
    state: State
    reason: str = ""
    progress: ProgressLine | None = None
    seconds: float | None = None
    written: int | None = None


def file_stamp(path: Path) -> Stamp | None:
    """Numbers that change when a file is written again, also with the same content; None without a file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class RunSteps:
    """Reads the steps of a run again and again; a file that did not change is read once."""

    def __init__(self, results: Path, sessions: Sequence[str]) -> None:
        """Keep where to look.

        Args:
            results: folder of the results.
            sessions: names of the sessions.
        """
        self._results, self._sessions = results, list(sessions)
        self._known: dict[tuple[str, str], tuple[Stamp, Receipt | str]] = {}
        self._seconds: dict[tuple[str, str], tuple[int, float]] = {}
        self._failed, self._looked = set[Path](), 0  # logs of failed jobs; bytes of the workflow's log that were read
        self._began = _beginning(results)

    def read(self) -> list[Step]:
        """Return all steps, session by session, in the order of the commands."""
        self._read_failures()
        try:
            batches = read_batches(self._results)
        except (UsageError, OSError):
            batches = []
        return [step for session in self._sessions for step in self._of_session(session, batches)]

    def _of_session(self, session: str, batches: Sequence[Batch]) -> list[Step]:
        steps, open_ended = list[Step](), False
        for command in COMMANDS:
            log = self._log(session, command, batches) if not open_ended else None
            step = self._written(session, command, batches)
            if step is None and command == "fetch" and log is None:
                continue  # a local file
            if step is None:
                step = Step(session, command, "waiting") if open_ended else self._unwritten(session, command, log)
                open_ended = True
            steps.append(step)
        return steps

    def _written(self, session: str, command: str, batches: Sequence[Batch]) -> Step | None:
        """Return the step that a receipt tells of; None without a receipt."""
        path = receipts.path(self._results / session, command)
        stamp = file_stamp(path)
        if stamp is None:
            return None
        known = self._known.get((session, command))
        if known is None or known[0] != stamp:
            try:
                said: Receipt | str = receipts.load(self._results / session, command)
            except (UsageError, OSError) as error:
                said = one_line(error)
            known = self._known[session, command] = (stamp, said)
        receipt = known[1]
        if isinstance(receipt, str):
            return Step(session, command, "failed", receipt, written=stamp[0])
        said = " – ".join(part for part in (receipt.reason, receipt.remedy) if part)
        reason = f"{said} [{receipt.code}]" if receipt.code else said
        log = log_path(self._results, session, command, batches)
        seconds = self._measured(session, command, stamp, log)
        # Not by its time: the workflow sets the time of every file that a job wrote, once the job has ended.
        return Step(session, command, receipt.state, reason, seconds=seconds, written=stamp[0])

    def _unwritten(self, session: str, command: str, log: Path | None) -> Step:
        """Return the first step of a session that has no receipt."""
        if log is None:
            return Step(session, command, "waiting")
        lines = log_excerpt(log)
        if log in self._failed or (lines and _is_error(lines[-1])):
            last = one_line(lines[-1]) if lines else "it ended without a word"
            return Step(session, command, "failed", ERROR.sub("", last))
        last = lines[-1] if lines else ""
        return Step(session, command, "at work", last if is_waiting(last) else "", ProgressLine.read(last))

    def _log(self, session: str, command: str, batches: Sequence[Batch]) -> Path | None:
        """Return the log of a command in this run; None if it has not begun."""
        log = log_path(self._results, session, command, batches)
        stamp = file_stamp(log)
        return log if stamp is not None and stamp[1] >= self._began else None

    def _measured(self, session: str, command: str, written: Stamp, log: Path) -> float | None:
        """Return the time that the workflow measured of a step; None where it measured none.

        The workflow writes it when the command has ended, so an older file tells of an earlier run.
        """
        known = self._seconds.get((session, command))
        if known is not None and known[0] == written[0]:
            return known[1]
        table = (self._results / "benchmarks" / log.relative_to(self._results / "logs")).with_suffix(".tsv")
        stamp = file_stamp(table)
        if stamp is None or stamp[1] < written[1] - TOUCHED:
            return None
        try:
            with table.open(encoding="utf-8", newline="") as stream:
                seconds = float(next(csv.DictReader(stream, dialect="excel-tab"))["s"])
        except (OSError, StopIteration, KeyError, ValueError, TypeError):
            return None
        self._seconds[session, command] = (written[0], seconds)
        return seconds

    def _read_failures(self) -> None:
        """Note the jobs that the workflow says have failed; it tells of those that were killed, too."""
        path = self._results / WORKFLOW_LOG
        try:
            with path.open("rb") as stream:
                stream.seek(self._looked)
                text = stream.read()
        except OSError:
            return
        whole = text.rfind(b"\n") + 1
        self._looked += whole
        names = (match[1].decode("utf-8", "replace") for match in FAILED_JOB.finditer(text[:whole]))
        self._failed |= {self._results / name for name in names}


def _is_error(line: str) -> bool:
    said = ERROR.match(line)
    return said is not None and said[1] in ("failed", "error")


def _beginning(results: Path) -> int:
    """When a run began, by the clock of its file system, ns: it writes its config first."""
    stamps = (file_stamp(results / name) for name in ("config.yaml", "settings.yaml"))
    return next((stamp[1] for stamp in stamps if stamp is not None), 0)


def time_left(steps: Iterable[Step], jobs: int = 1) -> float | None:
    """Return the seconds that a run still needs.

    A step takes as long as the same command took on other sessions, or what its own log says.

    Args:
        steps: all steps of the run.
        jobs: how many work at the same time.

    Returns:
        The seconds; None while a command that has to run has not run on any session.
    """
    steps = list(steps)
    measured: dict[str, list[float]] = {}
    for step in steps:
        if step.state == "done" and step.seconds is not None:
            measured.setdefault(step.command, []).append(step.seconds)
    ended = {step.session for step in steps if step.state == "failed"}
    left = 0.0
    for step in steps:
        if step.state in FINAL or step.session in ended:
            continue
        if step.progress is not None:
            left += step.progress.seconds_left
        elif step.command in measured:
            left += sum(measured[step.command]) / len(measured[step.command])
        else:
            return None
    return left / max(jobs, 1)


def duration(seconds: float) -> str:
    """Return a time in words for reading.

    >>> duration(0.4), duration(75), duration(3600), duration(100_000)
    ('under 1 s', '1 min 15 s', '1 h', '27 h 47 min')
    """
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, names = (whole // 60, whole % 60, ("min", "s"))
    if whole >= 3600:
        large, small, names = (whole // 3600, whole % 3600 // 60, ("h", "min"))
    return f"{large} {names[0]}" + (f" {small} {names[1]}" if small else "")
