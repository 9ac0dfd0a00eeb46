"""Following a run: what its sessions' verbs say, as they say it, with the session's name before it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import log_path

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_PROGRESS = 15.0
PROGRESS = " left"  # how a line of progress ends (xcebra_nwb/core/progress.py)


class Follower:
    """Reads the logs and receipts of a run's sessions; says each thing once."""

    def __init__(self, results: Path, sessions: list[str]) -> None:
        self._results = results
        self._waiting = {(session, verb) for session in sessions for verb in receipts.ORDER}
        # What an earlier run did is no news, but what is done again is.
        self._earlier = {one: _stamp(self._receipt(*one)) for one in self._waiting}
        self._said: set[Path] = set()  # logs of a job for all sessions are theirs alike
        self._said_progress = time.monotonic()

    def look(self) -> None:
        """Say what has happened since the last look."""
        finished = sorted((one for one in self._waiting if self._is_new(*one)), key=_order)
        for session, verb in finished:
            self._waiting.discard((session, verb))
            log = log_path(self._results, session, verb)
            for line in _lines(log) if log not in self._said else ():
                if not line.endswith(PROGRESS):
                    logger.info("%s: %s: %s", log.parent.name, verb, line)
            self._said.add(log)
        if time.monotonic() - self._said_progress >= SECONDS_BETWEEN_PROGRESS:
            self._said_progress = time.monotonic()
            self._say_progress()

    def _say_progress(self) -> None:
        logs = [log_path(self._results, *one) for one in sorted(self._waiting, key=_order)]
        for log in dict.fromkeys(logs):
            lines = _lines(log)
            if lines and lines[-1].endswith(PROGRESS):
                logger.info("%s: %s", log.parent.name, lines[-1])

    def _is_new(self, session: str, verb: str) -> bool:
        now = _stamp(self._receipt(session, verb))
        return now is not None and now != self._earlier[session, verb]

    def _receipt(self, session: str, verb: str) -> Path:
        return receipts.path(self._results / session, verb)


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written anew, also with the same content; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _lines(log: Path) -> list[str]:
    if not log.exists():
        return []
    return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _order(one: tuple[str, str]) -> tuple[int, str]:
    return receipts.ORDER.index(one[1]), one[0]
