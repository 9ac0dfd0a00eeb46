"""The dandi client, held to bounds: what a server says makes no path, no request elsewhere, and no answer without end.

It imports the client, which is heavy: import this module where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dandi.dandiapi import BaseRemoteAsset, DandiAPIClient
from dandi.dandiarchive import BaseAssetIDURL
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from xcebra_nwb.archive.access import authenticate
from xcebra_nwb.archive.names import is_plain
from xcebra_nwb.core.errors import Failure

PAGE = 1000  # rows, the most that the archive gives at once
MOST_ROWS = 10_000_000  # of a listing; a Zarr has a row a file
MOST_BYTES = 200_000_000  # of one answer; a page of a thousand assets with metadata takes a twentieth of it
TIMEOUT = 120  # s without a byte
PIECE = 2**20  # bytes


class Client(DandiAPIClient):
    """A client that does not follow a server out of the archive, or out of the folder that is downloaded to."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Bounded())

    def paginate(
        self, path: str, page_size: int | None = None, params: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of a listing. Of the address of the next page only its query is used.

        Raises:
            Failure: the listing has no end, or a file of a Zarr has a name that leads out of it.
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
        """Return an asset. The client makes a file of the name in its path.

        Raises:
            Failure: the path is none inside a dandiset.
        """
        asset = super().get_asset(asset_id)
        if not is_plain(asset.path):
            raise Failure(f"{asset.path!r} is no path inside a dandiset", "leave the session out")
        return asset

    def dandi_authenticate(self) -> None:
        """Use the user's key as all of this package does; the client would ask for one."""
        authenticate(self, self.dandi_instance.name)


class OneAsset(BaseAssetIDURL):
    """An asset that is downloaded by :class:`Client`."""

    def get_client(self) -> Client:
        """Return the client to ask."""
        return Client(dandi_instance=self.instance)


class _Bounded(HTTPAdapter):
    """Waits for no server for ever, and reads no answer without end; contents are streamed by who asks for them."""

    def send(
        self, request: PreparedRequest, stream: bool = False, timeout: Any = None, *given: Any, **named: Any
    ) -> Response:
        """Return the answer to a request, read whole unless it is streamed."""
        answer = super().send(request, stream, timeout or TIMEOUT, *given, **named)
        if not stream:
            answer._content = _read(answer)
        return answer


def _read(answer: Response) -> bytes:
    content = bytearray()
    for piece in answer.iter_content(PIECE):
        content += piece
        if len(content) > MOST_BYTES:
            answer.close()
            host = urlsplit(answer.url).netloc.rpartition("@")[2]
            raise Failure(f"{host}: an answer of more than {MOST_BYTES:,} bytes", "is this a DANDI archive?")
    return bytes(content)


def _page(answer: Any) -> tuple[list[Any], dict[str, Any]]:
    """The rows of a page, and what to ask for the next one; nothing after the last."""
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise Failure("a page of a listing is none", "is this the address of a DANDI archive?")
    return answer["results"], dict(parse_qsl(urlsplit(str(answer.get("next") or "")).query))


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """A row, of which the client makes a file where it has a key."""
    if not isinstance(row, dict):
        raise Failure("a row of a listing is no object", "is this the address of a DANDI archive?")
    if "Key" in row and not is_plain(str(row["Key"])):
        raise Failure(f"{row['Key']!r} leads out of a Zarr", "leave the session out, and tell the archive")
    return row
