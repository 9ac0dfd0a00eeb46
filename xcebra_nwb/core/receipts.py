"""Receipts: what a verb says of its run on one session, and how the next verb learns that there is nothing to do.

A refused session is an answer, not an error: its verbs succeed and pass the refusal on, so that one workflow run ends
well with done and refused sessions side by side. A receipt lists the digests of the files that the verb wrote, so
that a verb run again with the same result does not make the later ones run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xcebra_nwb.core.errors import Failure, NotInFile, Refusal, UsageError
from xcebra_nwb.core.files import read_json, sha256, unfinished, write_json
from xcebra_nwb.core.lock import alone
from xcebra_nwb.core.outputs import FILES
from xcebra_nwb.core.own_folder import check_inside
from xcebra_nwb.core.refusals import Code

ORDER = tuple(FILES)
FOLDER = "receipts"
State = Literal["done", "refused"]
Outcome = list[Path] | Refusal | Failure  # of a session: the files written, or why there are none
logger = logging.getLogger("xcebra_nwb")


class Receipt(BaseModel):
    """One verb's outcome on one session."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: str
    session: str
    state: State
    code: Code | None = Field(None, description="why it was refused, see docs/reference/refusals.md")
    reason: str = ""
    remedy: str = ""
    files: dict[str, str] = Field(default_factory=dict, description="file name: SHA-256")

    @model_validator(mode="after")
    def _refused_for_a_reason(self) -> Receipt:
        if (self.state == "refused") != (self.code is not None):
            raise ValueError("a refusal, and nothing else, has a code")
        return self


