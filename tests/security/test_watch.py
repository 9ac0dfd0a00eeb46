"""The server of a run answers one person on this machine, with files of the results alone, while the run works."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.commands.test_run_progress import PROGRESS, begun, end, write_log
from tests.support.html import EVIL
from xcebra_nwb.commands import watch as command
from xcebra_nwb.commands import watch_server
from xcebra_nwb.commands.run_folder import is_at_work, sole_run
from xcebra_nwb.commands.watch import showing, watch
from xcebra_nwb.commands.watch_server import WatchServer, serving
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session_table import Session, write

STEP = "a"
HIDDEN = ("/.run.json", "/.snakemake/log", "/a/.secret")
OUTSIDE = (
    "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/a/../../secret.txt", "//etc/passwd",
    "/a//report.html", "/link.txt", "/folder/passwd", "/a", "/a/", "/pipe", "/a%00/report.html", "/nothing.html",
    "/progress.json/", "/https://example.org/",
)  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The folder of a run at work: a session that trains, one that is refused, and one that failed."""
    made = tmp_path / "out"
    made.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    begun(made)
    end(made, "a", "extract")
    write_log(made, "a", "train", PROGRESS)
    for step in ("extract", "train"):
        end(made, "b", step, state="refused", code=Code.NO_LABEL, reason=f"no behaviour {EVIL}", remedy="add one")
    write_log(made, "c", "extract", f"xcebra-nwb: failed: out of memory {EVIL}\n")
    (made / "a" / "report.html").write_text("a page")
    (made / "a" / "other.html").write_text(EVIL)
    (made / "a" / ".secret").write_text("secret")
    (made / ".run.json").write_text("{}")
    (made / ".snakemake").mkdir()
    (made / ".snakemake" / "log").write_text("secret")
    (made / "link.txt").symlink_to(tmp_path / "secret.txt")
    (made / "folder").symlink_to("/etc")
    os.mkfifo(made / "pipe")
    return made


@pytest.fixture
def server(results: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchServer]:
    monkeypatch.setattr(watch_server, "SECONDS_TO_SEE", 0.0)
    with serving(results, ["a", "b", "c"]) as made:
        yield made


