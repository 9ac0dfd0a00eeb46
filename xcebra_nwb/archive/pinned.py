"""source.json: the asset that a session is made of, pinned, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, TypeGuard, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from xcebra_nwb.archive import cache
from xcebra_nwb.archive.access import UNKNOWN
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.source import Source, at_address, is_folder, is_remote, source_name

FILE = "source.json"
PINNED = ("source", "dandiset", "version", "asset_id", "path", "sha256", "etag")
LINEAGE = (*PINNED, "source_access")
Access = Literal["download", "stream"]


class Pinned(BaseModel):
    """A row of the table of sessions, and whether its asset is downloaded or streamed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access: Access
    session: Session

    @property
    def lineage(self) -> dict[str, str]:
        """What results say of where they come from; the same however the asset is read."""
        return {name: str(getattr(self.session, name)) for name in LINEAGE}


Given = Path | str | Pinned
"""A recording or its source.json, an address on the web, or an asset that was looked up."""


def lineage_of(source: Given) -> dict[str, str]:
    """Return what results say of where they come from; of a local file nothing."""
    pinned = load(source)
    if pinned is not None:
        return pinned.lineage
    return {"source_access": UNKNOWN, "source": name_of(source)} if is_address(source) else {}


def name_of(source: Given) -> str:
    """Return what a source is called in lines and results."""
    return source.session.source if isinstance(source, Pinned) else source_name(source)


def is_address(source: Given) -> TypeGuard[str]:
    """Return whether a source is an address on the web."""
    return isinstance(source, str) and is_remote(source)


def save(pinned: Pinned, directory: Path) -> Path:
    """Write source.json into a session's results ``directory``; return its path."""
    write_json(directory / FILE, pinned.model_dump(mode="json"))
    return directory / FILE


def load(source: Given) -> Pinned | None:
    """Return the asset that was looked up, or what a source.json says; None if ``source`` is a recording itself."""
    if isinstance(source, Pinned):
        return source
    if is_address(source) or Path(source).name != FILE:
        return None
    try:
        return Pinned.model_validate(read_json(source))
    except ValidationError as error:
        raise UsageError(f"{source}: {error.error_count()} wrong fields", "run `xcebra-nwb fetch` again") from None


def followed(source: Given, follow: Follow) -> Follow:
    """Return where a recording may lead to other files: what comes from an archive nowhere, whatever the user says."""
    if isinstance(source, Pinned) or is_address(source):
        return Follow.NOWHERE
    cached = Path(os.path.realpath(source)).is_relative_to(os.path.realpath(cache.root()))
    return Follow.NOWHERE if Path(source).name == FILE or cached else follow


@contextmanager
def opened(source: Given) -> Iterator[Source]:
    """Yield what to read a session's recording from: a local path, or a streamed file.

    ``source`` is a recording, an address, or an asset; then it comes from the cache, or from the archive.
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
            yield cast(BinaryIO, file)  # a raw stream has all of one that is used
