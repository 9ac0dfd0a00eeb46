"""Say while nothing arrives from the network that it is still waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xcebra_nwb.core.progress import waiting_line

SECONDS_BETWEEN_LINES = 20.0
logger = logging.getLogger("xcebra_nwb")


@contextmanager
def patience(what: str) -> Iterator[Callable[[], None]]:
    """Log a line every few seconds in which nothing arrives; yield a function to be called when something does.

    Args:
        what: Name of what is waited for.
    """
    over, heard = threading.Event(), [time.monotonic()]

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LINES):
            silent = time.monotonic() - heard[0]
            if silent >= SECONDS_BETWEEN_LINES:
                logger.warning("%s", waiting_line(what, silent))

    def note() -> None:
        heard[0] = time.monotonic()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield note
    finally:
        over.set()
        watcher.join()
