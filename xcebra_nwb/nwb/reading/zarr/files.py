"""Read the files of a Zarr recording from a folder, a zip file or an address.

No other files are read. A key is a path below the root of the recording, with ``/``. The caller bounds how much is
read.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from functools import cached_property
from lzma import LZMAError
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote

import requests

from xcebra_nwb.nwb.reading.zarr.bounds import MOST_FILES, MOST_NODES

ROOTS = ("zarr.json", ".zmetadata", ".zgroup")
TIMEOUT = 30  # s
GONE = {404, 410}
BLOCK = 2**20  # bytes
ENCRYPTED = 1  # a bit of the flags of a member of a zip file
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # do not follow links, and do not wait for a pipe


class Elsewhere(OSError):
    """The error for a link that leads out of the recording."""


class Files(Protocol):
    """The source of the bytes of a recording."""

    def read(self, key: str, most: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file, or of a part of it.

        Args:
            key: Key of the file.
            most: Largest number of bytes to return.
            start: Start of the part; negative if counted from the end.
            length: Length of the part; None for all that follows.

        Raises:
            KeyError: There is no such file.
            OSError: The file cannot be read, is not part of the recording, or is longer than ``most``.
        """

    def folders(self, key: str) -> list[str]:
        """Return the names of the folders in the folder ``key``."""

    def stored(self, key: str) -> int | None:
        """Return how many bytes the files below ``key`` take, None if unknown."""


class Folder:
    """A local folder, whose links are followed only within a folder.

    Args:
        root: Root of the recording.
        within: Folder out of which no link is followed; None follows all links.
    """

    def __init__(self, root: Path, within: Path | None) -> None:
        self._root = root.resolve()
        self._within = None if within is None else within.resolve()

    def read(self, key: str, most: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file, or of a part of it.

        Args:
            key: Key of the file.
            most: Largest number of bytes to return.
            start: Start of the part; negative if counted from the end.
            length: Length of the part; None for all that follows.
        """
        path = self._real(key)
        try:
            handle = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(key) from None
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError(f"{key}: no file")
            first, count = _part(key, status.st_size, most, start, length)
            stream.seek(first)
            return stream.read(count)

    def folders(self, key: str) -> list[str]:
        """Return the names of the folders in the folder ``key``."""
        names = []
        with os.scandir(self._real(key)) as entries:
            for entry in entries:
                names += [entry.name] if entry.is_dir() else []
                if len(names) > MOST_NODES:
                    raise OSError(f"{key or '/'}: more than {MOST_NODES} folders")
        return sorted(names)

    def stored(self, key: str) -> int | None:
        """Return how many bytes the files below ``key`` take."""
        total = 0
        for number, (parent, _, names) in enumerate(os.walk(self._real(key))):
            if number > MOST_FILES:
                return 0
            total += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)  # noqa: PTH118
        return total

    def _real(self, key: str) -> str:
        """Return the path with links resolved, if they may be followed."""
        path = os.path.realpath(self._root / key)
        allowed = (self._root, self._within)
        if self._within is not None and not any(Path(path).is_relative_to(folder) for folder in allowed if folder):
            raise Elsewhere(f"{key}: a link that leads out of the recording, which is not followed")
        return path


class Zipped:
    """A zip file, from the folder in it that holds the metadata of the root."""

    def __init__(self, stream: BinaryIO) -> None:
        self._file = zipfile.ZipFile(stream)
        members = self._file.infolist()
        if len(members) > MOST_FILES:
            raise zipfile.BadZipFile(f"more than {MOST_FILES} files in it")
        names = [_checked(member) for member in members]
        if len(set(names)) < len(names):
            raise zipfile.BadZipFile("two files in it have the same name")
        if sum(member.compress_size for member in members) > stream.seek(0, os.SEEK_END):
            raise zipfile.BadZipFile("files in it lie over each other")
        tops = [name.rpartition("/")[::2] for name in names]
        top = min((top for top, name in tops if name in ROOTS), key=lambda top: top.count("/") + bool(top), default="")
        start = f"{top}/" if top else ""
        self._members = {n[len(start) :]: m for n, m in zip(names, members, strict=True) if n.startswith(start)}

    def read(self, key: str, most: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file, or of a part of it.

        Args:
            key: Key of the file.
            most: Largest number of bytes to return.
            start: Start of the part; negative if counted from the end.
            length: Length of the part; None for all that follows.
        """
        member = self._members[key]
        if member.flag_bits & ENCRYPTED:
            raise OSError(f"{key}: encrypted")
        first, count = _part(key, member.file_size, most, start, length)
        try:
            with self._file.open(member) as stream:
                stream.seek(first)
                content = stream.read(count)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, LZMAError) as error:
            raise OSError(f"{key}: damaged in the zip file: {error}") from error
        if len(content) < count:
            raise OSError(f"{key}: cut off in the zip file")
        return content

    def folders(self, key: str) -> list[str]:
        """Return the names of the folders in the folder ``key``."""
        return sorted(self._tree.get(key, ()))

    def stored(self, key: str) -> int | None:
        """Return how many bytes the files below ``key`` take."""
        return sum(member.compress_size for name, member in self._members.items() if name.startswith(f"{key}/"))

    @cached_property
    def _tree(self) -> dict[str, set[str]]:
        tree: dict[str, set[str]] = {}
        for name in self._members:
            folder = name.rpartition("/")[0]
            while folder:
                above, _, child = folder.rpartition("/")
                known = tree.setdefault(above, set())
                if child in known:
                    break
                known.add(child)
                folder = above
        return tree


