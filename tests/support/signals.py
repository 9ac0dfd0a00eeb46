"""Signals of the processes that tests start."""

import signal
from collections.abc import Sequence


def heed(ignored: Sequence[signal.Signals] = ()) -> None:
    """Heed the signals that stop a run but some, even where the tests run in the background or under nohup.

    For a new process, before it begins its program.
    """
    for how in (signal.SIGINT, signal.SIGHUP):
        signal.signal(how, signal.SIG_IGN if how in ignored else signal.SIG_DFL)
