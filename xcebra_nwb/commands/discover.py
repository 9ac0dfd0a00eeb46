"""discover: look for recordings in folders and archives, and write the table of sessions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.archive import given, local, newer, remote
from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.core import session_table
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.reading.foreign import Follow

logger = logging.getLogger("xcebra_nwb")


def discover(
    inputs: Sequence[Path | str],
    table: Path,
    base: Path | None = None,
    screen: Screen | None = None,
    follow: Follow = Follow.FOLDER,
) -> list[Session]:
    """Write a row for every recording of ``inputs`` to ``table``; return the rows.

    ``inputs`` are files, folders, and what archives hold: dandisets, folders, globs and assets by their addresses, and
    asset ids beside them. Every asset gets a row, pinned by version, id and digests, with the reason if ``screen``
    leaves it out. What the user decided about a recording that the table lists already stays: its name, ``include``
    and ``reason``. Local files under ``base`` (default: the working folder) are written relative to it,
    and looked into as far as ``follow`` lets them lead to other files (:mod:`xcebra_nwb.nwb.reading.foreign`).

    Raises:
        UsageError: an input is missing, nothing was found, a key is missing, or ``table`` is no such table.
        Failure: an archive is out of reach.
    """
    before = session_table.read(table) if Path(table).exists() else []
    screen = screen or Screen()
    named = [given.checked(one) for one in inputs]
    addresses = [one for one in named if isinstance(one, str)]
    for address in addresses:
        given.check_pinnable(address)
    rows = remote.rows(remote.find(addresses, draft=screen.draft), before, screen) if addresses else []
    here = [one for one in named if isinstance(one, Path)]
    if here or not addresses:
        known, taken = {row.source: row for row in before}, {row.session for row in rows}
        rows += local.rows(local.find(here), (base or Path.cwd()).absolute(), known, taken, follow)
    session_table.write(rows, table)
    return rows


def update(table: Path, draft: bool = False) -> dict[str, list[Session]]:
    """Bring the assets of ``table`` to the newest version of their dandisets; return what differs, by kind.

    ``changed`` assets are pinned anew. ``gone`` ones stay pinned to the version that held them, but those of a draft
    are left out. ``new`` ones are added, left out until the user takes them.

    Raises:
        UsageError: there is no such table, it names no asset, or only a draft is newer and ``draft`` is not set.
        Failure: an archive is out of reach.
    """
    rows, differ = newer.updated(session_table.read(table), draft=draft)
    session_table.write(rows, table)
    return differ
