"""Which names of files and folders a run can work with; all others are refused by what is wrong with them."""

from __future__ import annotations

from xcebra_nwb.core.printable import is_printable

REMEDY = "rename the file or its folder"
UNPLANNABLE = f"a path with {{ }} < > in it cannot be planned: {REMEDY}"
UNPRINTABLE = f"a path with control characters or bytes that are no text: {REMEDY}"
BLANK_ENDS = f"a path that begins or ends with a blank: {REMEDY}"
REASONS = (UNPLANNABLE, UNPRINTABLE, BLANK_ENDS)


def unfit(path: str) -> str:
    """Return why a path can be neither listed nor planned; empty where it can.

    Snakemake would read wildcards into ``{ } < >``. Nobody could tell what a name with control characters is.
    """
    if not is_printable(path):
        return UNPRINTABLE
    if path != path.strip():
        return BLANK_ENDS
    return UNPLANNABLE if set(path) & set("{}<>") else ""
