"""fetch: an asset of an archive -> source.json, and the asset in the cache."""

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
    """Make the asset of a session ready, and pin it in source.json in the results ``directory``; return that file.

    With ``access`` download the asset is brought to the cache and its digests are verified; with stream it is only
    looked up. The session is the row of ``table`` with the name of ``directory``.

    Raises:
        UsageError: the table has no such session, or it is no asset of an archive; the asset is gone; no key.
        Failure: the archive is out of reach, the disk is full, or what arrives is not what the table says.
    """
    name = directory.resolve().name
    row = next((one for one in session_table.read(table) if one.session == name), None)
    if row is None:
        raise UsageError(f"{table}: no session {name}", "the folder of results has the name of its session")
    if not row.asset_id:
        raise UsageError(f"{name}: {row.source} is no asset of an archive", "give its path to `xcebra-nwb extract`")
    if access == "download":
        logger.info("%s", downloaded(row))
    else:
        with streamed(row):
            pass
    return [pinned.save(Pinned(access=access, session=row), directory)]
