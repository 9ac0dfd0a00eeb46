"""Check that the files of results are there, and as their receipts say.

The workflow hands on receipts, so it would not notice that another file was deleted or damaged. A file is read once to
compare its digest; while its state on the disk (size, times, inode) stays the same, it is not read again.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from xcebra_nwb.core import receipts
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import read_json, sha256, write_json

VERIFIED = ".verified.json"  # in the results: the state on the disk of the files whose digest was right
SUMMARY = ".summary.json"  # in the results: the digests of the files of summarize
SUMMARIZE = "summarize"
PAGE = "summary.html"
STATUS = "status.json"  # of a session
LOOK = "XCEBRA_NWB_LOOK"  # environment variable of a workflow that is only planned: nothing is removed
MISSING, DAMAGED = "missing", "damaged"
State = list[int | str]  # size, two times, inode, digest
STATES = TypeAdapter(dict[str, State])


class Fault(NamedTuple):
    """A result file that is not as it was written."""

    session: str  # "" for the files of all sessions
    command: str  # the command that writes it
    file: str  # path in the session's folder, or in the results
    problem: str

    def __str__(self) -> str:
        where = f"{self.session}: " if self.session else ""
        return f"{where}{self.file} is {self.problem}"

    def targets(self, results: Path) -> list[Path]:
        """Return the files by which the workflow knows the command and those after it."""
        if not self.session:
            return [results / PAGE]
        later = receipts.ORDER[receipts.ORDER.index(self.command) :]
        return [*(receipts.path(results / self.session, command) for command in later), results / PAGE]


class Written(BaseModel):
    """Digests and sizes of files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: dict[str, str]
    sizes: dict[str, int]


class ResultFiles:
    """The files of results, compared with their receipts."""

    def __init__(self, results: Path) -> None:
        """Read which files were compared before."""
        self._results, self._new = results, dict[str, State]()
        self._known = _read_states(results / VERIFIED)

    def faults(self, sessions: Iterable[str]) -> list[Fault]:
        """Return the files of sessions, and of the summary, that are missing or damaged."""
        found = [fault for session in sessions for fault in self.faults_of(session)]
        try:
            summary = Written.model_validate(read_json(self._results / SUMMARY))
        except (UsageError, ValidationError, OSError):
            return found  # no summary yet, or of an older version
        return found + self._compared("", SUMMARIZE, summary.files, summary.sizes)

    def faults_of(self, session: str, commands: Sequence[str] = receipts.ORDER) -> list[Fault]:
        """Return the files of a session that are missing or damaged, in the order of the commands.

        A receipt is missing if a later command has one, or if the summary has said that the session is finished; a
        local file has none of ``fetch``.
        """
        found, written = [], [c for c in receipts.ORDER if receipts.path(self._results / session, c).exists()]
        last = receipts.ORDER.index(written[-1]) if written else 0
        if written[-1:] != [receipts.ORDER[-1]] and self._was_finished(session):
            last = len(receipts.ORDER)
        gone = [c for c in receipts.ORDER[1:last] if c not in written]
        for command in commands:
            if command in gone:
                found.append(Fault(session, command, f"{receipts.FOLDER}/{command}.json", MISSING))
                continue
            try:
                receipt = receipts.load_written(self._results / session, command)
            except (UsageError, OSError):
                found.append(Fault(session, command, f"{receipts.FOLDER}/{command}.json", DAMAGED))
                continue
            if receipt is not None:
                found += self._compared(session, command, receipt.files, receipt.sizes)
        return found

    def forget(self, faults: Iterable[Fault]) -> None:
        """Remove the receipts of faulty files and of the commands after them, so that the workflow makes these again.

        Snakemake does not make what only finished jobs have read.

        Raises:
            Failure: A receipt cannot be removed.
        """
        for fault in faults:
            try:
                for target in fault.targets(self._results):
                    target.unlink(missing_ok=True)
            except OSError as error:
                raise Failure(f"{fault}, but its receipt cannot be removed: {error}", "remove it") from None

    def save(self) -> None:
        """Keep the state of the files that are right, so that the next comparison need not read them."""
        if self._new and self._new != self._known:
            write_json(self._results / VERIFIED, self._new)

    def _was_finished(self, session: str) -> bool:
        """Return whether the summary found receipts of all commands; Snakemake would not miss the last ones."""
        try:
            status = read_json(self._results / session / STATUS)
        except (UsageError, OSError):
            return False  # the summary makes it again, and asks for all receipts
        return isinstance(status, dict) and status.get("state") in get_args(receipts.State)

    def _compared(
        self, session: str, command: str, digests: Mapping[str, str], sizes: Mapping[str, int]
    ) -> list[Fault]:
        problems = {name: self._problem(session, name, digest, sizes.get(name)) for name, digest in digests.items()}
        return [Fault(session, command, name, problem) for name, problem in problems.items() if problem]

    def _problem(self, session: str, name: str, digest: str, size: int | None) -> str:
        path, inside = self._results / session / name, PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            return DAMAGED
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
                return DAMAGED
            state: State = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest]
            key = f"{session}/{name}"
            if self._known.get(key) != state and sha256(path) != digest:
                return DAMAGED
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            return f"unreadable ({error.strerror})"
        self._new[key] = state
        return ""


def save_summary(files: Sequence[Path], results: Path) -> None:
    """Write the digests of the files of a summary into its results."""
    names = {file.relative_to(results).as_posix(): file for file in files}
    digests = {name: sha256(file) for name, file in names.items()}
    sizes = {name: file.stat().st_size for name, file in names.items()}
    write_json(results / SUMMARY, Written(files=digests, sizes=sizes).model_dump())


def _read_states(path: Path) -> dict[str, State]:
    try:
        return STATES.validate_python(read_json(path))
    except (UsageError, ValidationError, OSError):
        return {}
