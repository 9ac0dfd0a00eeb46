"""The address of a unit on the page of its session: stable, and fit for a link."""

from __future__ import annotations

import hashlib
import re

LONGEST = 80  # characters of a name in an address


def unit_address(name: str) -> str:
    """Return the address of a unit; it depends on its name alone, not on the units that are kept.

    Args:
        name: of the unit, its ``unit_id``.

    >>> unit_address("12"), unit_address("probeA#3")
    ('unit-12', 'unit-probeA~23~3')
    """
    written = re.sub(r"[^A-Za-z0-9._-]", lambda character: f"~{ord(character[0]):x}~", name)
    if len(written) > LONGEST:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        written = f"{written[:LONGEST]}~{digest}"
    return f"unit-{written}"
