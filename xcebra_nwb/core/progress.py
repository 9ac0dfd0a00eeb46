"""Progress: a bar with rate and time left on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_LINES = 15.0
Advance = Callable[[int], None]  # told how much has been done since its last call


class _Rate(ProgressColumn):
    """Units of work a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "-/s")


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Advance]:
    """Yield a function that is told how much has been done since its last call.

    Nothing is shown below the log level INFO.
    """
    if not logger.isEnabledFor(logging.INFO):
        yield lambda done: None
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(f"{what} ({unit})", total=total)
            yield lambda done: bar.advance(task, done)
    else:
        yield _Lines(what, total, unit).add


class _Lines:
    """Plain lines: the first, one every few seconds, the last."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = 0
        self._start = self._said = time.monotonic()

    def add(self, done: int) -> None:
        self._done += done
        now = time.monotonic()
        if self._done < self._total and now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        rate = self._done / max(now - self._start, 1e-9)
        left = (self._total - self._done) / rate
        logger.info("%s: %d of %d %s, %.1f/s, %.0f s left", self._what, self._done, self._total, self._unit, rate, left)
