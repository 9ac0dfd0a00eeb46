"""Read an asset by ranges of bytes, without downloading it.

The archive signs the address of the content, and signs it again when it expires.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xcebra_nwb.archive import cache
from xcebra_nwb.archive.connection import connected, explained, parsed
from xcebra_nwb.archive.ranges import RangeFile
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.session_table import Session

if TYPE_CHECKING:
    from dandi.dandiapi import DandiAPIClient
    from requests import Response

TRIES = 6
EXPIRED = (400, 401, 403)  # answers of a server to an expired signature
TIMEOUT = 25  # s without a byte
logger = logging.getLogger("xcebra_nwb")


@contextmanager
def streamed(row: Session) -> Iterator[RangeFile]:
    """Yield the file of an asset, open for reading; what is read stays in the cache.

    Raises:
        UsageError: The asset is a Zarr, is not in the archive, or needs a missing key.
        Failure: The archive cannot be reached, gives no ranges, or differs from the table.
    """
    if row.path.endswith(".zarr"):
        raise UsageError(f"{row.session}: {row.path}: Zarr is not streamed yet", "set access: download")
    with connected(parsed(row.source).instance, row.dandiset) as client:
        with explained(f"{row.session}: {row.path}"):
            size = _checked_size(client, row)
        source = _Ranges(client, row, size)
        file = RangeFile(row.path, size, source.fetch, cache.private_folder(cache.ranges(row)))
        try:
            yield file
        except Exception:
            if file.failure is not None:  # the error follows from a failed read, which is the true cause
                raise file.failure from None
            raise
        if file.failure is not None:
            raise file.failure
        logger.info("%s: read %.1f of %.1f MB", row.session, file.bytes_read / 1e6, size / 1e6)


def _checked_size(client: DandiAPIClient, row: Session) -> int:
    """Return the size of the asset, if the archive states what the table states.

    Ranges of a file have no digest that could be checked.
    """
    asset = client.get_asset(row.asset_id)
    stated = asset.get_raw_metadata().get("digest") or {}
    for name, wanted in (("dandi:dandi-etag", row.etag), ("dandi:sha2-256", row.sha256)):
        if wanted and stated.get(name) != wanted:
            problem = f"{row.session}: {row.path}: {name} is {stated.get(name)}, not {wanted}"
            raise Failure(problem, "run `xcebra-nwb discover` again")
    if row.size is not None and asset.size != row.size:
        raise Failure(f"{row.session}: {row.path}: {asset.size} bytes, not {row.size}", "run discover again")
    return asset.size


class _Ranges:
    """Fetches ranges of an asset; keeps the signed address until it is refused."""

    def __init__(self, client: DandiAPIClient, row: Session, size: int) -> None:
        import requests

        self._client, self._row, self._size = client, row, size
        self._session = requests.Session()  # without the key, because the content lies on another server
        self._address = ""

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range; try again with growing pauses.

        Args:
            start: First byte.
            stop: Byte after the last.

        Raises:
            Failure: The server gives no ranges, or no answer arrives.
        """
        import requests

        problem = ""
        for attempt in range(TRIES):
            if problem:
                logger.info("%s: %s: %s, trying on", self._row.session, self._row.path, problem)
                time.sleep(0.25 * 2**attempt)
            try:
                content, problem = self._try(start, stop)
            except requests.RequestException as error:
                content, problem = b"", f"the connection failed ({type(error).__name__})"
            if not problem:
                return content
        name = f"{self._row.session}: {self._row.path}"
        raise Failure(
            f"{name}: bytes {start} to {stop} do not arrive: {problem}", "run the same command again to continue"
        )

    def _try(self, start: int, stop: int) -> tuple[bytes, str]:
        if not self._address:
            self._address = self._signed()
        asked = {"Range": f"bytes={start}-{stop - 1}"}
        with self._session.get(self._address, headers=asked, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code in EXPIRED:
                self._address = ""
                return b"", f"the store answers {answer.status_code} to a newly signed address"
            if answer.status_code == 200:
                name = f"{self._row.session}: {self._row.path}"
                raise Failure(f"{name}: its server does not serve ranges of bytes", "set access: download")
            return self._content(answer, start, stop)

    def _content(self, answer: Response, start: int, stop: int) -> tuple[bytes, str]:
        if answer.status_code != 206:
            return b"", f"the store answers {answer.status_code}"
        stated_range = answer.headers.get("Content-Range", "")
        if stated_range != f"bytes {start}-{stop - 1}/{self._size}":
            return b"", f"the store answers another range ({stated_range})"
        content = answer.content
        return (content, "") if len(content) == stop - start else (b"", f"{len(content)} bytes arrive")

    def _signed(self) -> str:
        """Return the signed address of the content."""
        asset = self._client.get_url(f"/assets/{self._row.asset_id}/download/")
        with explained(f"{self._row.session}: {self._row.path}"):
            answer = self._client.request("GET", asset, json_resp=False, allow_redirects=False)
        location = answer.headers.get("Location")
        if not location:
            raise Failure(f"{self._row.session}: the archive gives no address of {self._row.path}", "try again later")
        return str(location)