class Web:
    """Files below an ``http(s)://`` address, which cannot list folders."""

    def __init__(self, address: str) -> None:
        self._address, self._session = address.rstrip("/"), requests.Session()

    def read(self, key: str, most: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file, or of a part of it.

        Args:
            key: Key of the file.
            most: Largest number of bytes to return.
            start: Start of the part; negative if counted from the end.
            length: Length of the part; None for all that follows.
        """
        try:
            return self._answer(key, most, self._headers(start, length))
        except requests.RequestException as error:
            raise ConnectionError(f"{key}: {error}") from error

    def _headers(self, start: int, length: int | None) -> dict[str, str]:
        wanted = {"Accept-Encoding": "identity"}
        if start or length is not None:
            last = "" if length is None else start + length - 1
            wanted["Range"] = f"bytes={start}" if start < 0 else f"bytes={start}-{last}"
        return wanted

    def _answer(self, key: str, most: int, wanted: dict[str, str]) -> bytes:
        with self._session.get(f"{self._address}/{quote(key)}", headers=wanted, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in GONE:
                raise KeyError(key)
            if answer.status_code != (206 if "Range" in wanted else 200):
                problem = "does not answer ranges of bytes" if answer.ok else f"answers {answer.status_code}"
                raise ConnectionError(f"{key}: the server {problem}")
            content = bytearray()
            for block in answer.iter_content(BLOCK):
                content += block
                if len(content) > most:
                    raise OSError(f"{key}: longer than {most} bytes")
            return bytes(content)

    def folders(self, key: str) -> list[str]:
        """Raise :class:`OSError`: a web server does not list folders."""
        raise OSError("at an address, only a recording with consolidated metadata is read")

    def stored(self, key: str) -> int | None:
        """Return None, because a web server does not tell the size of a folder."""
        return None


def _part(key: str, size: int, most: int, start: int, length: int | None) -> tuple[int, int]:
    """Return start and length of a part of a file of ``size`` bytes."""
    first = max(0, size + start) if start < 0 else start
    count = size - first if length is None else length
    if first > size or first + count > size:
        raise OSError(f"{key}: shorter than it should be")
    if count > most:
        raise OSError(f"{key}: {count} bytes, where at most {most} are read")
    return first, count


def _checked(member: zipfile.ZipInfo) -> str:
    """Return the name of a member of a zip file, if it is a plain file."""
    name = member.orig_filename
    if "\\" in name or "\0" in name or not is_plain(name.rstrip("/")):
        raise zipfile.BadZipFile(f"a file in it is called {name!r:.80}")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise zipfile.BadZipFile(f"{name!r:.80} in it is a link")
    return name


def is_plain(path: str) -> bool:
    """Return whether a path leads only down from where it begins.

    >>> is_plain("units/spike_times"), is_plain("../secret")
    (True, False)
    """
    return not {"", ".", ".."} & set(path.split("/")) and "\\" not in path and "\0" not in path
