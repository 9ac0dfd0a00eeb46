"""The sessions that one job of the workflow trains in one process (``training.sessions_at_once``), and their logs.

A session stays in the batch in which it was trained. Batches are recorded when a run starts, and only sessions that no
run has trained yet are put into new ones. So results stay up to date when the number changes or sessions are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from xcebra_nwb.core import receipts
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.session_table import SESSION_NAME

FILE = "batches.json"
Batch = Annotated[list[Annotated[str, Field(pattern=SESSION_NAME)]], Field(min_length=1)]  # sessions
BATCHES = TypeAdapter(list[Batch])
ALL_SESSIONS = (
    "all~sessions"  # stands for a session in the path of the log of a job for all; no session has such a name
)


def assign_batches(sessions: Sequence[str], at_once: int, results: Path) -> list[Batch]:
    """Return the sessions in batches.

    Trained sessions stay in the batch of their training. The others form new batches.

    Args:
        sessions: Names of the sessions.
        at_once: Number of sessions in a new batch.
        results: Folder of the results, with the batches of the last run.

    Raises:
        UsageError: The recorded batches cannot be read.
    """
    trained = {session for session in sessions if receipts.path(results / session, "train").exists()}
    earlier = [[session for session in batch if session in sessions] for batch in read_batches(results)]
    kept = [batch for batch in earlier if trained.intersection(batch)]
    single = [[session] for session in sessions if session in trained.difference(*kept)]
    new = [session for session in sessions if session not in trained.union(*kept)]
    return [*kept, *single, *(new[start : start + at_once] for start in range(0, len(new), at_once))]


def read_batches(results: Path) -> list[Batch]:
    """Return the batches of the last run, none before the first.

    Raises:
        UsageError: The file cannot be read, or holds no lists of sessions.
    """
    path = results / FILE
    if not path.exists():
        return []
    try:
        return BATCHES.validate_python(read_json(path))
    except ValidationError:
        raise UsageError(f"{path}: not lists of sessions", "delete it: all sessions are put into new batches") from None


def write_batches(batches: Sequence[Batch], results: Path) -> None:
    """Record the batches of a run, for its jobs on any machine and for the next run."""
    write_json(results / FILE, list(batches))


def log_name(batch: Batch) -> str:
    """Return the name of a batch in the path of its log; no session has such a name.

    >>> log_name(["a", "b", "c"])
    'a~2-more'
    """
    return f"{batch[0]}~{len(batch) - 1}-more"


def log_path(results: Path, session: str, command: str, batches: Sequence[Batch] | None = None) -> Path:
    """Return the newest log of a command on a session.

    It is the log of the session alone, or of a job for several or all sessions.

    Args:
        results: Folder of the results.
        session: Name of the session.
        command: Name of the command.
        batches: Those of the last run; they are read if not given.
    """
    names = [session, ALL_SESSIONS]
    if command == "train":
        batches = read_batches(results) if batches is None else batches
        names += [log_name(batch) for batch in batches if session in batch]
    session_log, *shared_logs = (results / "logs" / name / f"{command}.log" for name in names)
    existing = [path for path in (*shared_logs, session_log) if path.exists()]
    return max(existing, key=lambda path: path.stat().st_mtime, default=session_log)
