"""What is not public stays so: results may go into an open dandiset when all that they were made of is open."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from xcebra_nwb.archive.access import EMBARGOED, OPEN
from xcebra_nwb.archive.publication import Origin
from xcebra_nwb.core.errors import UsageError

FLAG = "--make-embargoed-data-public"
SEEN = {EMBARGOED: "is embargoed"}
Lineage = Mapping[str, str]
logger = logging.getLogger("xcebra_nwb")


def log_warnings(sources: Sequence[Origin], lineages: Iterable[Lineage]) -> None:
    """Tell the user which sources not everybody may see, which may change, and how many are files of his own."""
    for source in sources:
        if source.access != OPEN:
            logger.warning("%s %s: its spike times are in the results, and dandiset.yaml names it", *_seen(source))
        if source.draft:
            logger.warning("%s is a draft: it can change, and nobody can cite what it is now", source.identifier)
    lineages = list(lineages)
    for name in _unlisted(lineages):
        logger.warning("%s: nobody knows who may see it", name)
    if local := sum(_is_local(source) for source in lineages):
        logger.warning("%d sessions are of local recordings: in an open dandiset they are public", local)


def check(sources: Sequence[Origin], lineages: Iterable[Lineage], target: str, allowed: bool) -> None:
    """Raise :class:`UsageError` if results may not go into the open dandiset ``target``.

    Args:
        sources: what they were made of, as their archives say now.
        lineages: what the results say themselves.
        target: what the dandiset is called.
        allowed: whether the user said with :data:`FLAG` that they may.
    """
    closed = [" ".join(_seen(source)) for source in sources if source.access != OPEN]
    closed += [f"nobody knows who may see {source}" for source in _unlisted(lineages)]
    if closed and not allowed:
        more = f" (and {len(closed) - 1} more)" if len(closed) > 1 else ""
        problem = f"{target} is open, and {closed[0]}{more}: nothing was sent"
        raise UsageError(problem, f"use an embargoed dandiset; {FLAG} would make the spike times of the source public")
    for line in closed:
        logger.warning("%s, and becomes public in %s", line, target)


def _seen(source: Origin) -> tuple[str, str]:
    return source.identifier, SEEN.get(source.access, "is not shown by its archive, and counts as embargoed")


def _unlisted(lineages: Iterable[Lineage]) -> list[str]:
    """Sources outside archives that are no local files: of an address nobody says who may see it."""
    return [
        source.get("source_file", "a source")
        for source in lineages
        if "address" not in source and "source_access" in source
    ]


def _is_local(source: Lineage) -> bool:
    return "address" not in source and "source_access" not in source
