"""Compare a table of sessions with the newest versions of its dandisets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from xcebra_nwb.archive.listing import DRAFT
from xcebra_nwb.archive.remote import SCREENED, find
from xcebra_nwb.archive.remote import rows as rows_of
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session_table import Session

KNOWN = re.compile(r"(dandi://[^/]+/\d{6})@.*")
OTHER = re.compile(r"(https?://.*/dandisets/\d{6})/versions/.*")

NEW = "new in this version: set include to true to use it"


def updated(table: Sequence[Session], *, draft: bool = False) -> tuple[list[Session], dict[str, list[Session]]]:
    """Return a table at the newest versions of its dandisets, and the differences.

    Args:
        table: The table of sessions.
        draft: Whether a draft may be used.

    Returns:
        The rows, and those that are ``changed``, ``gone`` or ``new``.

    Raises:
        UsageError: No row is an asset, or there is only a draft that may not be used.
    """
    by_dandiset: dict[str, list[Session]] = defaultdict(list)
    for row in table:
        if row.asset_id:
            by_dandiset[_dandiset(row)].append(row)
    if not by_dandiset:
        raise UsageError("no session of the table is from an archive", "local files are what they are")
    differ: dict[str, list[Session]] = {"changed": [], "gone": [], "new": []}
    after = [row for row in table if not row.asset_id]
    for address, held in by_dandiset.items():
        was_draft = held[0].version == DRAFT
        now = rows_of(find([f"{address}{_version(address, was_draft)}"], draft=draft or was_draft), table)
        after += _merged(held, {row.path: row for row in now}, differ)
    return after, differ


def _dandiset(row: Session) -> str:
    match = KNOWN.fullmatch(row.source) or OTHER.fullmatch(row.source)
    if match is None:
        raise UsageError(f"{row.session}: {row.source} is no address of an asset", "discover it again")
    return match[1]


def _version(address: str, was_draft: bool) -> str:
    """Return the end of an address that means the draft or the newest version."""
    if not was_draft:
        return "" if address.startswith("dandi:") else "/"
    return f"@{DRAFT}" if address.startswith("dandi:") else f"/versions/{DRAFT}/"


def _merged(held: Sequence[Session], now: dict[str, Session], differ: dict[str, list[Session]]) -> list[Session]:
    merged = []
    for row in held:
        new = now.pop(row.path, None)
        if new is None:
            gone = {"include": False, "reason": f"{SCREENED}gone from the draft"} if row.version == DRAFT else {}
            new = row.model_copy(update=gone)
            differ["gone"].append(new)
        elif new.etag != row.etag or new.sha256 != row.sha256:
            differ["changed"].append(new)
        merged.append(new)
    new_ones = [row.model_copy(update={"include": False, "reason": row.reason or NEW}) for row in now.values()]
    differ["new"] += new_ones
    return merged + new_ones
