"""One process at a time in a folder: what two write into one would be a mixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from xcebra_nwb.errors import UsageError

NAME = ".lock"


@contextmanager
def alone(folders: Sequence[Path]) -> Iterator[None]:
    """Keep others out of ``folders`` meanwhile; a folder that is not there yet, nobody can be in.

    The system lets go of a lock when its process ends, also by a kill.

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
