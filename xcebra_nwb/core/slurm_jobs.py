"""The jobs of SLURM that work on a session: which they are, how SLURM ended them, and those that a dead run left.

A command notes its job beside the receipts when it begins, and removes the note when it ends by itself, with success or
with an error. So what is noted are jobs at work, and jobs that were killed. SLURM knows why they were killed.
"""

from __future__ import annotations

import getpass
import hashlib
import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from xcebra_nwb.core.errors import Failure, one_line
from xcebra_nwb.core.files import write_text

FILE = "receipts/.jobs"  # in the folder of a session: one number a line; "-" for a job that is not of SLURM
JOB = "SLURM_JOB_ID"
OTHER = "-"
LARGEST = 10_000  # bytes of the file that are read
SECONDS_TO_ANSWER = 60.0
SECONDS_TO_END = 120.0  # after scancel
SECONDS_BETWEEN_LOOKS = 1.0
ENDS = {  # of SLURM, in the words of a reason
    "TIMEOUT": "it reached its time limit",
    "OUT_OF_MEMORY": "it took more memory than it had asked for",
    "NODE_FAIL": "its node failed",
    "CANCELLED": "it was cancelled",
    "PREEMPTED": "a job of higher priority took its place",
    "BOOT_FAIL": "its node did not start",
    "DEADLINE": "it reached its deadline",
    "FAILED": "it was killed on its node",
}
logger = logging.getLogger("xcebra_nwb")


class Kills(NamedTuple):
    """How often a session was killed for want of memory and of time; ``unknown`` if SLURM does not say why."""

    memory: int = 0
    time: int = 0
    unknown: int = 0


@contextmanager
def noted(directories: Iterable[Path]) -> Iterator[None]:
    """Note this job beside the receipts of sessions, until it ends by itself.

    Args:
        directories: Folders of the sessions.
    """
    job, folders = os.environ.get(JOB, OTHER), list(directories)
    for folder in folders:
        _write(folder, [*read(folder), job])
    try:
        yield
    finally:
        for folder in folders:
            jobs = read(folder)
            if job in jobs:  # the oldest is of an earlier kill, such as of a job that SLURM started again
                del jobs[len(jobs) - 1 - jobs[::-1].index(job)]
                _write(folder, jobs)


def read(directory: Path) -> list[str]:
    """Return the jobs that are at work on a session or were killed, the newest last."""
    try:
        with (directory / FILE).open(encoding="ascii", errors="replace") as stream:
            lines = stream.read(LARGEST).split()
    except OSError:
        return []
    return [line for line in lines if line == OTHER or line.isdigit()]


def forget(directory: Path) -> None:
    """Forget which jobs were killed, when a session is finished."""
    (directory / FILE).unlink(missing_ok=True)


def _write(directory: Path, jobs: Sequence[str]) -> None:
    with suppress(OSError):  # a full disk: what is missing here only keeps the next attempt from asking for more
        if jobs:
            write_text(directory / FILE, "".join(f"{job}\n" for job in jobs))
        else:
            forget(directory)


class History:
    """How the jobs of the sessions of one run ended."""

    def __init__(self, results: Path, sessions: Iterable[str]) -> None:
        """Read nothing yet: SLURM is asked at most once for all sessions, and once for each further attempt of one."""
        self._results, self._sessions = results, list(sessions)
        self._kills: dict[tuple[str, int], Kills] = {}
        self._earlier: dict[str, Kills] | None = None

    def kills(self, session: str, attempt: int) -> Kills:
        """Return how often a session was killed before its attempt of this number."""
        if attempt == 1:
            if self._earlier is None:
                self._earlier = self._of(self._sessions)
            return self._earlier.get(session, Kills())
        if (session, attempt) not in self._kills:
            self._kills[session, attempt] = self._of([session]).get(session, Kills())
        return self._kills[session, attempt]

    def _of(self, sessions: Sequence[str]) -> dict[str, Kills]:
        jobs = {session: read(self._results / session) for session in sessions}
        known = ends({job for noted_jobs in jobs.values() for job in noted_jobs if job != OTHER})
        return {session: _counted(noted_jobs, known) for session, noted_jobs in jobs.items() if noted_jobs}


