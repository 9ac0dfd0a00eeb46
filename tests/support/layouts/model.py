"""What a layout is, and whether a choice of labels is right for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from xcebra_nwb.nwb.inventory.models import Automatic, PickedLabel

MOST_LABELS = 5

Alternative = str | tuple[str, ...]


@dataclass(frozen=True)
class Role:
    """A thing that an experiment is about, such as the place.

    Attributes:
        name: in the words of the field.
        sources: alternatives. Each is a path, or several paths of which one label is made. A path may hold ``*``.
        kinds: of a label that is right.
        named: a pattern that the name of the label must contain, "" if any name will do.
        most: how many labels may share the role; one where the alternatives are near copies.
    """

    name: str
    sources: tuple[Alternative, ...]
    kinds: tuple[str, ...] = ("continuous",)
    named: str = ""
    most: int = 1

    def fits(self, label: PickedLabel) -> bool:
        """Return whether ``label`` plays this role."""
        if label.kind not in self.kinds or not re.search(self.named, label.name, re.IGNORECASE):
            return False
        return any(_made_of(alternative, label.source) for alternative in self.sources)


@dataclass(frozen=True)
class Layout:
    """A file as a dandiset has it, and the right choice.

    Attributes:
        name: unique, without spaces.
        build: writes the file.
        wanted: roles that must be taken.
        may: roles that may be taken. All other labels are wrong.
        neural: sources of neural data of which exactly one is right.
        dandiset: number, "" for a file that shows one thing only.
        about: the experiment, in a few words.
    """

    name: str
    build: Callable[[Path], None]
    wanted: tuple[Role, ...] = ()
    may: tuple[Role, ...] = ()
    neural: tuple[str, ...] = ("/units",)
    dandiset: str = ""
    about: str = ""

    def paths(self) -> list[str]:
        """Return the paths of all sources that may be right; they may hold ``*``."""
        roles = [*self.wanted, *self.may]
        sources = [source for role in roles for source in role.sources]
        named = [path for source in sources for path in ((source,) if isinstance(source, str) else source)]
        return [*named, *self.neural]


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a choice; nothing, if ``faults`` is empty."""

    layout: str
    taken: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def _made_of(alternative: Alternative, source: str) -> bool:
    paths = (alternative,) if isinstance(alternative, str) else alternative
    return all(_holds(source, path) for path in paths)


def _holds(source: str, path: str) -> bool:
    """Return whether ``source`` names ``path``, alone or beside others; either may hold ``*``."""
    parts = re.split(r",\s*|\s+and\s+|\s*\+\s*|;\s*", source)
    if any(fnmatchcase(part, path) or fnmatchcase(path, part) for part in [source, *parts]):
        return True
    return re.search(re.escape(path) + r"(?![\w/#-])", source) is not None


def judge(layout: Layout, automatic: Automatic) -> Verdict:
    """Return what is wrong with the labels and the neural data that were taken."""
    labels = automatic.labels
    verdict = Verdict(layout.name, [f"{label.name} ({label.kind}) = {label.source}" for label in labels])
    free = list(labels)
    for role, needed in [*((role, True) for role in layout.wanted), *((role, False) for role in layout.may)]:
        fitting = [label for label in free if role.fits(label)]
        if needed and not fitting:
            verdict.faults.append(f"no {role.name}, from {_alternatives(role)}")
        if len(fitting) > role.most:
            names = ", ".join(label.source for label in fitting)
            verdict.faults.append(f"{len(fitting)} labels for {role.name}, where {role.most} would do: {names}")
        free = [label for label in free if label not in fitting]
    verdict.faults.extend(f"{label.name} ({label.kind}) of {label.source} is not wanted" for label in free)
    if len(labels) > MOST_LABELS:
        verdict.faults.append(f"{len(labels)} labels, {MOST_LABELS} at most")
    if len({label.name for label in labels}) < len(labels):
        verdict.faults.append("two labels have one name")
    if len(automatic.neural) != 1 or automatic.neural[0] not in layout.neural:
        verdict.faults.append(f"neural data {automatic.neural}, not {' or '.join(layout.neural)}")
    return verdict


def _alternatives(role: Role) -> str:
    return " or ".join(s if isinstance(s, str) else " + ".join(s) for s in role.sources)
