"""Files that are kept without their receipt, which the workflow removes when another command of the same job fails.

Training costs hours and knows whether its files are up to date. So their digests stand in a second file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, sha256, write_json
from xcebra_nwb.core.shared_cache.entries import Taken

KEPT = frozenset({"train"})  # commands whose files cost hours, and which know whether these are up to date


def digests(files: Sequence[Path], directory: Path) -> dict[str, str]:
    """Return the SHA-256 of files by their names in a session's folder."""
    return {file.relative_to(directory).as_posix(): sha256(file) for file in files}


def note(command: str, receipts: Path, written: Mapping[str, str], taken: Taken | None) -> None:
    """Write the digests of the files of a command, and where they were taken from.

    Args:
        command: Name of the command; nothing is written if it is none of :data:`KEPT`.
        receipts: Folder of the session's receipts.
        written: Digest by name.
        taken: Where the files were taken from; None if they were computed here.
    """
    if command not in KEPT:
        return
    if taken is None:
        _origin(command, receipts).unlink(missing_ok=True)
    else:
        write_json(_origin(command, receipts), taken.model_dump(mode="json"))
    write_json(_copy(command, receipts), dict(written))


def forget(command: str, receipts: Path) -> None:
    """Remove what was noted about the files of a command."""
    _copy(command, receipts).unlink(missing_ok=True)
    _origin(command, receipts).unlink(missing_ok=True)


def current_files(
    command: str, receipts: Path, directory: Path, current: Callable[[Path], list[Path]]
) -> tuple[list[Path], Taken | None]:
    """Return the files of an earlier run that are up to date and as they were written, or none, and their origin.

    Args:
        command: Name of the command.
        receipts: Folder of the session's receipts.
        directory: The session's results folder.
        current: Returns the files that are up to date by their contents.
    """
    files = current(directory)
    if not files or not _copy(command, receipts).is_file():
        return [], None
    try:
        unchanged = read_json(_copy(command, receipts)) == digests(files, directory)
    except (UsageError, OSError):
        return [], None
    return (files, _taken(command, receipts)) if unchanged else ([], None)


def _taken(command: str, receipts: Path) -> Taken | None:
    try:
        return Taken.model_validate(read_json(_origin(command, receipts)))
    except (UsageError, OSError, ValidationError):
        return None  # they were computed here


def _copy(command: str, receipts: Path) -> Path:
    return receipts / f".{command}.json"


def _origin(command: str, receipts: Path) -> Path:
    return receipts / f".{command}.taken.json"
