"""Where the workflow keeps what a verb said."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.core import batches

TOGETHER = "together"  # in place of a session's name: the log of a job for all sessions


def log_path(results: Path, session: str, verb: str) -> Path:
    """Return the log of ``verb`` on ``session``: its own, or that of a later job for several or all sessions."""
    names = [session, TOGETHER]
    if verb == "train":
        names += [batches.name(batch) for batch in batches.recorded(results) if session in batch]
    own, *shared = (results / "logs" / name / f"{verb}.log" for name in names)
    there = [path for path in (*shared, own) if path.exists()]
    return max(there, key=lambda path: path.stat().st_mtime, default=own)
