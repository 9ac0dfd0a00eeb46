"""Receipts: what a verb says of its run on one session, and how the next verb learns that there is nothing to do.

A refused session is an answer, not an error: its verbs succeed and pass the refusal on, so that one workflow run ends
well with done and refused sessions side by side. A receipt lists the digests of the files that the verb wrote, so
that a verb run again with the same result does not make the later ones run again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xcebra_nwb.errors import Refusal, UsageError
from xcebra_nwb.files import read_json, sha256, write_json

ORDER = ("extract", "train", "attribute", "assess", "write", "check", "report")
State = Literal["done", "refused"]


class Receipt(BaseModel):
    """One verb's outcome on one session."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: str
    session: str
    state: State
    reason: str = ""
    remedy: str = ""
    files: dict[str, str] = Field(default_factory=dict, description="file name: SHA-256")


def path(directory: Path, verb: str) -> Path:
    """Return where ``verb`` keeps its receipt in a session's results ``directory``."""
    return directory / "receipts" / f"{verb}.json"


def save(receipt: Receipt, directory: Path) -> None:
    """Write the receipt of a verb into a session's results ``directory``."""
    write_json(path(directory, receipt.verb), receipt.model_dump())


def load(directory: Path, verb: str) -> Receipt:
    """Return the receipt of ``verb``; raise :class:`UsageError` when the verb has not run or its receipt is broken."""
    where = path(directory, verb)
    try:
        return Receipt.model_validate(read_json(where))
    except ValidationError as error:
        raise UsageError(f"{where}: not a receipt: {error.error_count()} wrong fields", f"run {verb} again") from None


def carry_out(verb: str, directory: Path, work: Callable[[], list[Path]], *, batch: bool = False) -> list[Path]:
    """Do a verb's ``work`` on the session of ``directory``, leave its receipt, and return the files it wrote.

    What an earlier run of the verb left is removed first, so that no old file stands beside a new failure. A session
    that an earlier verb refused is refused again; only ``report`` works on it, to say so.

    Raises:
        Refusal: the data cannot answer, unless ``batch``: then the receipt says so and that is all.
    """
    _remove_earlier(verb, directory)
    upstream = _upstream_refusal(verb, directory)
    try:
        if upstream is not None and verb != "report":
            raise Refusal(upstream.reason, upstream.remedy)
        files = work()
    except Refusal as refusal:
        kept = _digests(refusal.files, directory)
        save(_receipt(verb, directory, "refused", refusal.message, refusal.remedy, kept), directory)
        if not batch:
            raise
        return []
    save(_receipt(verb, directory, "done", files=_digests(files, directory)), directory)
    return files


def _digests(files: list[Path], directory: Path) -> dict[str, str]:
    return {file.relative_to(directory).as_posix(): sha256(file) for file in files}


def _receipt(
    verb: str,
    directory: Path,
    state: State,
    reason: str = "",
    remedy: str = "",
    files: dict[str, str] | None = None,
) -> Receipt:
    session = directory.resolve().name
    return Receipt(verb=verb, session=session, state=state, reason=reason, remedy=remedy, files=files or {})


def _remove_earlier(verb: str, directory: Path) -> None:
    if path(directory, verb).exists():
        for name in load(directory, verb).files:
            (directory / name).unlink(missing_ok=True)
        path(directory, verb).unlink()


def _upstream_refusal(verb: str, directory: Path) -> Receipt | None:
    """The first refusal among the verbs before ``verb``."""
    for earlier in ORDER[: ORDER.index(verb)]:
        if path(directory, earlier).exists():
            receipt = load(directory, earlier)
            if receipt.state == "refused":
                return receipt
    return None
