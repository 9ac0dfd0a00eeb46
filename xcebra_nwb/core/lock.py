"""Exclusive locks: one process at a time works in a folder, so that its files are never a mixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from xcebra_nwb.core.errors import UsageError

NAME = ".lock"


def acquire(lock: Path, busy: str, remedy: str) -> AcquireReturnProxy:
    """Acquire a lock and return it, to be used in a ``with`` statement.

    Args:
        lock: a file in the folder that is worked on.
        busy: message where another process holds the lock.
        remedy: what would help then.

    Raises:
        UsageError: another process holds the lock, or this user may not acquire it.
    """
    try:
        return FileLock(lock, timeout=0).acquire()
    except Timeout:
        raise UsageError(busy, remedy) from None
    except OSError as error:  # made by another user, or a link
        raise UsageError(f"{lock}: cannot be locked: {error.strerror}", "name a folder of your own") from None


@contextmanager
def exclusive(folders: Sequence[Path]) -> Iterator[None]:
    """Hold exclusive locks on ``folders``; a folder that does not exist yet needs none.

    The system releases a lock when its process ends, also by a kill.

    Raises:
        UsageError: another process is in one of them.
    """
    with ExitStack() as held:
        for folder in sorted({folder.resolve() for folder in folders if folder.is_dir()}):
            held.enter_context(_only_one(folder))
        yield


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    try:
        lock = FileLock(folder / NAME, timeout=0).acquire()
    except Timeout:
        raise UsageError(f"{folder}: another process is working there", "wait for it, or stop it") from None
    # A file system without locks; or a folder that cannot be written to, as who writes will say.
    except (OSError, NotImplementedError):
        yield
        return
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no file that is open
                (folder / NAME).unlink()
