"""Which unit has to do with which label, at a glance: a matrix for each measure, by region and by similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.unit_address import unit_address
from xcebra_nwb.report.unit_map import UnitMap
from xcebra_nwb.report.unit_order import by_similarity
from xcebra_nwb.report.unit_tuning import short
from xcebra_nwb.report.vector import pixels

NAMES, CELLS = 150, 980  # widths: of the labels' names, and of the cells in a line
CELL, WIDEST, NARROWEST = 16, 16, 3  # height of a cell; most and least width
ABOVE, BELOW = 18, 14  # free above a line, for regions, and below it
GAP = 2  # free columns between regions
MOST_LINKS = 200  # units that are links without a script
LETTER = 6.2  # width of a letter
COLORS = {"information": ("#ffffff", "#4a8fd1"), "z": ("#ffffff", "#e08a3c")}
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Matrix:
    """A matrix on the page."""

    title: str
    drawing: Markup
    scale: str


@dataclass(frozen=True)
class Layout:
    """Where units stand: a line of columns below another; -1 is a free column."""

    lines: list[list[int]]
    width: int  # of a cell


def layout(regions: Sequence[str], order: Sequence[int]) -> Layout:
    """Return the places of units: region by region, and in a region in the order given.

    Args:
        regions: of the units.
        order: the units.
    """
    names = sorted(set(regions), key=lambda name: (name == "", name))
    columns: list[int] = []
    for name in names:
        columns += [-1] * (GAP if columns else 0) + [unit for unit in order if regions[unit] == name]
    width = int(np.clip(CELLS // max(len(columns), 1), NARROWEST, WIDEST))
    most = CELLS // width
    return Layout([columns[first : first + most] for first in range(0, len(columns), most)], width)


def matrices(maps: Mapping[str, UnitMap], signs: Mapping[str, str], order: Sequence[int]) -> dict[str, Any]:
    """Return the two matrices of units and labels, and what a script needs to say what is under the pointer.

    Args:
        maps: of each label.
        signs: of the verdict on each label.
        order: the units, foremost first.
    """
    first = next(iter(maps.values()))
    placed = layout(first.regions, by_similarity(first.regions, _strengths(maps), order))
    addresses = [unit_address(name) for name in first.units]
    drawn = []
    for measure, title in (
        ("information", "Information beyond the other labels"),
        ("z", "Share of the code, z over the unit's own nulls"),
    ):
        values = np.array([getattr(shown, measure) for shown in maps.values()])
        sure = np.array([shown.carries if measure == "information" else shown.z_q <= LEVEL for shown in maps.values()])
        if np.isfinite(values).any():
            drawn.append(_matrix(measure, title, values, sure, placed, maps, signs, addresses))
    places = {
        "units": [[first.units[unit] if unit >= 0 else None for unit in line] for line in placed.lines],
        "left": NAMES, "width": placed.width, "height": CELL, "above": ABOVE,
        "line": _line_height(len(maps)),
    }  # fmt: skip
    return {"drawn": drawn, "places": places}


def _strengths(maps: Mapping[str, UnitMap]) -> Values:
    """The colours of the first matrix that has any, from 0 to 1, (label, unit)."""
    for measure in COLORS:
        values = np.array([getattr(shown, measure) for shown in maps.values()])
        if np.isfinite(values).any():
            return np.asarray(np.clip(np.nan_to_num(values) / _full(values), 0, 1))
    return np.zeros((len(maps), len(next(iter(maps.values())).units)))


def _full(values: Values) -> float:
    """The value of full colour."""
    return float(np.nanpercentile(np.maximum(values, 0), 99)) or 1.0


def _matrix(
    measure: str,
    title: str,
    values: Values,
    sure: NDArray[np.bool_],
    placed: Layout,
    maps: Mapping[str, UnitMap],
    signs: Mapping[str, str],
    addresses: Sequence[str],
) -> Matrix:
    most = _full(values)
    colors = _colors(*COLORS[measure])
    content = [
        _line(number, line, values / most, sure, colors, placed.width, maps, signs)
        for number, line in enumerate(placed.lines)
    ]
    if values.shape[1] <= MOST_LINKS:
        content.append(_links(placed, maps, addresses, values, measure))
    height = _line_height(len(maps)) * len(placed.lines)
    counts = "; ".join(f"{label} {int(row.sum())}" for label, row in zip(maps, sure, strict=True))
    alt = printable(f"{title}, units by labels. Units with a dot: {counts}. Arrow keys go from cell to cell.")
    drawing = Markup(
        '<svg class="matrix" viewBox="0 0 {} {}" data-measure="{}" role="group" tabindex="0" aria-label="{}">{}</svg>'
    ).format(NAMES + CELLS, height, measure, alt, Markup("").join(content))
    units = next(iter(maps.values())).information_units if measure == "information" else ""
    scale = (
        f"White: 0 or less. Full colour: {short(most, 2)} {units}".rstrip()
        + " or more. Empty: not tested. Marks below: several dots."
    )
    return Matrix(title, drawing, scale)


def _line_height(labels: int) -> int:
    return ABOVE + CELL * labels + BELOW


def _line(
    number: int,
    line: list[int],
    values: Values,
    sure: NDArray[np.bool_],
    colors: NDArray[np.uint8],
    width: int,
    maps: Mapping[str, UnitMap],
    signs: Mapping[str, str],
) -> Markup:
    """A line of the matrix: regions, names of labels, cells, and a dot on each cell that is sure."""
    top = number * _line_height(len(maps)) + ABOVE
    units = np.array(line)
    shown = np.where(units >= 0, values[:, units], np.nan)
    picture = Markup('<image x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none" href="{}"/>').format(
        NAMES, top, width * len(line), CELL * len(maps), pixels(shown, colors)
    )
    marked = sure[:, units] & (units >= 0)
    points = "".join(
        f"M{NAMES + width * (column + 0.5):g} {top + CELL * (row + 0.5):g}h0" for row, column in np.argwhere(marked)
    )
    names = [
        Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            NAMES - 6, top + CELL * row + 12, escape(f"{shorten(printable(label), 20)} {signs.get(label, '')}".rstrip())
        )
        for row, label in enumerate(maps)
    ]
    frames = [
        Markup('<path class="axis" d="M{} {}h{}v{}h-{}z"/>').format(
            NAMES + width * start, top, width * length, CELL * len(maps), width * length
        )
        for start, length in _spans(line)
    ]
    dot = max(1.5, min(5, width * 0.5))
    dots = Markup('<path class="dot" stroke-width="{:g}" d="{}"/>').format(dot, points)
    several = np.flatnonzero((np.count_nonzero(marked, axis=0) > 1) & (units >= 0))
    under = top + CELL * len(maps) + 2
    ticks = "".join(f"M{NAMES + width * (column + 0.5):g} {under}v6" for column in several)
    dots += Markup('<path class="several" stroke-width="{:g}" d="{}"/>').format(max(1.5, width * 0.6), ticks)
    region = _regions(line, next(iter(maps.values())).regions, width, top)
    return region + Markup("").join(names) + picture + dots + Markup("").join(frames)


def _spans(line: list[int]) -> list[tuple[int, int]]:
    """The first column and the length of each run of columns with units."""
    known = np.r_[False, np.array(line) >= 0, False].astype(int)
    starts, ends = np.flatnonzero(np.diff(known) == 1), np.flatnonzero(np.diff(known) == -1)
    return [(int(start), int(end - start)) for start, end in zip(starts, ends, strict=True)]


def _regions(line: list[int], regions: Sequence[str], width: int, top: int) -> Markup:
    """The names of regions above a line; one that has no room is cut, or left to the pointer."""
    parts = []
    for start, length in _spans(line):
        letters = int(width * (length + GAP) / LETTER)
        if letters >= 2:
            name = shorten(printable(regions[line[start]]) or "no region", letters)
            parts.append(
                Markup('<text class="region" x="{}" y="{}">{}</text>').format(NAMES + width * start, top - 4, name)
            )
    return Markup("").join(parts)


def _links(
    placed: Layout, maps: Mapping[str, UnitMap], addresses: Sequence[str], values: Values, measure: str
) -> Markup:
    """A link over each column to the card of its unit, whose title says the numbers."""
    first, parts = next(iter(maps.values())), []
    for number, line in enumerate(placed.lines):
        top = number * _line_height(len(maps)) + ABOVE
        for column, unit in enumerate(line):
            if unit < 0:
                continue
            told = "; ".join(
                f"{label} {short(value, 2) if value == value else '–'}"
                for label, value in zip(maps, values[:, unit].tolist(), strict=True)
            )
            title = f"unit {printable(first.units[unit])}, {printable(first.regions[unit]) or 'no region'}: {told}"
            parts.append(
                Markup(
                    '<a href="#{}" tabindex="-1"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}"/></a>'
                ).format(addresses[unit], title, NAMES + placed.width * column, top, placed.width, CELL * len(maps))
            )
    return Markup("").join(parts)


def _colors(first: str, last: str) -> NDArray[np.uint8]:
    ends = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in (first, last)])
    return np.rint(np.linspace(ends[0], ends[1], 64)).astype(np.uint8)
