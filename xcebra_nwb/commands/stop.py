"""Stop a run and all of its processes: by Ctrl-C, SIGTERM (from schedulers) or SIGHUP (from a closed terminal)."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

MARK = "XCEBRA_NWB_RUN"  # environment variable that all processes of a run share, also those whose parent has ended
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
SECONDS_ALONE = 10.0  # Ctrl-C in a terminal reaches all processes by itself
SECONDS_TO_END = 60.0  # before processes that do not end are killed
SECONDS_AFTER = 5.0  # for processes that outlive the workflow
logger = logging.getLogger("xcebra_nwb")
Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handling(handler: Handler) -> Iterator[None]:
    """Call ``handler`` for the signals that stop a run, except those that the user's shell ignores (``nohup``)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    earlier = {number: signal.getsignal(number) for number in numbers}
    heeded = [number for number in numbers if earlier[number] is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, earlier[number] or signal.SIG_DFL)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise a KeyboardInterrupt, whatever the signal."""
    raise KeyboardInterrupt


class Stop:
    """A wish to stop, and its way to all processes with a mark."""

    def __init__(self, mark: str) -> None:
        self.signal: int | None = None
        self._mark, self._again = mark, False
        self._wished = self._sent = 0.0  # times

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, as its handler."""
        self._again = self.signal is not None
        self.signal = self.signal or number

    def pass_on(self) -> None:
        """Pass the wish on to the processes, and kill them if they do not end; to be called about every second."""
        if self.signal is None:
            return
        now = time.monotonic()
        if not self._wished:
            self._wished = now
            logger.warning("stopping (%s); the same command resumes the run", signal.Signals(self.signal).name)
        reached = self.signal == signal.SIGINT and not self._again and now - self._wished < SECONDS_ALONE
        if not self._sent and not reached:
            self._sent = now
            _each(marked(self._mark), psutil.Process.terminate if os.name == "nt" else _interrupt)
        elif self._sent and now - self._sent >= SECONDS_TO_END:
            _each(marked(self._mark), psutil.Process.kill)


def end_left(mark: str) -> None:
    """End the processes that outlive their workflow."""
    left = marked(mark)
    if left:
        _each(left, psutil.Process.terminate if os.name == "nt" else _interrupt)
        _each(psutil.wait_procs(left, timeout=SECONDS_AFTER)[1], psutil.Process.kill)


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes of this user with a mark, except this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def _interrupt(process: psutil.Process) -> None:
    # What a script starts in the background ignores SIGINT, and so do all processes that it starts.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    process.send_signal(signal.SIGTERM if ignored else signal.SIGINT)


def _each(processes: list[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            action(process)