def _counted(jobs: Sequence[str], known: Mapping[str, str]) -> Kills:
    states = [known.get(job, "") for job in jobs]
    # A command that is killed while its job goes on and fails: by the system of the node, for want of memory.
    memory = sum(state in ("OUT_OF_MEMORY", "FAILED") for state in states)
    return Kills(memory, states.count("TIMEOUT"), states.count(""))


def ends(jobs: Iterable[str]) -> dict[str, str]:
    """Return the state in which SLURM ended jobs, such as "TIMEOUT"; jobs that it does not know are left out.

    Args:
        jobs: Numbers of the jobs.
    """
    numbers = ",".join(sorted(set(jobs)))
    if not numbers:
        return {}
    # A step that takes too much memory is ended, and with it the job, which then only says that it failed.
    said = _ask("sacct", "--jobs", numbers, "--noheader", "--parsable2", "--format=JobIDRaw,State")
    found: dict[str, str] = {}
    for line in (said or "").splitlines():
        name, _, state = line.partition("|")
        job, state = name.partition(".")[0], state.split(" ")[0]  # "CANCELLED by 0"
        if state == "OUT_OF_MEMORY" or job not in found:
            found[job] = state
    return found or _ends_without_accounting(numbers.split(","))


def _ends_without_accounting(jobs: Sequence[str]) -> dict[str, str]:
    """Return the states of jobs that ended a few minutes ago."""
    said = ((job, _ask("scontrol", "--oneliner", "show", "job", job) or "") for job in jobs)
    states = ((job, re.search(r"\bJobState=(\w+)", answer)) for job, answer in said)
    return {job: state[1] for job, state in states if state}


def reason(directory: Path) -> str:
    """Return why the last job of a session was killed, in a few words; empty if it was not, or SLURM does not know."""
    job = next(reversed(read(directory)), OTHER)
    state = ends([job]).get(job, "") if job != OTHER else ""
    return f"SLURM ended job {job}: {ENDS[state]}" if state in ENDS else ""


def mark(results: Path) -> str:
    """Return a short name of a folder of results, by which its jobs are found in the queue of SLURM."""
    return hashlib.sha256(os.fsencode(results.resolve())).hexdigest()[:10]


def cancel_left(results: Path) -> list[str]:
    """Cancel the jobs that a run which was killed left in the queue, wait for their end, and return their numbers.

    The caller holds the folder, so nobody waits for these jobs, and new ones would do the same work beside them.

    Args:
        results: Folder of the results.

    Raises:
        Failure: The jobs do not end.
    """
    left = _in_queue(results)
    if not left:
        return []
    logger.warning("cancelling jobs that an earlier run left: %s", ", ".join(left))
    _ask("scancel", *left)
    deadline = time.monotonic() + SECONDS_TO_END
    while still := _in_queue(results):
        if time.monotonic() > deadline:
            raise Failure(
                f"{results}: jobs of an earlier run are still in the queue: {', '.join(still)}",
                f"wait for them, or scancel {' '.join(still)}",
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return left


def _in_queue(results: Path) -> list[str]:
    """Return the jobs of this user in the queue whose comment names a folder of results."""
    user = getpass.getuser()
    said = _ask("squeue", "--noheader", "--user", user, "--format", "%i|%k") or ""
    rows = (line.partition("|") for line in said.splitlines())
    return [number for number, _, comment in rows if f"@{mark(results)}" in comment]


def _ask(program: str, *arguments: str) -> str | None:
    """Return what a program of SLURM says; None if there is none, or it fails."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        words = [found, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("%s does not answer: %s", program, one_line(error))
        return None
    if done.returncode != 0:
        logger.debug("%s: %s", program, one_line(done.stderr))
        return None
    return done.stdout
