"""The status of every session of a run: done, refused or failed, and the reason in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from xcebra_nwb.core import receipts, slurm_jobs
from xcebra_nwb.core.batches import log_path
from xcebra_nwb.core.errors import UsageError, one_line
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import printable

EXCERPT = 12  # lines of a log
TAIL = 20_000  # bytes of a log that are looked at
ERROR = re.compile(r"^xcebra-nwb: (?:(failed|error|refused): )?")  # what the command line puts before an error
SUCCESS = re.compile(
    r"(?:.*: )?(?:wrote |refused: |taken from )|.*(?:is current|current, nothing to do)$"
)  # its last line otherwise
NO_RECEIPT = "has to run again: its receipt is not there"
COLOR_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Status(BaseModel):
    """The status of one session, as status.json holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    session: str
    state: Literal["done", "refused", "failed"]
    code: Code | None = None  # of a refusal, see docs/reference/refusals.md
    reason: str = ""
    remedy: str = ""
    command: str = Field("", alias="verb")  # the command that refused or failed; the name in the file is older
    log: list[str] = []  # the last lines of the log of that command


def session_status(results: Path, session: str) -> Status:
    """Return the status of a session from its receipts and logs.

    It never raises an error for the contents of these files.

    Args:
        results: folder of the results.
        session: name of the session.
    """
    directory = results / session
    for command in receipts.ORDER:
        try:
            receipt = receipts.load_written(directory, command)
        except (UsageError, OSError) as error:
            return failed(results, session, command, f"the receipt of {command} cannot be read: {one_line(error)}")
        if receipt is None and command == "fetch" and not log_path(results, session, command).exists():
            continue  # a local file
        if receipt is None:
            command = _ended_last(results, session, command)
            return failed(results, session, command, _no_receipt(results, session, command))
        if receipt.state == "refused":
            said = {"code": receipt.code, "reason": receipt.reason, "remedy": receipt.remedy}
            return Status(session=session, state="refused", command=receipt.command, **said)
    return Status(session=session, state="done")


def failed(results: Path, session: str, command: str, reason: str) -> Status:
    """Return the status of a session that a command did not finish.

    Args:
        results: folder of the results.
        session: name of the session.
        command: name of the command; the end of its log is quoted.
        reason: the reason in one line.
    """
    path = log_path(results, session, command)
    remedy = f"read {path.relative_to(results).as_posix()} in the results, then run {command} again"
    log = log_excerpt(path)
    return Status(session=session, state="failed", reason=reason, remedy=remedy, command=command, log=log)


def log_excerpt(path: Path) -> list[str]:
    """Return the last lines of a log that are not empty; none if it is unreadable."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - TAIL))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [printable(line.rstrip()) for line in COLOR_CODE.sub("", text).replace("\r", "\n").splitlines()]
    return [line for line in lines if line][-EXCERPT:]


def _ended_last(results: Path, session: str, command: str) -> str:
    """Return the command that failed, of those from the first without a receipt.

    The workflow removes the receipts of all commands that run in one job, when one of them fails.
    """
    later = receipts.ORDER[receipts.ORDER.index(command) + 1 :]
    missing = [command, *(name for name in later if not receipts.path(results / session, name).exists())]
    logs = {name: log for name in missing if (log := log_path(results, session, name)).exists()}
    last = max(logs, key=lambda name: logs[name].stat().st_mtime, default=command)
    said = log_excerpt(logs[last]) if last in logs else []
    return last if said and not SUCCESS.match(said[-1]) else command


def _no_receipt(results: Path, session: str, command: str) -> str:
    log = log_excerpt(log_path(results, session, command))
    killed = slurm_jobs.reason(results / session)
    if killed:
        return f"{command} did not finish: {killed}"
    if not log:
        return f"{command} did not finish and left no log: the log of the workflow says whether its job began"
    last = one_line(log[-1])
    if SUCCESS.match(last):
        return f"{command} {NO_RECEIPT}"
    return ERROR.sub("", last) if ERROR.match(last) else f"{command} ended without an error; its last line: {last}"
