"""Show a run on this machine, to one person: its progress, and the files of its results.

Everybody on a shared machine can reach a port of 127.0.0.1, and so can any page in a browser. So an address has a
token, which the first visit turns into a cookie. The name of the host must be that of this machine, else a stranger's
name could be made to lead here. Only regular files of the results are read, through no link.
"""

from __future__ import annotations

import http
import json
import logging
import os
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.report.pages.watch import watch_json, watch_page
from xcebra_nwb.report.steps import RunSteps, Step

HOST, PROGRESS = "127.0.0.1", "progress.json"
SECONDS_OF_STEPS = 1.0  # for which steps are not read again
SECONDS_TO_SEE = 10.0  # for a browser to ask for the end of a run
SECONDS_OF_SILENCE = 15.0  # after which nobody is taken to look
TEXT = {".json", ".jsonl", ".log", ".md", ".tsv", ".txt", ".yaml"}
PAGE, SUMMARY = "report.html", "summary.html"
# The most that a page may do; its own policy is stricter. No page of the results reaches beyond this server.
OUTERMOST = (
    "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; connect-src 'self' data: blob:; "
)
FRAMES = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HARMLESS = "default-src 'none'; sandbox; "  # of what is no page


logger = logging.getLogger("xcebra_nwb")


class WatchServer(ThreadingHTTPServer):
    """Serves a run on a free port of 127.0.0.1."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, results: Path, sessions: Sequence[str], port: int = 0) -> None:
        """Listen; nothing is answered before :meth:`serve_forever`.

        Args:
            results: folder of the results.
            sessions: names of the sessions.
            port: of 127.0.0.1; 0 for a free one.

        Raises:
            UsageError: The port is taken.
        """
        self.folder = os.open(results, os.O_RDONLY | os.O_DIRECTORY)  # a port that is taken closes it again
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise UsageError(f"port {port}: {error.strerror}", "give another --port, or none") from None
        self.results = results
        self.token, self.cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.over = False
        self.end_seen = threading.Event()
        self.asked = -SECONDS_OF_SILENCE  # when somebody asked last
        self._steps, self._lock = RunSteps(results, sessions), threading.Lock()
        self._read: tuple[float, list[Step]] | None = None

    @property
    def port(self) -> int:
        """The port that is listened to."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """The address to open, with the token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    def steps(self) -> list[Step]:
        """Return the steps of the run, not older than a second."""
        with self._lock:
            now = time.monotonic()
            if self._read is None or now - self._read[0] >= SECONDS_OF_STEPS:
                self._read = (now, self._steps.read())
            return self._read[1]

    def end(self) -> None:
        """Tell those who look that the run has ended, and wait until they have asked."""
        with self._lock:
            self._read = None
        self.over = True
        if time.monotonic() - self.asked < SECONDS_OF_SILENCE:
            self.end_seen.wait(SECONDS_TO_SEE)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log an error for those who ask for details; a page asks again."""
        logger.debug("a request could not be answered", exc_info=True)

    def server_close(self) -> None:
        """Stop listening."""
        super().server_close()
        with suppress(OSError):
            os.close(self.folder)


class Handler(BaseHTTPRequestHandler):
    """Answers one request; no other method than GET is known."""

    server: WatchServer
    server_version, sys_version = "xcebra-nwb", ""
    timeout = 10

    def do_GET(self) -> None:
        """Answer, if the request comes from whom it should."""
        if self.headers.get("Host", "") not in {f"{HOST}:{self.server.port}", f"localhost:{self.server.port}"}:
            return self._refuse(http.HTTPStatus.MISDIRECTED_REQUEST, "this server has another name")
        parts = urlsplit(self.path)
        given = parse_qs(parts.query).get("token", [""])[-1]
        if given and _same(given, self.server.token):
            return self._let_in()
        if not self._is_known():
            return self._refuse(http.HTTPStatus.FORBIDDEN, "open the address that xcebra-nwb printed, with its token")
        self.server.asked = time.monotonic()
        return self._answer(unquote(parts.path, errors="replace"))

    def _is_known(self) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        with suppress(CookieError):
            cookies.load(self.headers.get("Cookie", ""))
        found = cookies.get(self._cookie_name)
        return found is not None and _same(found.value, self.server.cookie)

    @property
    def _cookie_name(self) -> str:
        return f"xcebra_nwb_{self.server.port}"  # a browser sends cookies to all ports of a host

    def _let_in(self) -> None:
        """Give the cookie, and take the token out of the address."""
        self.send_response(http.HTTPStatus.SEE_OTHER)
        # Lax, not Strict: the first visit may come from a file that leads here.
        self.send_header("Set-Cookie", f"{self._cookie_name}={self.server.cookie}; Path=/; HttpOnly; SameSite=Lax")
        self.send_header("Location", "/")
        self._send_headers("text/plain; charset=utf-8", HARMLESS, 0)

    def _answer(self, path: str) -> None:
        if path in ("/", f"/{PROGRESS}"):
            self._send_progress(page=path == "/")
            return
        parts = path.removeprefix("/").split("/")
        file = open_inside(self.server.folder, parts)
        if file is None:
            self._refuse(http.HTTPStatus.NOT_FOUND, "no such file of the results")
            return
        with file:
            self._send_file(file, parts)

    def _send_progress(self, page: bool) -> None:
        over = self.server.over
        told = self.server.results, self.server.steps(), over
        text = watch_page(*told) if page else json.dumps(watch_json(*told))
        kind = "text/html" if page else "application/json"
        self._send(text.encode("utf-8", "replace"), f"{kind}; charset=utf-8", OUTERMOST)
        if over:
            self.server.end_seen.set()

    def _send_file(self, file: BinaryIO, parts: list[str]) -> None:
        page = parts == [SUMMARY] or (len(parts) == 2 and parts[1] == PAGE)
        suffix = Path(parts[-1]).suffix.lower()
        kind = "text/html; charset=utf-8" if page else "application/octet-stream"
        if not page and suffix in TEXT:
            kind = "text/plain; charset=utf-8"
        self.send_response(http.HTTPStatus.OK)
        if kind == "application/octet-stream":
            self.send_header("Content-Disposition", "attachment")
        self._send_headers(kind, OUTERMOST if page else HARMLESS, os.fstat(file.fileno()).st_size)
        shutil.copyfileobj(file, self.wfile)

    def _send(self, content: bytes, kind: str, policy: str, status: int = http.HTTPStatus.OK) -> None:
        self.send_response(status)
        self._send_headers(kind, policy, len(content))
        self.wfile.write(content)

    def _send_headers(self, kind: str, policy: str, length: int) -> None:
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(length),
            "Content-Security-Policy": policy + FRAMES,
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: int, why: str) -> None:
        self._send(f"{why}\n".encode(), "text/plain; charset=utf-8", HARMLESS, status)

    def handle(self) -> None:
        """Answer; that a browser goes away in between is no error."""
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def log_message(self, format: str, *values: object) -> None:
        """Log nothing: a request may hold the token."""


def _same(given: str, known: str) -> bool:
    """Return whether two texts are the same, in a time that does not tell how much of them is."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), known.encode())


def open_inside(folder: int, parts: Sequence[str]) -> BinaryIO | None:
    """Open a regular file below an open folder; None if there is none.

    No part of the path may be a link, lead up or be hidden. Each folder is opened within the one before it, so a link
    that is made in the meantime leads nowhere.

    Args:
        folder: descriptor of the folder.
        parts: names of the folders, and of the file.
    """
    if not parts or any(not part or part.startswith(".") or "\0" in part or os.sep in part for part in parts):
        return None
    opened = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = below
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
    except (OSError, ValueError):
        return None
    finally:
        os.close(opened)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None
    return os.fdopen(file, "rb")


@contextmanager
def serving(results: Path, sessions: Sequence[str], port: int = 0) -> Iterator[WatchServer]:
    """Serve a run while a block runs, and a little longer, so that those who look see its end.

    Args:
        results: folder of the results.
        sessions: names of the sessions.
        port: of 127.0.0.1; 0 for a free one.

    Raises:
        UsageError: The port is taken.
    """
    server = WatchServer(results, sessions, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
    thread.start()
    try:
        yield server
        server.end()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
