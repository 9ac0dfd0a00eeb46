"""How every session of a run ended: done, refused or failed, and why, in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.core import receipts
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.logs import log_path
from xcebra_nwb.core.printable import printable
from xcebra_nwb.core.refusals import Code

EXCERPT = 12  # lines of a log
TAIL = 20_000  # bytes of a log that are looked at
ERROR = re.compile(r"^xcebra-nwb: (failed|error|refused): ")  # what the command line puts before an error
COLOR_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Status(BaseModel):
    """One session's end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    session: str
    state: Literal["done", "refused", "failed"]
    code: Code | None = None  # of a refusal, see docs/reference/refusals.md
    reason: str = ""
    remedy: str = ""
    verb: str = ""  # where it ended, if it did not end well
    log: list[str] = []  # the last lines of that verb's log


def session_status(results: Path, session: str) -> Status:
    """Return how ``session`` ended, from its receipts and logs under ``results``; never raises for what is in them."""
    directory = results / session
    for verb in receipts.ORDER:
        try:
            found = receipt_of(directory, verb)
        except (UsageError, OSError) as error:
            return failed(results, session, verb, f"the receipt of {verb} cannot be read: {one_line(error)}")
        if found is None and verb == "fetch" and not log_path(results, session, verb).exists():
            continue  # a local file
        if found is None:
            return failed(results, session, verb, _no_receipt(results, session, verb))
        if found.state == "refused":
            said = {"code": found.code, "reason": found.reason, "remedy": found.remedy}
            return Status(session=session, state="refused", verb=found.verb, **said)
    return Status(session=session, state="done")


def receipt_of(directory: Path, verb: str) -> receipts.Receipt | None:
    """Return a verb's receipt, None where it left none.

    Raises:
        UsageError: the receipt cannot be read.
    """
    path = receipts.path(directory, verb)
    try:
        return receipts.load(directory, verb) if path.exists() else None
    except ValueError as error:
        raise UsageError(f"{path}: not a receipt: {one_line(error)}", f"run {verb} again") from None


def refusal(directory: Path) -> receipts.Receipt | None:
    """Return the first receipt that refuses the session, None where there is none."""
    found = (receipt_of(directory, verb) for verb in receipts.ORDER)
    return next((one for one in found if one is not None and one.state == "refused"), None)


def failed(results: Path, session: str, verb: str, reason: str) -> Status:
    """Return the status of a session that ``verb`` did not finish, with the end of its log."""
    path = log_path(results, session, verb)
    remedy = f"read {path.relative_to(results).as_posix()} in the results, then run {verb} again"
    log = log_excerpt(path)
    return Status(session=session, state="failed", reason=reason, remedy=remedy, verb=verb, log=log)


def log_excerpt(path: Path) -> list[str]:
    """Return the last lines of a log that are not empty; none where it cannot be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - TAIL))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [printable(line.rstrip()) for line in COLOR_CODE.sub("", text).replace("\r", "\n").splitlines()]
    return [line for line in lines if line][-EXCERPT:]


def one_line(error: Any) -> str:
    """Return an error as one line that is not endless."""
    return printable(" ".join(str(error).split()))[:300] or type(error).__name__


def _no_receipt(results: Path, session: str, verb: str) -> str:
    log = log_excerpt(log_path(results, session, verb))
    return ERROR.sub("", one_line(log[-1])) if log else f"{verb} did not finish and left no log"
