"""Pin the asset of a session in source.json, and open recordings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, TypeGuard, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from xcebra_nwb.archive.access import UNKNOWN
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.folders import cache_folder
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.source import Source, at_address, is_folder, is_remote, source_name

FILE = "source.json"
PINNED = ("source", "dandiset", "version", "asset_id", "path", "sha256", "etag")
LINEAGE = (*PINNED, "source_access")
Access = Literal["download", "stream"]


class Pinned(BaseModel):
    """A row of the table of sessions, and how its asset is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access: Access
    session: Session

    @property
    def lineage(self) -> dict[str, str]:
        """The lineage for results; the same however the asset is read."""
        return {name: str(getattr(self.session, name)) for name in LINEAGE}


Given = Path | str | Pinned
"""A recording or its source.json, an address on the web, or an asset that was looked up."""


def lineage_of(source: Given) -> dict[str, str]:
    """Return where a source came from, to be stored in results; empty for a local file."""
    pinned = load(source)
    if pinned is not None:
        return pinned.lineage
    return {"source_access": UNKNOWN, "source": name_of(source)} if is_address(source) else {}


def name_of(source: Given) -> str:
    """Return the name of a source in messages and results."""
    return source.session.source if isinstance(source, Pinned) else source_name(source)


def is_address(source: Given) -> TypeGuard[str]:
    """Return whether a source is an address on the web."""
    return isinstance(source, str) and is_remote(source)


def save(pinned: Pinned, directory: Path) -> Path:
    """Write source.json into a session's folder of results; return its path."""
    write_json(directory / FILE, pinned.model_dump(mode="json"))
    return directory / FILE


def load(source: Given) -> Pinned | None:
    """Return the pinned asset of a source, None if it is a recording itself.

    Raises:
        UsageError: The source.json has wrong fields.
    """
    if isinstance(source, Pinned):
        return source
    if is_address(source) or Path(source).name != FILE:
        return None
    try:
        return Pinned.model_validate(read_json(source))
    except ValidationError as error:
        raise UsageError(f"{source}: {error.error_count()} wrong fields", "run `xcebra-nwb fetch` again") from None


def followed(source: Given, follow: Follow) -> Follow:
    """Return which links a recording may follow.

    A recording from an archive may follow none, whatever the user allows.

    Args:
        source: The recording.
        follow: What the user allows.
    """
    if isinstance(source, Pinned) or is_address(source):
        return Follow.NOWHERE
    cached = Path(os.path.realpath(source)).is_relative_to(os.path.realpath(cache_folder()))
    return Follow.NOWHERE if Path(source).name == FILE or cached else follow


@contextmanager
def opened(source: Given) -> Iterator[Source]:
    """Yield the local path or the open file of a session's recording.

    An asset is downloaded into the cache or streamed, as it is pinned.

    Args:
        source: A recording or its source.json, an address, or a pinned asset.
    """
    pinned = load(source)
    if isinstance(source, str) and is_address(source) and not is_folder(source):
        with at_address(source) as stream:
            yield stream
    elif pinned is None:
        yield source if isinstance(source, str) and is_address(source) else Path(cast("Path | str", source))
    elif pinned.access == "download":
        yield downloaded(pinned.session)
    else:
        with streamed(pinned.session) as file:
            yield cast(BinaryIO, file)  # a raw stream has all methods that are used