def ask(
    server: WatchServer, path: str, cookie: str | None = "", host: str | None = None, method: str = "GET"
) -> HTTPResponse:
    """The answer to a request; with the cookie unless another one, or none, is given."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.port}")
    if cookie is not None:
        connection.putheader("Cookie", cookie or f"other=1; xcebra_nwb_{server.port}={server.cookie}")
    connection.endheaders()
    answer = connection.getresponse()
    answer.text = answer.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return answer


def text(answer: HTTPResponse) -> str:
    return str(answer.text)  # type: ignore[attr-defined]


def test_it_listens_on_this_machine_alone(server: WatchServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_said_and_leaves_nothing_open(server: WatchServer, results: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    with (
        pytest.raises(UsageError, match=f"port {server.port}: Address already in use"),
        serving(results, [], server.port),
    ):
        pass
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(
    "path", ["/", "/progress.json", "/a/report.html", "/?token=", "/?token=x", "/a/report.html?token=é"]
)
@pytest.mark.parametrize("cookie", [None, "xcebra_nwb_1=x", "\x01"])
def test_nothing_is_said_without_the_token(path: str, cookie: str | None, server: WatchServer) -> None:
    if cookie == "xcebra_nwb_1=x":
        cookie = f"xcebra_nwb_{server.port}={server.token}"  # the token is no cookie
    answer = ask(server, path.replace("é", "%C3%A9"), cookie)
    assert answer.status == 403
    assert "sub" not in text(answer) and "out" not in text(answer)


def test_the_token_becomes_a_cookie_and_leaves_the_address(server: WatchServer) -> None:
    answer = ask(server, server.address.partition(str(server.port))[2], None)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert server.token not in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert ask(server, "/", cookie.partition(";")[0]).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{}.evil.example", "[::1]:{}"]
)
def test_a_request_by_another_name_of_the_host_is_refused(host: str, server: WatchServer) -> None:
    path = server.address.partition(str(server.port))[2]
    assert ask(server, path, host=host.format(server.port)).status == 421
    assert ask(server, "/", host=f"localhost:{server.port}").status == 200


@pytest.mark.parametrize("path", [*OUTSIDE, *HIDDEN])
def test_only_files_of_the_results_are_read(path: str, server: WatchServer) -> None:
    answer = ask(server, path)
    assert answer.status == 404
    assert "secret" not in text(answer) and "root" not in text(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_but_get_is_answered(method: str, server: WatchServer) -> None:
    assert ask(server, "/", method=method).status == 501


def test_a_page_is_a_page_and_other_files_run_nothing(server: WatchServer) -> None:
    page, other, log = (ask(server, path) for path in ("/a/report.html", "/a/other.html", "/logs/a/train.log"))
    assert (page.headers["Content-Type"], text(page)) == ("text/html; charset=utf-8", "a page")
    assert other.headers["Content-Type"] == "application/octet-stream"
    assert other.headers["Content-Disposition"] == "attachment"
    assert (log.headers["Content-Type"], text(log)) == ("text/plain; charset=utf-8", PROGRESS)
    for answer in (page, other, log):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert all("sandbox" in answer.headers["Content-Security-Policy"] for answer in (other, log))


def test_the_page_says_how_far_every_session_is_and_what_went_wrong(server: WatchServer) -> None:
    page = ask(server, "/")
    told = json.loads(text(ask(server, "/progress.json")))
    for said in (text(page), told["part"]):
        assert "3 sessions: 0 done, 1 refused, 1 failed, 1 at work, 0 waiting." in said
        assert EVIL not in said and EVIL.replace("<", "&lt;").replace(">", "&gt;") in said
        assert 'max="2000" value="500"' in said and "about 1 min left" in said
        assert said.count("no behaviour") == 1  # not by the commands that pass it on
        assert (
            'href="a/report.html"' in said and 'href="logs/a/train.log"' in said and 'href="b/report.html"' not in said
        )
    assert (told["over"], 'http-equiv="refresh"' in text(page)) == (False, True)
    assert "connect-src 'self'" in text(page)


def test_whoever_looks_sees_the_end(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_server, "SECONDS_TO_SEE", 0.0)
    with serving(results, ["a"]) as server:
        server.end()
        told = json.loads(text(ask(server, "/progress.json")))
        assert told["over"] and "The run has ended." in told["part"]
        assert "refresh" not in text(ask(server, "/"))
        assert server.end_seen.is_set()


def test_it_ends_with_the_run(results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    write([Session(session="a", include=True, source="a.nwb")], results / "sessions.tsv")
    ports: list[int] = []

    def at_work(output: Path) -> bool:
        for said in (line for line in caplog.messages if "token" in line):
            ports.append(int(said.partition("127.0.0.1:")[2].partition("/")[0]))  # noqa: PERF401
        return len(ports) < 3

    monkeypatch.setattr(command, "is_at_work", at_work)
    monkeypatch.setattr(command, "SECONDS_BETWEEN_LOOKS", 0.01)
    with caplog.at_level("INFO", logger="xcebra_nwb"):
        watch(results)
    assert "the run has ended" in caplog.messages[-1]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0


def test_without_a_run_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with sole_run(tmp_path / "out"):
        assert is_at_work(tmp_path / "out")
    assert not is_at_work(tmp_path / "out")
    with pytest.raises(UsageError, match="no run is at work there"):
        watch(tmp_path / "out")


def test_a_browser_is_led_by_a_private_file_and_not_by_words_that_others_see(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setattr(command, "runtime_folder", lambda: tmp_path)

    def browse(address: str) -> bool:
        opened.append(address)
        file = Path(address.removeprefix("file://"))
        assert file.stat().st_mode & 0o777 == 0o600
        opened.append(file.read_text())
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    with showing(results, ["a"], browse=True) as server:
        assert server.token not in opened[0] and server.address in opened[1]
    assert not list(tmp_path.glob("watch-*"))
