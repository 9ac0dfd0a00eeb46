"""The sessions that one job of the workflow trains in one process (``training.sessions_at_once``), and their logs.

A session stays in the batch in which it was trained. Batches are written down when a run starts, and only sessions that
no run has trained yet are put into new ones. So results stay up to date when the number changes or sessions are added.
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


ALL_SESSIONS = "together"  # in place of a session's name: the log of a job for all sessions


def assign_batches(sessions: Sequence[str], at_once: int, results: Path) -> list[Batch]:
    """Return every one of ``sessions`` in a batch: those that are trained as they were, the others ``at_once`` each."""
    trained = {session for session in sessions if receipts.path(results / session, "train").exists()}
    left = [[session for session in batch if session in sessions] for batch in read_batches(results)]
    kept = [batch for batch in left if trained.intersection(batch)]
    alone = [[session] for session in sessions if session in trained.difference(*kept)]
    new = [session for session in sessions if session not in trained.union(*kept)]
    return [*kept, *alone, *(new[start : start + at_once] for start in range(0, len(new), at_once))]


def read_batches(results: Path) -> list[Batch]:
    """Return the batches of the last run, none before the first.

    Raises:
        UsageError: they cannot be read, or are no lists of sessions.
    """
    path = results / FILE
    if not path.exists():
        return []
    try:
        return BATCHES.validate_python(read_json(path))
    except ValidationError:
        raise UsageError(f"{path}: no lists of sessions", "delete it: all sessions are put into new batches") from None


def write_batches(found: Sequence[Batch], results: Path) -> None:
    """Write down the batches of a run that starts: its jobs, wherever they run, and the next run read them."""
    write_json(results / FILE, list(found))


def log_name(batch: Batch) -> str:
    """Return the name of a batch, for its log: no session is called so."""
    return f"{batch[0]}~{len(batch) - 1}-more"


def log_path(results: Path, session: str, command: str) -> Path:
    """Return the log of ``command`` on ``session``: its own, or that of a later job for several or all sessions."""
    names = [session, ALL_SESSIONS]
    if command == "train":
        names += [log_name(batch) for batch in read_batches(results) if session in batch]
    own, *shared = (results / "logs" / name / f"{command}.log" for name in names)
    there = [path for path in (*shared, own) if path.exists()]
    return max(there, key=lambda path: path.stat().st_mtime, default=own)
