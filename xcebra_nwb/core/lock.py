"""Exclusive locks: one process at a time works in a folder, so that its files are never a mixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from xcebra_nwb.core.errors import Failure, UsageError

NAME = ".lock"


def acquire(lock: Path, busy: str, remedy: str) -> AcquireReturnProxy:
    """Acquire a lock and return it, to be used in a ``with`` statement.

    Args:
        lock: A file in the folder that is worked on.
        busy: Message where another process holds the lock.
        remedy: What would help then.

    Raises:
        Failure: Another process holds the lock.
        UsageError: This user may not acquire it.
    """
    try:
        return FileLock(lock, timeout=0).acquire()
    except Timeout:
        raise Failure(busy, remedy) from None
    except OSError as error:  # made by another user, or a link
        raise UsageError(f"{lock}: cannot be locked: {error.strerror}", "name a folder of your own") from None


@contextmanager
def exclusive(folders: Sequence[Path]) -> Iterator[None]:
    """Hold exclusive locks on ``folders``; folders that do not exist are skipped.

    The system releases a lock when its process ends, also by a kill.

    Raises:
        Failure: Another process works in one of them.
    """
    with ExitStack() as locks:
        for folder in sorted({folder.resolve() for folder in folders if folder.is_dir()}):
            locks.enter_context(_locked(folder))
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        lock = FileLock(folder / NAME, timeout=0).acquire()
    except Timeout:
        raise Failure(f"{folder}: another process is working there", "wait for it, or stop it") from None
    # A file system without locks, or a read-only folder: writing reports it.
    except (OSError, NotImplementedError):
        yield
        return
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows does not remove open files
                (folder / NAME).unlink()
