"""Where the workflow keeps what a verb said."""

from __future__ import annotations

from pathlib import Path

TOGETHER = "together"  # in place of a session's name: the log of a job for all sessions


def log_path(results: Path, session: str, verb: str) -> Path:
    """Return the log of ``verb`` on ``session``: its own, or that of a later job for all sessions."""
    own, shared = (results / "logs" / name / f"{verb}.log" for name in (session, TOGETHER))
    if shared.exists() and not (own.exists() and own.stat().st_mtime > shared.stat().st_mtime):
        return shared
    return own
