"""Receipts: the outcome of a command on one session, which tells the next command whether there is anything to do.

A refused session is a result, not an error. Its later commands succeed and pass the refusal on, so one run of the
workflow ends well with done and refused sessions. A receipt lists the digests of the files that the command wrote, so a
command that gives the same result again does not make later commands run again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xcebra_nwb.core import slurm_jobs
from xcebra_nwb.core.errors import Failure, NotInFile, Refusal, UsageError
from xcebra_nwb.core.files import read_json, temporary_pattern, write_json
from xcebra_nwb.core.folders import check_inside, check_writable
from xcebra_nwb.core.kept_files import KEPT, current_files, digests, forget, note
from xcebra_nwb.core.lock import exclusive
from xcebra_nwb.core.outputs import FILES, UNFINISHED
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import shorten
from xcebra_nwb.core.session_table import LONGEST_NAME
from xcebra_nwb.core.shared_cache.entries import Taken
from xcebra_nwb.core.shared_cache.result import SharedResult

ORDER = tuple(FILES)
FOLDER = "receipts"
State = Literal["done", "refused"]
Outcome = list[Path] | Refusal | Failure  # of a session: its new files, or the reason for none
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
    sizes: dict[str, int] = Field(default_factory=dict, description="file name: bytes")
    taken: Taken | None = Field(None, description="where the files were taken from, if they were not computed here")

    @model_validator(mode="after")
    def _refused_for_a_reason(self) -> Receipt:
        if (self.state == "refused") != (self.code is not None):
            raise ValueError("a refusal, and nothing else, has a code")
        return self


def path(directory: Path, command: str) -> Path:
    """Return the path of the receipt of ``command`` in a session's results folder.

    >>> path(Path("results/a"), "train").as_posix()
    'results/a/receipts/train.json'
    """
    return directory / FOLDER / f"{command}.json"


def save(receipt: Receipt, directory: Path) -> None:
    """Write the receipt of a command into a session's results folder."""
    unset = {"taken"} if receipt.taken is None else set()
    write_json(path(directory, receipt.command), receipt.model_dump(mode="json", by_alias=True, exclude=unset))


def load(directory: Path, command: str) -> Receipt:
    """Return the receipt of ``command`` in a session's results folder.

    Raises:
        UsageError: The command has not run, or its receipt cannot be read.
    """
    file = path(directory, command)
    try:
        return Receipt.model_validate(read_json(file))
    except ValidationError as error:
        raise UsageError(f"{file}: not a receipt: {error.error_count()} wrong fields", f"run {command} again") from None


def load_written(directory: Path, command: str) -> Receipt | None:
    """Return the receipt of ``command``; None if it has written none.

    Raises:
        UsageError: The receipt cannot be read.
    """
    return load(directory, command) if path(directory, command).exists() else None


def first_refusal(directory: Path, commands: Sequence[str] = ORDER) -> Receipt | None:
    """Return the first receipt that refuses a session; None without one.

    Args:
        directory: The session's results folder.
        commands: Names of the commands whose receipts are read, in order.

    Raises:
        UsageError: A receipt cannot be read.
    """
    written = (load_written(directory, command) for command in commands)
    return next((receipt for receipt in written if receipt is not None and receipt.state == "refused"), None)


