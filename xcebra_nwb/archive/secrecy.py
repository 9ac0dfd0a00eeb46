"""Keep results of embargoed data out of open dandisets."""

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
    """Warn of sources that are not open, may change, or are local files.

    Args:
        sources: The dandisets from which the results are derived.
        lineages: The lineage of each result.
    """
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
    """Raise a usage error if results may not go into an open dandiset.

    Args:
        sources: The dandisets from which the results are derived, as their archives describe them now.
        lineages: The lineage of each result.
        target: Name of the dandiset.
        allowed: Whether the user permits it with :data:`FLAG`.
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
    """Return sources at addresses outside archives, whose access is unknown."""
    return [
        source.get("source_file", "a source")
        for source in lineages
        if "address" not in source and "source_access" in source
    ]


def _is_local(source: Lineage) -> bool:
    return "address" not in source and "source_access" not in source
