"""discover: find recordings in folders and archives, and write the table of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.archive import given, local, newer, remote
from xcebra_nwb.archive.remote import Screen
from xcebra_nwb.core import session_table
from xcebra_nwb.core.folders import check_writable, nearest
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.reading.foreign import Follow


def discover(
    inputs: Sequence[Path | str],
    table: Path,
    base: Path | None = None,
    screen: Screen | None = None,
    follow: Follow = Follow.FOLDER,
    memory: Path | None = None,
) -> list[Session]:
    """Write a row for every recording of ``inputs`` to a table; return the rows.

    Every asset of an archive gets a row, pinned by version, id and digests, with the reason if ``screen`` leaves it
    out. The user's decisions on a recording that the table lists already are kept: its name, ``include`` and
    ``reason``.

    Args:
        inputs: Files, folders, and addresses of dandisets, folders, globs and assets, or asset ids.
        table: The table of sessions.
        base: Folder whose files are written relative to it; None: the working folder.
        screen: Species, region, type and size of the assets to take.
        follow: Rule for links of local files to other files.
        memory: File that keeps what was seen in local files, so that unchanged ones are not read again; None: no file.

    Raises:
        UsageError: An input is missing, nothing was found, a key is missing, or ``table`` is no table of sessions.
        Failure: An archive does not answer, or the folder of ``table`` cannot be written to.
    """
    before = session_table.read(table) if Path(table).exists() else []
    screen = screen or Screen()
    checked = [given.checked(text) for text in inputs]
    check_writable(nearest(Path(table).absolute().parent))  # before hours of reading
    addresses = [source for source in checked if isinstance(source, str)]
    for address in addresses:
        given.check_pinnable(address)
    rows = remote.rows(remote.find(addresses, draft=screen.draft), before, screen) if addresses else []
    paths = [source for source in checked if isinstance(source, Path)]
    if paths or not addresses:
        known, taken = {row.source: row for row in before}, {row.session for row in rows}
        rows += local.rows(local.find(paths), (base or Path.cwd()).absolute(), known, taken, follow, memory)
    session_table.write(rows, table)
    return rows


def update(table: Path, draft: bool = False) -> dict[str, list[Session]]:
    """Pin the assets of ``table`` to the newest version; return the changes by kind.

    ``changed`` assets are pinned anew. ``gone`` assets stay pinned to the version that has them, but those of a draft
    are left out. ``new`` assets are added, left out until the user includes them.

    Args:
        table: The table of sessions.
        draft: Whether a draft counts as the newest version.

    Raises:
        UsageError: There is no such table, it names no asset, or only a draft is newer and ``draft`` is not set.
        Failure: An archive does not answer.
    """
    rows, changes = newer.updated(session_table.read(table), draft=draft)
    session_table.write(rows, table)
    return changes
