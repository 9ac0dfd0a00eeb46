"""Embargoed dandisets: a key where one is needed, nobody asked in a batch, and the key written nowhere."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
from pathlib import Path

import pytest
from keyrings.alt.file import PlaintextKeyring

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from tests.support.paths import COMMAND
from xcebra_nwb.archive.connection import connected
from xcebra_nwb.core.errors import UsageError

KEY = "c0ffee0123456789c0ffee0123456789c0ffee01"


@pytest.fixture
def embargoed(archive: Loopback, tmp_path: Path) -> Loopback:
    archive.add("sub-a/sub-a_ses-1.nwb", nwb_builders.without_behaviour(tmp_path / "x.nwb").read_bytes())
    archive.dandisets["000001"].embargoed = True
    archive.keys.add(KEY)
    return archive


def variable(archive: Loopback) -> str:
    """The client names it after the archive; of one that it does not know, it is no name that a shell can set."""
    return f"{archive.site.removeprefix('http://')}_API_KEY"


def call(archive: Loopback, *words: object, key: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    given = {variable(archive): key} if key else {}
    return subprocess.run(
        [str(word) for word in (COMMAND, *words)],
        env=os.environ | given | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def test_without_a_key_one_line_names_the_variable(embargoed: Loopback, tmp_path: Path) -> None:
    done = call(embargoed, "discover", f"{embargoed.site}/dandiset/000001", "-o", tmp_path / "t.tsv")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"needs a key (set {variable(embargoed)}, or store one with `keyring set dandi-api-" in done.stderr
    assert not (tmp_path / "t.tsv").exists()


def test_a_key_that_is_not_accepted_is_not_shown(embargoed: Loopback, tmp_path: Path) -> None:
    wrong = KEY[::-1]
    words = ("--debug", "discover", f"{embargoed.site}/dandiset/000001", "-o", tmp_path / "t.tsv")
    done = call(embargoed, *words, key=wrong)
    assert done.returncode == 2
    assert f"the key in the environment variable {variable(embargoed)} is not accepted" in done.stderr
    assert wrong not in done.stdout + done.stderr


def test_a_key_from_the_keyring_is_used(embargoed: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    service = f"dandi-api-{embargoed.site.removeprefix('http://')}"
    monkeypatch.setattr(PlaintextKeyring, "file_path", str(tmp_path / "keyring.cfg"))
    PlaintextKeyring().set_password(service, "key", KEY)
    with connected(embargoed.site, "000001") as client:
        assert client.session.headers["Authorization"] == f"token {KEY}"


def test_an_open_dandiset_is_asked_without_the_key(archive: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add("sub-a/sub-a_ses-1.nwb", b"x")
    monkeypatch.setenv(variable(archive), KEY)
    with connected(archive.site, "000001") as client:
        assert "Authorization" not in client.session.headers


def test_a_locked_keyring_is_not_opened_when_nobody_is_there(
    embargoed: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.EncryptedKeyring")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="needs a key"), connected(embargoed.site, "000001"):
        pass


def test_a_run_on_an_embargoed_dandiset_ends_well_and_leaves_no_key(embargoed: Loopback, tmp_path: Path) -> None:
    (tmp_path / "stream.yaml").write_text("access: stream\n")
    out, address = tmp_path / "out", f"{embargoed.site}/dandiset/000001"
    words = [str(COMMAND), "--debug", "run", address, "-o", str(out), "-c", str(tmp_path / "stream.yaml")]
    running = subprocess.Popen(
        words, env=os.environ | {variable(embargoed): KEY}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    seen = b""
    while running.poll() is None:
        seen += process_list()
        select.select([], [], [], 0.2)  # other pauses take no time here
    said, _ = running.communicate()
    assert running.returncode == 0, said.decode()
    status = json.loads((out / "sub-a_ses-1" / "status.json").read_text())
    assert (status["state"], status["code"], status["verb"]) == ("refused", "no-label", "extract")
    assert b"xcebra-nwb fetch" in seen or b"xcebra-nwb extract" in seen
    assert KEY.encode() not in said + seen
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
    assert embargoed.tokens_at_the_store == []


def process_list() -> bytes:
    """The command lines of everything that runs, whole: a key may be at their end."""
    return subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, check=True).stdout
