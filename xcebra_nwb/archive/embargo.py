"""Who may see a dandiset, as results say it of their sources: everybody, its owners, or nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dandi.dandiapi import RemoteDandiset

OPEN, EMBARGOED, UNKNOWN = "open", "embargoed", "unknown"


def access_of(dandiset: RemoteDandiset) -> str:
    """Return ``open`` or ``embargoed``, which is also what is not open yet."""
    return OPEN if dandiset.embargo_status.value == "OPEN" else EMBARGOED


def stays_closed(dandiset: RemoteDandiset) -> bool:
    """Return whether a dandiset is embargoed, and nobody has begun to open it."""
    return str(dandiset.embargo_status.value) == "EMBARGOED"
