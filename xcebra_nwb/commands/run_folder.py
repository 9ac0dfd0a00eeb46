"""Hold a folder for one run at a time, and say who holds it.

The lock ends with its process, but on some file systems it counts on one machine only, and the workflow may outlive the
process that started it. So a record beside the lock names the machine, the process and the workflow. The time of the
record is renewed while the run works, which other machines can see.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.folders import base_folder, check_run, check_writable
from xcebra_nwb.core.lock import acquire
from xcebra_nwb.core.safe_text import UNPRINTABLE, is_printable

LOCK, RECORD = ".run.lock", ".run.json"
SECONDS_BETWEEN_SIGNS = 30.0
SECONDS_UNTIL_GONE = 300.0  # without a sign, a run on another machine is over
CACHE = "XDG_CACHE_HOME"
REMEDY = "wait for it, or name another folder"


class Process(BaseModel):
    """A process of this machine; its beginning tells it from a later one of the same number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    began: float

    @classmethod
    def of(cls, number: int) -> Process | None:
        """Return the process of a number; None if it has ended."""
        try:
            return cls(number=number, began=psutil.Process(number).create_time())
        except psutil.Error:
            return None

    def lives(self) -> bool:
        """Return whether the process is there and no zombie."""
        try:
            process = psutil.Process(self.number)
            return abs(process.create_time() - self.began) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class Record(BaseModel):
    """Who is at work in a folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    since: str
    run: Process
    workflow: Process | None = None


@contextmanager
def sole_run(output: Path) -> Iterator[Callable[[int], None]]:
    """Hold a folder, which is created if needed; yield a function that notes the process of the workflow.

    A folder that was created, and in which nothing was written, is removed again.

    Nothing in the folder changes if another run holds it.

    Args:
        output: Folder of the results.

    Raises:
        Failure: Another run uses the folder, or it cannot be written to.
        UsageError: Its name has control characters, or a link in it leads elsewhere.
    """
    if not is_printable(str(output)):  # Snakemake writes it into its log
        raise UsageError(f"{output}: {UNPRINTABLE}")
    made = not output.exists()
    check_writable(output)
    check_run(output)
    cache = base_folder(CACHE, ".cache") / "snakemake"
    check_writable(cache, f"Snakemake needs it: let {CACHE} name a folder of your own")
    try:
        with held(output) as note:
            yield note
    finally:
        if made:
            _remove_if_empty(output)


@contextmanager
def held(output: Path) -> Iterator[Callable[[int], None]]:
    """Hold a folder that exists; yield a function that notes the process of the workflow.

    Raises:
        Failure: Another run holds it.
        UsageError: The lock in it cannot be used.
    """
    earlier = _read(output)
    at_work = f"{output}: another run is using this folder"
    with acquire(output / LOCK, at_work if earlier is None else f"{at_work}: {_described(earlier)}", REMEDY):
        _check_over(output)
        run = Process.of(os.getpid())
        assert run is not None
        since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        record = Record(host=socket.gethostname(), since=since, run=run)
        _write(record, output)
        over = threading.Event()
        signs = threading.Thread(target=_give_signs, args=(output, over), daemon=True)
        signs.start()
        try:
            yield lambda number: _write(record.model_copy(update={"workflow": Process.of(number)}), output)
        finally:
            over.set()
            signs.join()
            (output / RECORD).unlink(missing_ok=True)


def is_at_work(output: Path) -> bool:
    """Return whether a run, or the workflow that it left, works in a folder.

    Args:
        output: Folder of the results.
    """
    try:
        _check_over(output)
    except Failure:
        return True
    return False


def _remove_if_empty(output: Path) -> None:
    """Remove a folder in which a run left nothing but its lock."""
    with suppress(OSError):
        if {path.name for path in output.iterdir()} <= {LOCK}:
            (output / LOCK).unlink(missing_ok=True)
            output.rmdir()


def _check_over(output: Path) -> None:
    """Check that the run of a record is over, whose lock is free."""
    record = _read(output)
    if record is None:
        return
    who = _described(record)
    if record.host != socket.gethostname():
        silent = _seconds_silent(output)
        if silent < SECONDS_UNTIL_GONE:
            wait = f"wait for it, or {SECONDS_UNTIL_GONE - silent:.0f} s if it was killed; or name another folder"
            raise Failure(f"{output}: another run is using this folder: {who}", wait)
    elif record.run.lives():
        raise Failure(f"{output}: another run is using this folder: {who}", REMEDY)
    elif record.workflow is not None and record.workflow.lives():
        number = record.workflow.number
        problem = f"{output}: the workflow of a run that was killed is still at work: process {number}, of {who}"
        raise Failure(problem, f"wait for it, or stop it: kill -INT {number}")


def _described(record: Record) -> str:
    return f"process {record.run.number} on {record.host}, since {record.since}"


def _read(output: Path) -> Record | None:
    """Return the record of a folder; None without one that can be read."""
    try:
        return Record.model_validate(read_json(output / RECORD))
    except (UsageError, OSError, ValidationError):
        return None


def _write(record: Record, output: Path) -> None:
    write_json(output / RECORD, record.model_dump())


def _give_signs(output: Path, over: threading.Event) -> None:
    while not over.wait(SECONDS_BETWEEN_SIGNS):
        with suppress(OSError):
            os.utime(output / RECORD)


def _seconds_silent(output: Path) -> float:
    """Return the age of a record by the clock of its file system, which other machines share."""
    try:
        with tempfile.TemporaryFile(dir=output) as file:
            return os.fstat(file.fileno()).st_mtime - (output / RECORD).stat().st_mtime
    except FileNotFoundError:
        return SECONDS_UNTIL_GONE