def path(directory: Path, verb: str) -> Path:
    """Return where ``verb`` keeps its receipt in a session's results ``directory``."""
    return directory / FOLDER / f"{verb}.json"


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

    What an earlier run of the verb left is removed first, and what later verbs made of it when the verb does not end
    well: no old result stands beside a refusal or a failure. A session that an earlier verb refused is refused again;
    only ``report`` works on it, to say so.

    Raises:
        Refusal: the data cannot answer, unless ``batch``: then the receipt says so and that is all. In a batch a
            config that names what this one file does not hold is a refusal too.
        UsageError: another process is working on the session, or its receipts lie elsewhere.
    """
    check_inside(directory, [FOLDER])
    with alone([directory]):
        return _carry_out(verb, directory, work, batch)


def _carry_out(verb: str, directory: Path, work: Callable[[], list[Path]], batch: bool) -> list[Path]:
    """See :func:`carry_out`."""
    _remove(verb, directory)
    upstream = _upstream_refusal(verb, directory)
    try:
        if upstream is not None and verb != "report":
            raise upstream
        files = work()
    except (Refusal, NotInFile) as refusal:
        _remove_later(verb, directory)
        if not batch and isinstance(refusal, NotInFile):
            raise
        _save_refusal(verb, directory, refusal)
        if not batch:
            raise
        logger.log(logging.INFO if upstream is None else logging.DEBUG, "refused: %s", refusal)
        return []
    except Exception:
        _remove_later(verb, directory)
        raise
    _save_done(verb, directory, files)
    logger.info("wrote %s", ", ".join(file.name for file in files))
    return files


def carry_out_together(
    verb: str,
    directories: Sequence[Path],
    work: Callable[[Sequence[Path]], Mapping[Path, Outcome]],
    *,
    batch: bool = False,
    apart: bool = False,
    current: Callable[[Path], list[Path]] = lambda directory: [],
) -> None:
    """Do a verb's ``work`` on several sessions at once and leave each one's receipt.

    ``work`` gets the directories that no earlier verb refused, and returns the files that it wrote in each, or why it
    refused that session, or could not write it. What it raises concerns all of them. Files are removed as by
    :func:`carry_out`.

    Args:
        apart: sessions have nothing to do with each other, so that a refused one stops no other.
        current: the files of an earlier run that ``work`` would write again, or none; what is there is left alone.

    Raises:
        Refusal: a session is refused, unless ``batch``; where it was an earlier verb that did it, nothing is begun
            unless the sessions are ``apart``.
        Failure: a session could not be written; the others are whole, and have their receipts.
        UsageError: another process is working on one of the sessions, or its receipts lie elsewhere.
    """
    for directory in directories:
        check_inside(directory, [FOLDER])
    with alone(directories):
        _carry_out_together(verb, directories, work, batch, apart, current)


def _carry_out_together(
    verb: str,
    directories: Sequence[Path],
    work: Callable[[Sequence[Path]], Mapping[Path, Outcome]],
    batch: bool,
    apart: bool,
    current: Callable[[Path], list[Path]],
) -> None:
    """See :func:`carry_out_together`."""
    refused = {d: refusal for d in directories if (refusal := _upstream_refusal(verb, d)) is not None}
    if refused and not batch and not apart:
        raise next(iter(refused.values()))
    there = {d: files for d in directories if d not in refused and (files := current(d))}
    for directory, files in there.items():
        _save_done(verb, directory, files)
        logger.info("%s: %s is current", directory.resolve().name, ", ".join(file.name for file in files))
    directories = [directory for directory in dict.fromkeys(directories) if directory not in there]
    for directory in directories:
        _remove(verb, directory)
    left = [directory for directory in directories if directory not in refused]
    try:
        outcomes = dict(work(left)) if left else {}
    except Refusal as refusal:
        outcomes = dict.fromkeys(left, refusal)
    except Exception:
        for directory in directories:
            _remove_later(verb, directory)
        raise
    ends = [_end(verb, directory, one, directory in refused) for directory, one in (refused | outcomes).items()]
    failures = [end for end in ends if isinstance(end, Failure)]
    for failure in failures[1:]:
        logger.error("failed: %s", failure)
    wrong = [*failures, *(end for end in ends if isinstance(end, Refusal) and not batch)]
    if wrong:
        raise wrong[0]


def _end(verb: str, directory: Path, outcome: Outcome, known: bool) -> Outcome:
    """Leave the receipt of one session of several; return its outcome, a failure where the receipt cannot be written.

    Args:
        known: it was an earlier verb that refused the session, and said so.
    """
    session = directory.resolve().name
    try:
        if isinstance(outcome, list):
            _save_done(verb, directory, outcome)
            logger.info("%s: wrote %s", session, ", ".join(file.name for file in outcome))
            return outcome
        _remove_later(verb, directory)
        if isinstance(outcome, Refusal):
            _save_refusal(verb, directory, outcome)
            logger.log(logging.DEBUG if known else logging.INFO, "%s: refused: %s", session, outcome)
    except OSError as error:
        with suppress(OSError):
            _remove_later(verb, directory)
        if not isinstance(outcome, Failure):
            return Failure(f"{session}: its receipt cannot be written: {error}", "make room there, and run it again")
    return outcome


def _save_done(verb: str, directory: Path, files: list[Path]) -> None:
    session = directory.resolve().name
    save(Receipt(verb=verb, session=session, state="done", files=_digests(files, directory)), directory)


def _save_refusal(verb: str, directory: Path, refusal: Refusal | NotInFile) -> None:
    files = _digests(getattr(refusal, "files", []), directory)
    said = {"code": refusal.code, "reason": refusal.message, "remedy": refusal.remedy}
    session = directory.resolve().name
    save(Receipt(verb=verb, session=session, state="refused", files=files, **said), directory)


def _digests(files: list[Path], directory: Path) -> dict[str, str]:
    return {file.relative_to(directory).as_posix(): sha256(file) for file in files}


def _remove(verb: str, directory: Path) -> None:
    """Remove the receipt and the files of a verb, whether or not the workflow has taken the receipt already.

    What a kill left of them half-written goes too: nobody else is writing there.
    """
    path(directory, verb).unlink(missing_ok=True)
    for pattern in FILES[verb]:
        for file in {*directory.glob(pattern), *directory.glob(unfinished(pattern))}:
            file.unlink()


def _remove_later(verb: str, directory: Path) -> None:
    for later in ORDER[ORDER.index(verb) + 1 :]:
        _remove(later, directory)


def _upstream_refusal(verb: str, directory: Path) -> Refusal | None:
    """The first refusal among the verbs before ``verb``."""
    for earlier in ORDER[: ORDER.index(verb)]:
        if path(directory, earlier).exists():
            receipt = load(directory, earlier)
            if receipt.code is not None:
                return Refusal(receipt.code, receipt.reason, receipt.remedy)
    return None