def run_command(
    command: str,
    directory: Path,
    work: Callable[[], list[Path]],
    *,
    batch: bool = False,
    current: Callable[[Path], list[Path]] = lambda directory: [],
    shared: Callable[[], SharedResult | None] = lambda: None,
) -> list[Path]:
    """Do the ``work`` of a command on one session and write its receipt.

    Files of an earlier run of the command are removed first. Those of later commands are removed too if the command
    fails or is refused, so no old result stands beside a refusal. A training stays after a failure, which may pass. A
    session that an earlier command refused is refused again; only ``report`` works on it.

    Args:
        command: Name of the command.
        directory: The session's results folder.
        work: Writes the files and returns them.
        batch: A refusal is written into the receipt and is no error. A config that names an object that this file does
            not have is then a refusal, too.
        current: Returns the files of an earlier run that ``work`` would write again, or none; they are kept.
        shared: Returns the place of the result in a shared cache; None without one.

    Returns:
        The files that ``work`` wrote, or that are current, or were taken; none if the session was refused.

    Raises:
        Refusal: The data cannot answer, unless ``batch``.
        Failure: Another process is working on the session, or its folder cannot be written to.
        UsageError: A link leads its receipts elsewhere.
    """
    _check_folder(directory)
    with exclusive([directory]), slurm_jobs.noted([directory] if batch else []):
        upstream = _upstream_refusal(command, directory)
        files, taken = _current(command, directory, current) if upstream is None else ([], None)
        if files:
            _save_done(command, directory, files, taken)
            logger.info("%s: current, nothing to do", ", ".join(file.name for file in files))
            return files
        _remove(command, directory)
        try:
            if upstream is not None and command != "report":
                raise upstream
            result = shared() if upstream is None else None
            if result is not None and (files := _take(result, directory)):
                return files
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
            _remove_later(command, directory, failed=True)
            raise
        receipt = _save_done(command, directory, files)
        if result is not None:
            result.keep(directory, receipt.files, receipt.sizes)
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
    shared: Callable[[Sequence[Path]], Mapping[Path, SharedResult]] = lambda directories: {},
) -> None:
    """Do the ``work`` of a command on several sessions in one process; write receipts.

    Files are removed as by :func:`run_command`.

    Args:
        command: Name of the command.
        directories: Results folders of the sessions.
        work: Takes the folders that no earlier command refused, and returns the outcome of each. An error that it
            raises concerns all of them.
        batch: A refusal is written into the receipt and is no error.
        independent: The sessions do not depend on each other, so a refused session stops no other.
        current: Returns the files of an earlier run that ``work`` would write again, or none; they are kept.
        shared: Returns the places of the results of sessions that work together in a shared cache. They are taken if
            all of them are there: without the others, a session's last bits would differ.

    Raises:
        Refusal: A session is refused, unless ``batch``. If an earlier command refused it, no session is begun unless
            the sessions are ``independent``.
        Failure: Another process is working on a session, or a folder cannot be written to. Or a session could not be
            written; the others are whole and have their receipts.
        UsageError: A link leads the receipts of a session elsewhere.
    """
    for directory in directories:
        _check_folder(directory)
    with exclusive(directories), slurm_jobs.noted(dict.fromkeys(directories) if batch else []):
        refused = {d: refusal for d in directories if (refusal := _upstream_refusal(command, d)) is not None}
        if refused and not batch and not independent:
            raise next(iter(refused.values()))
        waiting = _without_current(command, list(dict.fromkeys(directories)), refused, current)
        for directory in waiting:
            _remove(command, directory)
        results = shared([directory for directory in waiting if directory not in refused])
        outcomes = dict(refused) if _take_all(results) else _outcomes(command, waiting, refused, work)
        outcomes = {
            folder: _end(command, folder, outcome, folder in refused, results.get(folder))
            for folder, outcome in outcomes.items()
        }
    failures = [outcome for outcome in outcomes.values() if isinstance(outcome, Failure)]
    for failure in failures[1:]:
        logger.error("failed: %s", failure)
    refusals = [outcome for outcome in outcomes.values() if isinstance(outcome, Refusal) and not batch]
    for error in (*failures, *refusals):
        raise error


def _without_current(
    command: str,
    directories: Sequence[Path],
    refused: Mapping[Path, Refusal],
    current: Callable[[Path], list[Path]],
) -> list[Path]:
    """Return the folders whose files are not current; write the receipts of the others."""
    waiting = []
    for directory in directories:
        files, taken = ([], None) if directory in refused else _current(command, directory, current)
        if files:
            _save_done(command, directory, files, taken)
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
    """Return the outcome of every session: an earlier refusal, or the result of ``work``."""
    accepted = [directory for directory in directories if directory not in refused]
    try:
        return {**refused, **(work(accepted) if accepted else {})}
    except Refusal as refusal:
        return {**refused, **dict.fromkeys(accepted, refusal)}
    except Exception:
        for directory in directories:
            _remove_later(command, directory, failed=True)
        raise


