"""Follow a run: a calm display on a terminal, else one line when a step of a session ends."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from xcebra_nwb.core.batches import log_path
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.report.status import log_excerpt
from xcebra_nwb.report.steps import COMMANDS, FINAL, RunSteps, Step, duration, time_left

logger = logging.getLogger("xcebra_nwb")
SECONDS_UNTIL_LONG = 60.0  # a step that works longer is said once, with the time that is left
SECONDS_UNTIL_SILENT = 300.0  # one that does not say how far it is, is said after this time
POLLS_FOR_TIME = 30  # the workflow says how long a step took when its process has ended
MOST_SHOWN = 8  # steps at work that a terminal shows
Key = tuple[str, str]  # session, command


class RunMonitor:
    """Says what became of the steps of a run, each once."""

    def __init__(self, results: Path, sessions: list[str], brief: bool = False) -> None:
        """Begin to follow a run whose config is written and which has not made anything.

        Args:
            results: folder of the results.
            sessions: names of the sessions.
            brief: whether to say only which sessions ended, beside a display of the steps.
        """
        self._results, self._steps, self._brief = results, RunSteps(results, sessions), brief
        self.steps = self._steps.read()
        self._ended = {_key(step): _end(step) for step in self.steps if step.state in FINAL}
        self._polls: dict[Key, int] = {}  # since a step ended that nobody has measured yet
        self._began: dict[Key, float] = {}
        self._long = set[Key]()
        self._waits: dict[Key, str] = {}

    def poll(self, last: bool = False) -> None:
        """Log the steps that have ended since the last poll, and those that take long.

        Args:
            last: whether the run is over, so that nothing is waited for.
        """
        self.steps = self._steps.read()
        for step in self.steps:
            line = self._line(step, last)
            if line:
                logger.info("%s  %s", datetime.now().strftime("%H:%M:%S"), line)

    def _line(self, step: Step, last: bool) -> str:
        key = _key(step)
        if step.state not in FINAL:
            self._ended.pop(key, None)
            return self._about_long(step) if step.state == "at work" else ""
        if self._ended.get(key) == _end(step) or not (last or self._is_measured(step)):
            return ""
        passed_on = self._is_refused_before(step)
        self._ended[key] = _end(step)
        self._quote(step)
        if passed_on or (self._brief and step.state == "done" and step.command != COMMANDS[-1]):
            return ""
        if self._brief and step.state == "done":
            return f"{step.session}: done{self._in_all(step.session)}"
        return f"{step.session}: {step.command}: {outcome(step)}"

    def _is_measured(self, step: Step) -> bool:
        """Return whether the time of a step is known, or does not come."""
        polls = self._polls[_key(step)] = self._polls.get(_key(step), 0) + 1
        return step.state != "done" or step.seconds is not None or polls > POLLS_FOR_TIME

    def _in_all(self, session: str) -> str:
        seconds = [step.seconds for step in self.steps if step.session == session and step.seconds is not None]
        return f" in {duration(sum(seconds))}" if seconds else ""

    def _about_long(self, step: Step) -> str:
        key, now = _key(step), time.monotonic()
        if step.reason:  # it waits for the network
            said, self._waits[key] = self._waits.get(key), step.reason
            return "" if said == step.reason else f"{step.command}: {step.reason}"
        began = self._began.setdefault(key, now)
        least = SECONDS_UNTIL_LONG if step.progress is not None else SECONDS_UNTIL_SILENT
        if self._brief or key in self._long or now - began < least:
            return ""
        self._long.add(key)
        left = f", about {duration(step.progress.seconds_left)} left" if step.progress is not None else ""
        return f"{step.session}: {step.command}: at work for {duration(now - began)}{left}"

    def _is_refused_before(self, step: Step) -> bool:
        before = COMMANDS[: COMMANDS.index(step.command)]
        ends = [self._ended.get((step.session, command)) for command in before]
        return any(end is not None and end[0] == "refused" for end in ends)

    def _quote(self, step: Step) -> None:
        """Repeat what a step said, for those who ask for details."""
        if logger.isEnabledFor(logging.DEBUG):
            for line in log_excerpt(log_path(self._results, step.session, step.command)):
                logger.debug("    %s", line)


def outcome(step: Step) -> str:
    """Return what became of a step, in words.

    >>> outcome(Step("a", "train", "done", seconds=75.2))
    'done in 1 min 15 s'
    >>> outcome(Step("a", "extract", "refused", "no behaviour found"))
    'refused: no behaviour found'
    """
    if step.state == "done":
        return f"done in {duration(step.seconds)}" if step.seconds is not None else "done"
    return f"{step.state}: {step.reason}" if step.reason else step.state


@contextmanager
def following(results: Path, sessions: list[str]) -> Iterator[Callable[[], None]]:
    """Yield the function that a run calls about every second.

    On a terminal it keeps a display of the steps at work, below the lines of the sessions that have ended.

    Args:
        results: folder of the results.
        sessions: names of the sessions.
    """
    if not sys.stderr.isatty() or not logger.isEnabledFor(logging.INFO):
        monitor = RunMonitor(results, sessions)
        yield monitor.poll
        monitor.poll(last=True)
        return
    console, monitor = Console(stderr=True), RunMonitor(results, sessions, brief=True)
    with Live(display(monitor.steps), console=console, refresh_per_second=2, transient=True) as live:

        def poll() -> None:
            monitor.poll()
            live.update(display(monitor.steps))

        yield poll
        monitor.poll(last=True)


def display(steps: list[Step]) -> Group:
    """Return the state of a run for a terminal: how much is done, and the steps at work.

    Args:
        steps: of the run.
    """
    at_work = [step for step in steps if step.state == "at work"]
    ended = sum(step.state in FINAL for step in steps)
    left = time_left(steps, len(at_work))
    rows = Table.grid(padding=(0, 2))
    rows.add_row("all steps", ProgressBar(max(len(steps), 1), ended, width=30), f"{ended} of {len(steps)}", _left(left))
    for step in at_work[:MOST_SHOWN]:
        name, progress = Text(printable(f"{step.session}: {step.command}")), step.progress
        if progress is None:
            rows.add_row(name, ProgressBar(1, 0, width=30, pulse=True), "at work", "")
        else:
            bar = ProgressBar(progress.total, progress.done, width=30)
            said = Text(f"{progress.done} of {progress.total} {progress.unit}")
            rows.add_row(name, bar, said, _left(progress.seconds_left))
    more = len(at_work) - MOST_SHOWN
    return Group(rows, Text(f"and {more} more at work")) if more > 0 else Group(rows)


def _left(seconds: float | None) -> str:
    return f"about {duration(seconds)} left" if seconds is not None else ""


def _key(step: Step) -> Key:
    return step.session, step.command


def _end(step: Step) -> tuple[str, object]:
    return step.state, step.written
