"""Where a shared cache lies: a folder, or a bucket of an object store.

Names in a store are made of digests and names of commands alone, so nothing that somebody wrote into it becomes a path.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.safe_text import without_secrets

PIECE = 2**20  # bytes that are copied at once
READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Store(Protocol):
    """The files of a shared cache, by name; every file is whole or not there.

    All methods raise a :class:`Failure` if the store cannot be used.
    """

    @property
    def shown(self) -> str:
        """The address without secrets."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise FileNotFoundError without it."""

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None without it."""

    def put(self, path: Path, name: str) -> None:
        """Store a copy of a file."""

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store a small file."""


class FolderStore:
    """A shared cache in a folder; no link below it is followed."""

    def __init__(self, root: Path) -> None:
        """Take a folder that exists, or that is created when something is stored."""
        self._root, self.shown = root, str(root)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise FileNotFoundError without it."""
        with self._explained():
            descriptor = os.open(self._path(name), READING)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Failure(f"{self.shown}: {name} is no file", "remove it")
                while piece := stream.read(PIECE):
                    yield piece

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None without it."""
        with self._explained():
            try:
                status = self._path(name).lstat()
            except FileNotFoundError:
                return None
            return status.st_size if stat.S_ISREG(status.st_mode) else None

    def put(self, path: Path, name: str) -> None:
        """Store a copy of a file."""
        with self._explained(), atomic(self._path(name)) as temporary:
            shutil.copyfile(path, temporary)

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store a small file."""
        with self._explained(), atomic(self._path(name)) as temporary:
            temporary.write_bytes(content)

    def _path(self, name: str) -> Path:
        path = self._root
        for part in PurePosixPath(name).parts:
            path = path / part
            if path.is_symlink():
                raise Failure(f"{self.shown}: {path.relative_to(self._root)} is a link", "remove it")
        return path

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Failure(f"{self.shown}: {error.strerror or error}", "check its permissions and its disk") from None


class ObjectStore:
    """A shared cache in an object store, by its file system of fsspec.

    An object appears once it is whole.
    """

    def __init__(self, system: Any, root: str, shown: str) -> None:
        """Take a file system of fsspec.

        Args:
            system: The file system.
            root: Bucket and prefix.
            shown: The address without secrets.
        """
        self._system, self._root, self.shown = system, root.strip("/"), shown

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise FileNotFoundError without it."""
        with self._explained(), self._opened(name, "rb") as stream:
            while piece := stream.read(PIECE):
                yield piece

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None without it."""
        with self._explained():
            try:
                about = self._system.info(self._name(name))
            except FileNotFoundError:
                return None
            return int(about["size"]) if about["type"] == "file" else None

    def put(self, path: Path, name: str) -> None:
        """Store a copy of a file."""
        with self._explained(), path.open("rb") as source, self._opened(name, "wb") as target:
            shutil.copyfileobj(source, target, PIECE)

    def put_bytes(self, content: bytes, name: str) -> None:
        """Store a small file."""
        with self._explained(), self._opened(name, "wb") as target:
            target.write(content)

    def _opened(self, name: str, mode: str) -> IO[bytes]:
        opened: IO[bytes] = self._system.open(self._name(name), mode)
        return opened

    def _name(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:  # pyarrow's errors are both
            raise Failure(f"{self.shown}: {without_secrets(str(error))}", "check its address and your rights") from None
