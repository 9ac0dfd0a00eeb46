"""fetch: download an asset of an archive into the cache, or check that it can be streamed -> source.json."""

from __future__ import annotations

import logging
from pathlib import Path

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.pinned import Access, Pinned
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError

logger = logging.getLogger("xcebra_nwb")


def fetch(table: Path, directory: Path, access: Access) -> list[Path]:
    """Prepare the asset of a session and pin it in source.json.

    The session is the row of ``table`` with the name of ``directory``.

    Args:
        table: The table of sessions.
        directory: The session's results folder.
        access: With download, the asset is brought to the cache and its digests are verified; with stream, it is only
            looked up.

    Returns:
        The file source.json.

    Raises:
        UsageError: The table has no such session, its source is no asset, the asset is gone, or a key is missing.
        Failure: The archive does not answer, the disk is full, or the digests differ from the table.
    """
    name = directory.resolve().name
    row = next((row for row in session_table.read(table) if row.session == name), None)
    if row is None:
        raise UsageError(f"{table}: no session {name}", "a results folder has the name of its session")
    if not row.asset_id:
        raise UsageError(f"{name}: {row.source} is no asset of an archive", "give its path to `xcebra-nwb extract`")
    if access == "download":
        logger.info("%s", downloaded(row))
    else:
        with streamed(row) as file:
            file.read(1)  # the archive may answer where the store of its files does not
    return [pinned.save(Pinned(access=access, session=row), directory)]
