"""Receipts: the outcome of a command on one session, from which the next command learns that there is nothing to do.

A refused session is an answer and no error. Its commands succeed and pass the refusal on, so one run of the workflow
ends well with done and refused sessions. A receipt lists the digests of the files that the command wrote, so a command
that gives the same result again does not make the later ones run again.
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
from xcebra_nwb.core.lock import exclusive
from xcebra_nwb.core.outputs import FILES
from xcebra_nwb.core.own_folder import check_inside
from xcebra_nwb.core.refusals import Code

ORDER = tuple(FILES)
FOLDER = "receipts"
State = Literal["done", "refused"]
Outcome = list[Path] | Refusal | Failure  # of a session: the files written, or why there are none
logger = logging.getLogger("xcebra_nwb")


class Receipt(BaseModel):
    """The outcome of one command on one session."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    command: str = Field(alias="verb")  # the name in the file is older than the word
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


def path(directory: Path, command: str) -> Path:
    """Return the path of the receipt of ``command`` in a session's results ``directory``.

    >>> path(Path("results/a"), "train").as_posix()
    'results/a/receipts/train.json'
    """
    return directory / FOLDER / f"{command}.json"


def save(receipt: Receipt, directory: Path) -> None:
    """Write the receipt of a command into a session's results ``directory``."""
    write_json(path(directory, receipt.command), receipt.model_dump(by_alias=True))


def load(directory: Path, command: str) -> Receipt:
    """Return the receipt of ``command`` on the session of ``directory``.

    Raises:
        UsageError: the command has not run, or its receipt is broken.
    """
    where = path(directory, command)
    try:
        return Receipt.model_validate(read_json(where))
    except ValidationError as error:
        raise UsageError(
            f"{where}: not a receipt: {error.error_count()} wrong fields", f"run {command} again"
        ) from None


def run_command(command: str, directory: Path, work: Callable[[], list[Path]], *, batch: bool = False) -> list[Path]:
    """Do the ``work`` of a command on one session, leave its receipt, and return the files it wrote.

    Files of an earlier run of the command are removed first, and those of later commands when it does not end well: no
    old result stands beside a refusal or a failure. A session that an earlier command refused is refused again; only
    ``report`` works on it, to say so.

    Args:
        command: name of the command.
        directory: the session's results folder.
        work: writes the files and returns them.
        batch: a refusal is written into the receipt and is no error. A config that names what this file does not hold
            is then a refusal, too.

    Raises:
        Refusal: the data cannot answer, unless ``batch``.
        UsageError: another process is working on the session, or its receipts lie elsewhere.
    """
    check_inside(directory, [FOLDER])
    with exclusive([directory]):
        _remove(command, directory)
        upstream = _upstream_refusal(command, directory)
        try:
            if upstream is not None and command != "report":
                raise upstream
            files = work()
        except (Refusal, NotInFile) as refusal:
            _remove_later(command, directory)
            if not batch and isinstance(refusal, NotInFile):
                raise
            _save_refusal(command, directory, refusal)
            if not batch:
                raise
            logger.log(logging.INFO if upstream is None else logging.DEBUG, "refused: %s", refusal)
            return []
        except Exception:
            _remove_later(command, directory)
            raise
        _save_done(command, directory, files)
        logger.info("wrote %s", ", ".join(file.name for file in files))
        return files


def run_on_several(
    command: str,
    directories: Sequence[Path],
    work: Callable[[Sequence[Path]], Mapping[Path, Outcome]],
    *,
    batch: bool = False,
    independent: bool = False,
    current: Callable[[Path], list[Path]] = lambda directory: [],
) -> None:
    """Do the ``work`` of a command on several sessions in one process and leave each one's receipt.

    Files are removed as by :func:`run_command`.

    Args:
        command: name of the command.
        directories: results folders of the sessions.
        work: gets the directories that no earlier command refused, and returns the outcome of each. An error that it
            raises concerns all of them.
        batch: a refusal is written into the receipt and is no error.
        independent: the sessions do not depend on each other, so a refused one stops no other.
        current: returns the files of an earlier run that ``work`` would write again, or none; they are left alone.

    Raises:
        Refusal: a session is refused, unless ``batch``. Where an earlier command refused it, no session is begun unless
            the sessions are ``independent``.
        Failure: a session could not be written; the others are whole and have their receipts.
        UsageError: another process is working on one of the sessions, or its receipts lie elsewhere.
    """
    for directory in directories:
        check_inside(directory, [FOLDER])
    with exclusive(directories):
        refused = {d: refusal for d in directories if (refusal := _upstream_refusal(command, d)) is not None}
        if refused and not batch and not independent:
            raise next(iter(refused.values()))
        waiting = _without_current(command, list(dict.fromkeys(directories)), refused, current)
        for directory in waiting:
            _remove(command, directory)
        outcomes = _outcomes(command, waiting, refused, work)
        ends = [_end(command, directory, one, directory in refused) for directory, one in outcomes.items()]
    failures = [end for end in ends if isinstance(end, Failure)]
    for failure in failures[1:]:
        logger.error("failed: %s", failure)
    wrong = [*failures, *(end for end in ends if isinstance(end, Refusal) and not batch)]
    if wrong:
        raise wrong[0]


