"""Progress of long work: a bar with rate and time left on a terminal, or a line every few seconds in a log."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

logger = logging.getLogger("xcebra_nwb")
SECONDS_BETWEEN_LINES = 15.0
LEAST_RATE = 1e-9  # per second: no rate is divided by zero
Advance = Callable[[int], None]  # called with the amount of work done since its last call
_bars: ContextVar[bool | None] = ContextVar("bars", default=None)  # None: as the terminal and the log level say


class _Rate(ProgressColumn):
    """Units of work per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "-/s")


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Advance]:
    """Show the progress of long work and yield a function that reports it.

    Call the function with the amount of work done since its last call. Nothing is shown below the log level INFO.

    Args:
        title: Name of the work.
        total: Total amount of work.
        unit: Unit of the amount, one word in the plural.
    """
    wanted = _bars.get()
    if not (logger.isEnabledFor(logging.INFO) if wanted is None else wanted):
        yield lambda done: None
    elif wanted or sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        with Progress(*columns, console=_console()) as bar:
            task = bar.add_task(f"{title} ({unit})", total=total)
            yield lambda done: bar.advance(task, done)
    else:
        yield _Lines(title, total, unit).add


@contextmanager
def bars(shown: bool) -> Iterator[None]:
    """Show progress as a bar, or not at all, whatever the log level is: for calls from Python.

    >>> with bars(False), progress("work", 2, "steps") as advance:
    ...     advance(2)
    """
    before = _bars.set(shown)
    try:
        yield
    finally:
        _bars.reset(before)


def _console() -> Console:
    """Return the console for a bar; a notebook without ipywidgets gets it as text."""
    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        return Console(stderr=True, force_jupyter=False, force_terminal=True)
    return console


@dataclass(frozen=True)
class ProgressLine:
    """The progress of a piece of work, written as a line of a log and read back.

    >>> line = ProgressLine("training 6 members", 500, 2000, "steps", 25.0, 60)
    >>> str(line)
    'training 6 members: 500 of 2000 steps, 25.0/s, 60 s left'
    >>> ProgressLine.read(str(line)) == line
    True
    >>> ProgressLine.read("12 units left out") is None
    True
    """

    title: str
    done: int
    total: int
    unit: str
    per_second: float
    seconds_left: float

    def __str__(self) -> str:
        """Return the line."""
        rate, left = f"{self.per_second:.1f}/s", f"{self.seconds_left:.0f} s left"
        return f"{self.title}: {self.done} of {self.total} {self.unit}, {rate}, {left}"

    @classmethod
    def read(cls, line: str) -> ProgressLine | None:
        """Return the progress that a line of a log reports, None for any other line."""
        fields = PATTERN.fullmatch(line)
        if fields is None:
            return None
        return cls(fields[1], int(fields[2]), int(fields[3]), fields[4], float(fields[5]), float(fields[6]))


def waiting_line(what: str, seconds: float) -> str:
    """Return the line of a log that says that something is waited for.

    >>> waiting_line("sub-1: a.nwb", 40.2)
    'sub-1: a.nwb: nothing has arrived for 40 s, trying on'
    """
    return f"{what}: nothing has arrived for {seconds:.0f} s, trying on"


def is_waiting(line: str) -> bool:
    """Return whether a line of a log says that something is waited for."""
    return WAITING.fullmatch(line) is not None


WAITING = re.compile(r".+: nothing has arrived for \d+ s, trying on")
PATTERN = re.compile(r"(.+): (\d+) of (\d+) (\S+), (\d+\.\d)/s, (\d+) s left")


class _Lines:
    """Progress as lines of a log: the first, one every few seconds, and the last."""

    def __init__(self, title: str, total: int, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._start = self._logged = time.monotonic()

    def add(self, done: int) -> None:
        self._done += done
        now = time.monotonic()
        if self._done < self._total and now - self._logged < SECONDS_BETWEEN_LINES:
            return
        self._logged = now
        per_second = self._done / max(now - self._start, LEAST_RATE)
        seconds_left = (self._total - self._done) / max(per_second, LEAST_RATE)
        logger.info("%s", ProgressLine(self._title, self._done, self._total, self._unit, per_second, seconds_left))