def _take(result: SharedResult, directory: Path) -> list[Path]:
    """Take a result from its shared cache and write the receipt; return its files, none if it has to be computed."""
    found = result.take(directory)
    if found is None:
        return []
    files, taken = found
    if (unfinished := UNFINISHED.get(result.key.command)) is not None:  # nobody goes on from it
        (directory / unfinished).unlink(missing_ok=True)
    _save_done(result.key.command, directory, files, taken)
    logger.info("%s: %s", ", ".join(file.name for file in files), taken)
    return files


def _take_all(results: Mapping[Path, SharedResult]) -> bool:
    """Take the results of sessions that work together; return whether all were taken."""
    if not results or not all(result.is_there() for result in results.values()):
        return False
    taken = [_take(result, directory) for directory, result in results.items()]
    return all(taken)


def _end(command: str, directory: Path, outcome: Outcome, known: bool, result: SharedResult | None = None) -> Outcome:
    """Write the receipt of one session of several and return its outcome.

    The outcome is a failure if the receipt cannot be written.

    Args:
        command: Name of the command.
        directory: The session's results folder.
        outcome: Outcome of the work on the session.
        known: An earlier command refused the session and logged it.
        result: Its place in a shared cache.
    """
    session = directory.resolve().name
    try:
        if isinstance(outcome, list):
            receipt = _save_done(command, directory, outcome)
            if result is not None:
                result.keep(directory, receipt.files, receipt.sizes)
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


def _check_folder(directory: Path) -> None:
    """Check before the work that its results can be written, so that hours of it are not lost."""
    check_inside(directory, [FOLDER])
    name = directory.resolve().name
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise UsageError(f"{shorten(name, 40)}: a name of {len(name)} characters", f"at most {LONGEST_NAME}")
    check_writable(directory / FOLDER)
    check_writable(directory)


def _save_done(command: str, directory: Path, files: list[Path], taken: Taken | None = None) -> Receipt:
    session, written, sizes = directory.resolve().name, digests(files, directory), _sizes(files, directory)
    note(command, directory / FOLDER, written, taken)
    if command == ORDER[-1]:
        slurm_jobs.forget(directory)
    receipt = Receipt(command=command, session=session, state="done", files=written, sizes=sizes, taken=taken)
    save(receipt, directory)
    return receipt


def _save_refusal(command: str, directory: Path, refusal: Refusal | NotInFile) -> None:
    files = getattr(refusal, "files", [])
    written = {"files": digests(files, directory), "sizes": _sizes(files, directory)}
    fields = {"code": refusal.code, "reason": refusal.message, "remedy": refusal.remedy}
    session = directory.resolve().name
    save(Receipt(command=command, session=session, state="refused", **written, **fields), directory)


def _sizes(files: list[Path], directory: Path) -> dict[str, int]:
    return {file.relative_to(directory).as_posix(): file.stat().st_size for file in files}


def _current(command: str, directory: Path, current: Callable[[Path], list[Path]]) -> tuple[list[Path], Taken | None]:
    return current_files(command, directory / FOLDER, directory, current)


def _remove(command: str, directory: Path) -> None:
    """Remove the receipt and the files of a command, also files that a kill left half-written.

    The workflow may have removed the receipt already. Nobody else writes there, since the folder is locked.
    """
    path(directory, command).unlink(missing_ok=True)
    forget(command, directory / FOLDER)
    for pattern in FILES[command]:
        for file in {*directory.glob(pattern), *directory.glob(temporary_pattern(pattern))}:
            file.unlink()


def _remove_later(command: str, directory: Path, *, failed: bool = False) -> None:
    """Remove the receipts and files of later commands; after a failure, which may pass, keep those of :data:`KEPT`."""
    for later in ORDER[ORDER.index(command) + 1 :]:
        if failed and later in KEPT:
            path(directory, later).unlink(missing_ok=True)
        else:
            _remove(later, directory)


def _upstream_refusal(command: str, directory: Path) -> Refusal | None:
    """Return the first refusal among the commands before ``command``."""
    receipt = first_refusal(directory, ORDER[: ORDER.index(command)])
    if receipt is None or receipt.code is None:
        return None
    return Refusal(receipt.code, receipt.reason, receipt.remedy)
