"""The status of every session of a run: done, refused or failed, and the reason in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import log_path
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.printable import printable
from xcebra_nwb.core.refusals import Code

EXCERPT = 12  # lines of a log
TAIL = 20_000  # bytes of a log that are looked at
ERROR = re.compile(r"^xcebra-nwb: (failed|error|refused): ")  # what the command line puts before an error
COLOR_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Status(BaseModel):
    """The status of one session, as status.json holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: str
    state: Literal["done", "refused", "failed"]
    code: Code | None = None  # of a refusal, see docs/reference/refusals.md
    reason: str = ""
    remedy: str = ""
    verb: str = ""  # where it ended, if it did not end well
    log: list[str] = []  # the last lines of that verb's log


def session_status(results: Path, session: str) -> Status:
    """Return the status of a session from its receipts and logs.

    It never raises an error for the contents of these files.

    Args:
        results: folder of the results.
        session: name of the session.
    """
    directory = results / session
    for verb in receipts.ORDER:
        try:
            receipt = receipt_of(directory, verb)
        except (UsageError, OSError) as error:
            return failed(results, session, verb, f"the receipt of {verb} cannot be read: {one_line(error)}")
        if receipt is None and verb == "fetch" and not log_path(results, session, verb).exists():
            continue  # a local file
        if receipt is None:
            return failed(results, session, verb, _no_receipt(results, session, verb))
        if receipt.state == "refused":
            said = {"code": receipt.code, "reason": receipt.reason, "remedy": receipt.remedy}
            return Status(session=session, state="refused", verb=receipt.command, **said)
    return Status(session=session, state="done")


def receipt_of(directory: Path, verb: str) -> receipts.Receipt | None:
    """Return the receipt of a command; None where it left none.

    Args:
        directory: folder of the session.
        verb: name of the command.

    Raises:
        UsageError: the receipt cannot be read.
    """
    path = receipts.path(directory, verb)
    try:
        return receipts.load(directory, verb) if path.exists() else None
    except ValueError as error:
        raise UsageError(f"{path}: not a receipt: {one_line(error)}", f"run {verb} again") from None


def refusal(directory: Path) -> receipts.Receipt | None:
    """Return the first receipt that refuses the session; None without one."""
    left = (receipt_of(directory, verb) for verb in receipts.ORDER)
    return next((receipt for receipt in left if receipt is not None and receipt.state == "refused"), None)


def failed(results: Path, session: str, verb: str, reason: str) -> Status:
    """Return the status of a session that a command did not finish.

    Args:
        results: folder of the results.
        session: name of the session.
        verb: name of the command; the end of its log is quoted.
        reason: the reason in one line.
    """
    path = log_path(results, session, verb)
    remedy = f"read {path.relative_to(results).as_posix()} in the results, then run {verb} again"
    log = log_excerpt(path)
    return Status(session=session, state="failed", reason=reason, remedy=remedy, verb=verb, log=log)


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


def one_line(error: Any) -> str:
    r"""Return an error as one short line.

    >>> one_line(ValueError("two\n  lines"))
    'two lines'
    """
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__


def _no_receipt(results: Path, session: str, verb: str) -> str:
    log = log_excerpt(log_path(results, session, verb))
    return ERROR.sub("", one_line(log[-1])) if log else f"{verb} did not finish and left no log"
