"""watch: show a run in a browser of this machine while it works."""

from __future__ import annotations

import html
import logging
import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xcebra_nwb.commands.run_folder import is_at_work
from xcebra_nwb.commands.watch_server import WatchServer, serving
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.folders import check_run, runtime_folder

SECONDS_BETWEEN_LOOKS = 1.0
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
logger = logging.getLogger("xcebra_nwb")


def watch(output: Path, port: int = 0, browse: bool = False) -> None:
    """Show the run that is at work in a folder, until it ends.

    Args:
        output: Folder of the run.
        port: Port of 127.0.0.1; 0 for a free one.
        browse: Whether to open the page in a browser.

    Raises:
        UsageError: No run is at work there.
    """
    output = output.absolute()
    if not is_at_work(output):
        page = output / "summary.html"
        remedy = f"open {page}" if page.exists() else "start one by xcebra-nwb run"
        raise UsageError(f"{output}: no run is at work there", remedy)
    sessions = [row.session for row in session_table.read(output / "sessions.tsv") if row.include]
    with showing(output, sessions, port, browse):
        while is_at_work(output):
            time.sleep(SECONDS_BETWEEN_LOOKS)
    logger.info("the run has ended; open %s", output / "summary.html")


@contextmanager
def showing(output: Path, sessions: list[str], port: int = 0, browse: bool = False) -> Iterator[WatchServer]:
    """Show a run while a block runs, and say where.

    Args:
        output: Folder of the run.
        sessions: Names of the sessions.
        port: Port of 127.0.0.1; 0 for a free one.
        browse: Whether to open the page in a browser.

    Raises:
        UsageError: The port is taken, or the system cannot serve files safely.
    """
    if os.name == "nt":
        raise UsageError("watch: not on Windows, which cannot open files without following links", "use WSL")
    check_run(output, sessions)
    with serving(output, sessions, port) as server:
        logger.info("watch it, on this machine and only as you: %s", server.address)
        with _opened(server.address) if browse else _nothing():
            yield server


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _opened(address: str) -> Iterator[None]:
    """Open an address in a browser by way of a private file: others can see the words that start a program."""
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAYS):
        logger.warning("no browser is opened, since there is no display; open the address above")
        yield
        return
    file = runtime_folder() / f"watch-{secrets.token_hex(8)}.html"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(address)}">\n')
    try:
        if not webbrowser.open(file.as_uri()):
            logger.warning("no browser could be opened; open the address above")
        yield
    finally:
        file.unlink(missing_ok=True)
