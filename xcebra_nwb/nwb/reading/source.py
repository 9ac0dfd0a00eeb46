"""Open a recording: a local path, an address, or an open binary file."""

from __future__ import annotations

import contextlib
import http.client
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import h5py

from xcebra_nwb.core.errors import Failure, Refusal, UsageError
from xcebra_nwb.core.hdf5.leads import Follow
from xcebra_nwb.core.passing import as_failure
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import is_web, redact, without_secrets

if TYPE_CHECKING:
    from xcebra_nwb.nwb.reading.zarr.files import Files

Source = Path | str | BinaryIO
"""A path, an ``http(s)://`` address, or anything that can ``read``, ``seek`` and ``tell``."""

ZIP = b"PK\x03\x04"
TIMEOUT = 30  # s
CONTENT_RANGE = re.compile(r"bytes .*/(?P<size>\d+)$")


def is_remote(source: Source) -> bool:
    """Return whether a source is an address on the web.

    >>> is_remote("https://example.org/a.nwb"), is_remote("a.nwb")
    (True, False)
    """
    return isinstance(source, str) and is_web(source)


def source_name(source: Source) -> str:
    """Return the name of a source in messages.

    It is a path, an address without secrets, or the ``name`` of an open file.

    >>> source_name("folder/a.nwb")
    'folder/a.nwb'
    """
    if isinstance(source, Path | str):
        return redact(source) if isinstance(source, str) and is_remote(source) else Path(source).as_posix()
    return str(getattr(source, "name", "an open file"))


@contextmanager
def opened(source: Source, follow: Follow = Follow.FOLDER) -> Iterator[h5py.File]:
    """Yield the root of a recording in HDF5 or Zarr, open for reading.

    Zarr is a folder or a zip file. An address that ends in ``.zarr`` or ``/`` is a folder.

    Args:
        source: Path, address or open binary file.
        follow: Which symbolic links of a local Zarr folder are followed; those of HDF5 are checked later.

    Raises:
        UsageError: There is no such file.
        Failure: An address does not answer, the file is locked, or there is no permission to read it.
        Refusal: The file is neither HDF5 nor Zarr, or is damaged.
    """
    name = source_name(source)
    if is_folder(source):
        yield _zarr(source, None, follow)
        return
    with _stream(source) as stream:
        if _begins(stream, ZIP):
            yield _zarr(source, stream, follow)
            return
        with _hdf5(Path(source) if isinstance(source, Path | str) and not is_remote(source) else stream, name) as h5:
            yield h5


def is_folder(source: Source) -> bool:
    """Return whether a source is a folder rather than one file."""
    if isinstance(source, str) and is_remote(source):
        return source.endswith((".zarr", "/"))
    return isinstance(source, Path | str) and Path(source).is_dir()


def is_zarr(source: Source) -> bool:
    """Return whether a source is a folder or a zip file, as Zarr recordings are."""
    if is_folder(source):
        return True
    with _stream(source) as stream:
        return _begins(stream, ZIP)


@contextmanager
def _stream(source: Source) -> Iterator[BinaryIO]:
    if not isinstance(source, Path | str):
        yield source
        return
    if isinstance(source, str) and is_remote(source):
        with at_address(source) as stream:
            yield stream
    else:
        with _local(Path(source)) as stream:
            yield stream


def _zarr(source: Source, stream: BinaryIO | None, follow: Follow) -> h5py.Group:
    """Return the root of a Zarr recording: an open zip file, a folder, or an address."""
    from xcebra_nwb.nwb.reading.zarr import store  # its codecs are slow to import, and most recordings are HDF5

    name = source_name(source)
    if stream is None:
        files = store.address(name) if is_remote(source) else _zarr_folder(Path(str(source)), follow)
        return store.zarr_root(files, name)
    try:
        return store.zarr_root(store.zipped(stream), name)
    except zipfile.BadZipFile as error:
        raise Refusal(Code.DAMAGED, f"{name}: truncated or damaged: {error}", "download or copy it again") from None


def _zarr_folder(path: Path, follow: Follow) -> Files:
    from xcebra_nwb.nwb.reading.zarr import store

    within = {Follow.NOWHERE: path, Follow.FOLDER: path.absolute().parent, Follow.ANYWHERE: None}
    return store.folder(path, within[follow])


def _begins(stream: BinaryIO, signature: bytes) -> bool:
    stream.seek(0)
    head = stream.read(len(signature))
    stream.seek(0)
    return head == signature


class _OnTheWeb(urllib.request.HTTPRedirectHandler):
    """Follows redirects to web addresses only, never to files or FTP."""

    def redirect_request(self, *given: Any) -> urllib.request.Request | None:
        """Return the request for the new address, which is the last argument."""
        given[1].close()
        if not is_web(given[-1]):
            raise urllib.error.URLError(f"it leads to {urlsplit(given[-1]).scheme}://, which is not followed")
        return super().redirect_request(*given)


class _Remote:
    """A remote file that is read by ranges; its errors do not show the full address."""

    def __init__(self, name: str, ranges: BinaryIO) -> None:
        self.name, self.seek, self.tell, self._read = name, ranges.seek, ranges.tell, ranges.read

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the current position on."""
        try:
            return self._read(size)
        except Exception as error:  # errors of any type, whose text can hold a signed address
            problem = f"{self.name}: cannot be read further: {type(error).__name__}"
            raise Failure(problem, "run the same command again") from None


@contextmanager
def at_address(address: str) -> Iterator[BinaryIO]:
    """Yield the file at an address, read in ranges of bytes.

    Raises:
        Failure: There is no file, or its server gives no ranges.
    """
    import remfile  # slow to import, and most recordings are local

    request = urllib.request.Request(address, headers={"Range": "bytes=0-0"})
    try:
        with urllib.request.build_opener(_OnTheWeb).open(request, timeout=TIMEOUT) as answer:
            size = CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        problem = f"{redact(address)}: cannot be read: {without_secrets(str(error))}"
        raise Failure(problem, "check the address and the network") from None
    if size is None:
        raise Failure(f"{redact(address)}: its server does not serve ranges of bytes", "download the file first")
    with contextlib.closing(remfile.File(address, _size=int(size["size"]))) as ranges:
        yield cast(BinaryIO, _Remote(redact(address), ranges))


def _local(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():  # reading from a pipe or a device could wait for ever
            raise UsageError(f"{path}: neither a file nor a folder", "give the path of an NWB file")
        return path.open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "give the path of an NWB file") from None
    except OSError as error:
        if failure := as_failure(error, str(path)):
            raise failure from None
        raise


def _hdf5(stream: BinaryIO | Path, name: str) -> h5py.File:
    try:
        if isinstance(stream, Path) and not h5py.is_hdf5(stream):
            raise Refusal(
                Code.NOT_NWB, f"{name}: not an NWB file: not HDF5", "check that it was downloaded whole and is an .nwb"
            )
        return h5py.File(stream, "r")
    except OSError as error:
        if failure := as_failure(error, name):
            raise failure from None
        reason = "truncated" if "truncated" in str(error) else f"not readable as HDF5: {error}"
        raise Refusal(Code.DAMAGED, f"{name}: {reason}", "download or copy it again") from None
