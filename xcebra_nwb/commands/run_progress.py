"""Follow a run: log the lines of its commands, each with the name of its session."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from xcebra_nwb.core import receipts
from xcebra_nwb.core.batches import log_path
from xcebra_nwb.core.progress import is_of_now

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_PROGRESS = 15.0
Step = tuple[str, str]  # session, command


class RunMonitor:
    """Read the logs and receipts of a run's sessions and log each line once."""

    def __init__(self, results: Path, sessions: list[str]) -> None:
        self._results = results
        self._waiting = {(session, command) for session in sessions for command in receipts.ORDER}
        # The receipts of an earlier run are old; a receipt that is written again is new.
        self._earlier = {step: file_stamp(self._receipt(*step)) for step in self._waiting}
        self._logged: set[Path] = set()  # sessions of one job share its log
        self._progress_logged = time.monotonic()

    def poll(self) -> None:
        """Log the lines that are new since the last poll."""
        for session, command in sorted((step for step in self._waiting if self._is_new(*step)), key=_order):
            self._waiting.discard((session, command))
            log = log_path(self._results, session, command)
            for line in _lines(log) if log not in self._logged else ():
                if not is_of_now(line):
                    logger.info("%s: %s: %s", log.parent.name, command, line)
            self._logged.add(log)
        if time.monotonic() - self._progress_logged >= SECONDS_BETWEEN_PROGRESS:
            self._progress_logged = time.monotonic()
            self._log_progress()

    def _log_progress(self) -> None:
        logs = [log_path(self._results, *step) for step in sorted(self._waiting, key=_order)]
        for log in dict.fromkeys(logs):
            lines = _lines(log)
            if lines and is_of_now(lines[-1]):
                logger.info("%s: %s", log.parent.name, lines[-1])

    def _is_new(self, session: str, command: str) -> bool:
        now = file_stamp(self._receipt(session, command))
        return now is not None and now != self._earlier[session, command]

    def _receipt(self, session: str, command: str) -> Path:
        return receipts.path(self._results / session, command)


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Numbers that change when a file is written again, also with the same content; None without a file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _lines(log: Path) -> list[str]:
    if not log.exists():
        return []
    return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]


def _order(step: Step) -> tuple[int, str]:
    return receipts.ORDER.index(step[1]), step[0]
