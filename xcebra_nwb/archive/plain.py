"""Paths that archives name: those that stay where they are put."""

from __future__ import annotations

LONGEST = 4096  # bytes of a path, as many as Linux takes
LONGEST_PART = 255  # bytes of a name in it


def is_plain(path: str) -> bool:
    """Return whether a path stays in the folder that it is relative to, and can be printed in one line."""
    if not path or not path.isprintable() or "\\" in path or len(path.encode()) > LONGEST:
        return False
    return all(part not in {"", ".", ".."} and len(part.encode()) <= LONGEST_PART for part in path.split("/"))