def _without_current(
    command: str,
    directories: Sequence[Path],
    refused: Mapping[Path, Refusal],
    current: Callable[[Path], list[Path]],
) -> list[Path]:
    """The directories whose files are not current; the others get their receipts here."""
    waiting = []
    for directory in directories:
        files = [] if directory in refused else current(directory)
        if files:
            _save_done(command, directory, files)
            logger.info("%s: %s is current", directory.resolve().name, ", ".join(file.name for file in files))
        else:
            waiting.append(directory)
    return waiting


def _outcomes(
    command: str,
    directories: Sequence[Path],
    refused: Mapping[Path, Refusal],
    work: Callable[[Sequence[Path]], Mapping[Path, Outcome]],
) -> dict[Path, Outcome]:
    """The outcome of every session: the earlier refusal, or what ``work`` returns."""
    left = [directory for directory in directories if directory not in refused]
    try:
        return {**refused, **(work(left) if left else {})}
    except Refusal as refusal:
        return {**refused, **dict.fromkeys(left, refusal)}
    except Exception:
        for directory in directories:
            _remove_later(command, directory)
        raise


def _end(command: str, directory: Path, outcome: Outcome, known: bool) -> Outcome:
    """Leave the receipt of one session of several; return its outcome, a failure where the receipt cannot be written.

    Args:
        known: it was an earlier command that refused the session, and said so.
    """
    session = directory.resolve().name
    try:
        if isinstance(outcome, list):
            _save_done(command, directory, outcome)
            logger.info("%s: wrote %s", session, ", ".join(file.name for file in outcome))
            return outcome
        _remove_later(command, directory)
        if isinstance(outcome, Refusal):
            _save_refusal(command, directory, outcome)
            logger.log(logging.DEBUG if known else logging.INFO, "%s: refused: %s", session, outcome)
    except OSError as error:
        with suppress(OSError):
            _remove_later(command, directory)
        if not isinstance(outcome, Failure):
            return Failure(f"{session}: its receipt cannot be written: {error}", "make room there, and run it again")
    return outcome


def _save_done(command: str, directory: Path, files: list[Path]) -> None:
    session = directory.resolve().name
    save(Receipt(command=command, session=session, state="done", files=_digests(files, directory)), directory)


def _save_refusal(command: str, directory: Path, refusal: Refusal | NotInFile) -> None:
    files = _digests(getattr(refusal, "files", []), directory)
    said = {"code": refusal.code, "reason": refusal.message, "remedy": refusal.remedy}
    session = directory.resolve().name
    save(Receipt(command=command, session=session, state="refused", files=files, **said), directory)


def _digests(files: list[Path], directory: Path) -> dict[str, str]:
    return {file.relative_to(directory).as_posix(): sha256(file) for file in files}


def _remove(command: str, directory: Path) -> None:
    """Remove the receipt and the files of a command, whether or not the workflow has taken the receipt already.

    What a kill left of them half-written goes too: nobody else is writing there.
    """
    path(directory, command).unlink(missing_ok=True)
    for pattern in FILES[command]:
        for file in {*directory.glob(pattern), *directory.glob(unfinished(pattern))}:
            file.unlink()


def _remove_later(command: str, directory: Path) -> None:
    for later in ORDER[ORDER.index(command) + 1 :]:
        _remove(later, directory)


def _upstream_refusal(command: str, directory: Path) -> Refusal | None:
    """The first refusal among the verbs before ``command``."""
    for earlier in ORDER[: ORDER.index(command)]:
        if path(directory, earlier).exists():
            receipt = load(directory, earlier)
            if receipt.code is not None:
                return Refusal(receipt.code, receipt.reason, receipt.remedy)
    return None
