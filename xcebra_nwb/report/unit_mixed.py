"""Mixed selectivity: how many units carry which labels together, as bars that choose their units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.unit_map import UnitMap

MOST_SETS = 14
NAMES, BARS, COUNT, ROW, DOT = 150, 620, 60, 20, 15
Labels = tuple[int, ...]


@dataclass(frozen=True)
class Mixed:
    """The figure, a sentence on it, and the units of each bar, in the order of the bars."""

    drawing: Markup
    words: str
    sets: list[list[str]]


def mixed_selectivity(maps: Mapping[str, UnitMap]) -> Mixed | None:
    """Return how many units carry each set of labels; None where no unit carries any, or there is one label.

    Args:
        maps: of each label.
    """
    labels, first = list(maps), next(iter(maps.values()))
    carried = np.array([shown.carries for shown in maps.values()])
    if len(labels) < 2 or not carried.any():
        return None
    of_unit: list[Labels] = [tuple(np.flatnonzero(column).tolist()) for column in carried.T]
    counts = Counter(labels_of for labels_of in of_unit if labels_of)
    largest = sorted(counts, key=lambda each: (-counts[each], len(each), each))[:MOST_SETS]
    sets = [[first.units[unit] for unit, each in enumerate(of_unit) if each == chosen] for chosen in largest]
    return Mixed(_drawing(labels, largest, counts), _words(labels, counts, len(of_unit), len(largest)), sets)


def _words(labels: Sequence[str], counts: Counter[Labels], units: int, drawn: int) -> str:
    several = sum(count for each, count in counts.items() if len(each) > 1)
    one = counts.total() - several
    none = units - counts.total()
    more = f" The {drawn} commonest sets of {len(counts)} are drawn." if drawn < len(counts) else ""
    said = [f"{several:,} of {units:,} units {_carry(several)} several labels"]
    said += [f"{count:,} {_carry(count)} {what}" for count, what in ((one, "one"), (none, "none"))]
    return f"{', '.join(said)}.{more}"


def _carry(count: int) -> str:
    return "carries" if count == 1 else "carry"


def _counted(count: int) -> str:
    return f"{count:,} unit" if count == 1 else f"{count:,} units"


def _drawing(labels: Sequence[str], sets: Sequence[Labels], counts: Counter[Labels]) -> Markup:
    """A row for each set: a dot for each of its labels, and a bar for the number of units."""
    dots = DOT * len(labels)
    top, width = 92, NAMES + dots + BARS
    most = max(counts[each] for each in sets)
    parts = [
        Markup('<text transform="translate({} {}) rotate(-48)">{}</text>').format(
            DOT * column + 9, top - 6, escape(shorten(printable(label), 18))
        )
        for column, label in enumerate(labels)
    ]
    for row, each in enumerate(sets):
        parts.append(_row(row, each, labels, counts[each], counts[each] / most, top))
    height = top + ROW * len(sets) + 4
    alt = printable("; ".join(f"{_named(labels, each)}: {_counted(counts[each])}" for each in sets))
    return Markup(
        '<svg class="mixed" viewBox="0 0 {} {}" role="group" aria-label="Units that carry labels together. {}">{}</svg>'
    ).format(width, height, alt, Markup("").join(parts))


def _row(row: int, each: Labels, labels: Sequence[str], count: int, share: float, top: int) -> Markup:
    middle, left = top + ROW * row + ROW // 2, DOT * len(labels) + 14
    rest = "".join(f"M{DOT * column + 6} {middle}h0" for column in range(len(labels)) if column not in each)
    marked = "".join(f"M{DOT * column + 6} {middle}h0" for column in each)
    joined = f"M{DOT * each[0] + 6} {middle}H{DOT * each[-1] + 6}" if len(each) > 1 else ""
    length = max(2, round((BARS - COUNT) * share))
    words = f"{_named(labels, each)}: {_counted(count)}"
    return Markup(
        '<g class="set" data-set="{}" data-words="{}"><rect class="row" x="0" y="{}" width="{}" height="{}"/>'
        '<path class="rest" d="{}"/><path class="join" d="{}"/><path class="in" d="{}"/>'
        '<rect class="bar" x="{}" y="{}" width="{}" height="12"/><text x="{}" y="{}">{}</text></g>'
    ).format(
        row, printable(words), middle - ROW // 2, left + BARS, ROW, rest, joined, marked,
        left, middle - 6, length, left + length + 6, middle + 4, f"{count:,}",
    )  # fmt: skip


def _named(labels: Sequence[str], each: Labels) -> str:
    names = " + ".join(labels[column] for column in each)
    return f"{names} together" if len(each) > 1 else f"{names} alone"
