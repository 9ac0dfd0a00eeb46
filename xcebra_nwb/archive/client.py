"""Use the dandi client within bounds.

Answers of a server make no path outside the download folder, no request to another server, and no endless reading. The
client is slow to import, so this module is imported where it is used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dandi.dandiapi import BaseRemoteAsset, DandiAPIClient
from dandi.dandiarchive import BaseAssetIDURL
from requests import ConnectionError, PreparedRequest, Response, Timeout
from requests.adapters import HTTPAdapter

from xcebra_nwb.archive.access import authenticate
from xcebra_nwb.archive.names import is_plain
from xcebra_nwb.core.errors import Failure

PAGE = 1000  # rows in one answer, the most that the archive gives
MOST_ROWS = 10_000_000  # rows of a listing; a Zarr has one row per file
MOST_BYTES = 200_000_000  # bytes of one answer; a page of a thousand assets with metadata takes a twentieth of it
TIMEOUT = 120  # s without a byte
LONGEST_TROUBLE = 120.0  # s in which no connection to a server comes about
PIECE = 2**20  # bytes


class Client(DandiAPIClient):
    """A client that a server cannot lead out of its archive or the download folder."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Bounded())

    def paginate(
        self, path: str, page_size: int | None = None, params: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a listing, page by page.

        Only the query of the next page's address is used.

        Args:
            path: Path of the listing in the archive.
            page_size: Rows per page.
            params: Further parameters of the query.

        Raises:
            Failure: The listing has no end, or names a file outside its Zarr.
        """
        asked: dict[str, Any] = {**(params or {}), "page_size": page_size or self.page_size or PAGE}
        seen = 0
        while True:
            rows, following = _page(self.get(path, params=asked))
            yield from map(_checked, rows)
            seen += len(rows)
            if not following:
                return
            if not rows or seen > MOST_ROWS or following == asked:
                raise Failure(f"{self.api_url}: a listing without end", "is this the address of a DANDI archive?")
            asked = following

    def get_asset(self, asset_id: str) -> BaseRemoteAsset:
        """Return an asset.

        Raises:
            Failure: Its path, which the client makes a file of, leads out of the dandiset.
        """
        asset = super().get_asset(asset_id)
        if not is_plain(asset.path):
            raise Failure(f"{asset.path!r} is no path inside a dandiset", "leave the session out")
        return asset

    def dandi_authenticate(self) -> None:
        """Give the client the user's key, where it would ask for one."""
        authenticate(self, self.dandi_instance.name)


class OneAsset(BaseAssetIDURL):
    """The address of an asset that :class:`Client` downloads."""

    def get_client(self) -> Client:
        """Return the client to use."""
        return Client(dandi_instance=self.instance)


class _Bounded(HTTPAdapter):
    """Limits the time and size of answers; contents are streamed by the caller.

    The client tries again after an error, and after that its caller does. That ends when a server could not be reached
    for :data:`LONGEST_TROUBLE`.
    """

    _trouble: dict[str, float] | None = None  # by server: the time of the first of its failures in a row

    def send(
        self, request: PreparedRequest, stream: bool = False, timeout: Any = None, *given: Any, **named: Any
    ) -> Response:
        """Return the answer to a request, read completely unless it is streamed.

        Args:
            request: The request.
            stream: Whether the caller reads the answer in pieces.
            timeout: Time without a byte in s.
            given: Further arguments.
            named: Further arguments by name.
        """
        server = _server(str(request.url))
        self._trouble = self._trouble if self._trouble is not None else {}
        try:
            answer = super().send(request, stream, timeout or TIMEOUT, *given, **named)
        except (ConnectionError, Timeout) as error:
            silent = time.monotonic() - self._trouble.setdefault(server, time.monotonic())
            if silent >= LONGEST_TROUBLE:
                problem = f"{server} could not be reached for {silent:.0f} s ({type(error).__name__})"
                raise Failure(problem, "check the network, then run the same command again to continue") from None
            raise
        self._trouble.pop(server, None)
        if not stream:
            answer._content = _read(answer)
        return answer


def _server(address: str) -> str:
    """Return the server of an address, without a user or a password."""
    return urlsplit(address).netloc.rpartition("@")[2]


def _read(answer: Response) -> bytes:
    content = bytearray()
    for piece in answer.iter_content(PIECE):
        content += piece
        if len(content) > MOST_BYTES:
            answer.close()
            raise Failure(
                f"{_server(answer.url)}: an answer of more than {MOST_BYTES:,} bytes", "is this a DANDI archive?"
            )
    return bytes(content)


def _page(answer: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the rows of a page and the query for the next one, empty after the last."""
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise Failure("a page of a listing has the wrong form", "is this the address of a DANDI archive?")
    return answer["results"], dict(parse_qsl(urlsplit(str(answer.get("next") or "")).query))


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row, of which the client makes a file if it has a key."""
    if not isinstance(row, dict):
        raise Failure("a row of a listing has the wrong form", "is this the address of a DANDI archive?")
    if "Key" in row and not is_plain(str(row["Key"])):
        raise Failure(f"{row['Key']!r} leads out of a Zarr", "leave the session out, and tell the archive")
    return row
