"""Say which series and columns ``auto`` does not consider, and why."""

from __future__ import annotations

from collections.abc import Mapping

SHOWN = 5  # paths in one line
SILENT = "neural data"  # no reason to name a series


def skipped_notes(reasons: Mapping[str, str]) -> list[str]:
    """Return a line for each reason for which ``auto`` skips series and columns.

    Each line has the first paths that the reason applies to.

    Args:
        reasons: The reason for each path that is skipped.

    >>> skipped_notes({"/a": "events", "/b": "events", "/c": "a voltage"})
    ['not taken, events: /a, /b', 'not taken, a voltage: /c']
    """
    by_reason: dict[str, list[str]] = {}
    for path, reason in reasons.items():
        if reason != SILENT:
            by_reason.setdefault(reason, []).append(path)
    return [f"not taken, {reason}: {listed(paths)}" for reason, paths in by_reason.items()]


def listed(paths: list[str]) -> str:
    """Return the first five paths, and the number of the others.

    >>> listed(["/a", "/b"])
    '/a, /b'
    """
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
