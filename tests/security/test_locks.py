"""Users of one machine do not stand in each other's way, and nobody is led to another's file."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xcebra_nwb.core import folders
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.lock import acquire
from xcebra_nwb.training.device import card_lock, exclusive_card

OTHER = 54321
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of all users, and no other for locks."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    yield folder
    shutil.rmtree(folder)


def as_another_user(work: Callable[[], object]) -> str:
    """What goes wrong when another user does ``work``, "" if nothing does."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # must not return into the tests
        said = "it ended early"
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            work()
            said = ""
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as stream:
        return stream.read()


def lock_the_card() -> None:
    with card_lock(0).acquire(timeout=5):
        pass


@as_root
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_second_user_can_lock_a_card_that_the_first_has_locked(shared: Path) -> None:
    with card_lock(0).acquire(timeout=5):
        assert as_another_user(lock_the_card) == ""
    assert {path.stat().st_uid for path in shared.iterdir()} == {os.geteuid(), OTHER}
    for path in shared.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_user_has_one_lock_for_a_card(shared: Path) -> None:
    assert Path(card_lock(0).lock_file) == Path(card_lock(0).lock_file)
    assert Path(card_lock(0).lock_file).is_relative_to(shared)
    assert card_lock(0).lock_file != card_lock(1).lock_file


def test_a_command_that_waits_for_a_card_says_so(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    taken, may_end = threading.Event(), threading.Event()

    def other_command() -> None:
        with card_lock(0):
            taken.set()
            may_end.wait(timeout=5)

    threading.Thread(target=other_command).start()
    assert taken.wait(timeout=5)
    threading.Timer(0.2, may_end.set).start()
    with caplog.at_level("INFO"), exclusive_card(0):
        assert "cuda:0 is in use by another command: waiting for it" in caplog.text
    with exclusive_card(0):
        assert caplog.text.count("waiting") == 1


@as_root
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_that_another_user_made_first_is_refused_in_one_line(kind: str, shared: Path, tmp_path: Path) -> None:
    mine = shared / f"xcebra-nwb-{os.geteuid()}"
    if kind == "folder":
        mine.mkdir(mode=0o777)
    else:
        mine.symlink_to(tmp_path)
    os.chown(mine, OTHER, OTHER, follow_symlinks=False)
    with pytest.raises(UsageError, match=r"another user.*TMPDIR") as raised:
        card_lock(0)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_the_login_is_taken_where_it_is_the_users(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = tmp_path / "run"
    login.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(login))
    assert folders.runtime_folder().parent == login
    login.chmod(0o777)  # no longer the user's alone
    assert folders.runtime_folder().parent == shared


def test_a_link_in_the_place_of_a_file_that_is_not_whole_yet_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for foreseen in (os.getpid(), *range(50)):
        (tmp_path / f".{foreseen}-x.txt").symlink_to(victim)
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.write_text("new")
    assert (victim.read_text(), (tmp_path / "x.txt").read_text()) == ("mine", "new")
    assert not (tmp_path / "x.txt").is_symlink()


@pytest.mark.parametrize("name", [".run.lock", ".tune.lock"])
def test_a_lock_that_cannot_be_taken_is_one_line_and_no_link_is_followed(name: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / name).symlink_to(victim)
    with pytest.raises(UsageError, match="cannot be locked"), acquire(tmp_path / name, "busy", "wait"):
        pass
    assert victim.read_text() == "mine"
