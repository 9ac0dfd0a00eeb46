"""discover: look for NWB files and write the table of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.archive import local, sessions
from xcebra_nwb.archive.sessions import Session


def discover(inputs: Sequence[Path | str], table: Path, base: Path | None = None) -> list[Session]:
    """Write a row for every NWB file of ``inputs`` (files and folders) to ``table``; return the rows.

    What the user decided about a file that the table lists already stays: its name, ``include`` and ``reason``.
    Sources under ``base`` (default: the working folder) are written relative to it, the others as absolute paths.

    Raises:
        UsageError: an input is missing or not local, nothing was found, or ``table`` exists and is no such table.
    """
    known = {row.source: row for row in sessions.read(table)} if Path(table).exists() else {}
    rows = local.rows(local.find(inputs), (base or Path.cwd()).absolute(), known)
    sessions.write(rows, table)
    return rows
