"""The units of a session on its page: the matrix, the gallery, and a card each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xcebra_nwb.report.figures.unit_panels import MAP_COLORS
from xcebra_nwb.report.ground_truth import COLUMN as TRUE_COLUMN
from xcebra_nwb.report.packing import pack
from xcebra_nwb.report.pages.render import part
from xcebra_nwb.report.style import verdict_style
from xcebra_nwb.report.unit_cards import GALLERY, Card, Cards
from xcebra_nwb.report.unit_map import UnitMap, unit_columns, unit_rows
from xcebra_nwb.report.unit_matrix import matrices
from xcebra_nwb.report.unit_mixed import mixed_selectivity

READABLE = 500  # drawings that a page holds as they stand, to be read without a script
PACK = 40  # cards that are packed together
MOST_PACKED = 440_000  # bytes of packed cards with all drawings; the cards of further units are brief


def units_section(cards: Cards, verdicts: Mapping[str, str], types: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what the page shows of the units.

    Args:
        cards: of the units.
        verdicts: on each label.
        types: true type of every unit; None where the truth is not known.
    """
    maps = cards.maps
    readable = max(20, READABLE // max(len(maps), 1))
    written, packed = cards.order[:readable], cards.order[readable:]
    signs = {label: verdict_style(verdict)[1] for label, verdict in verdicts.items()}
    packs, whole = _packs(cards, packed)
    return {
        "matrix": matrices(maps, signs, cards.order),
        "mixed": mixed_selectivity(maps),
        "columns": [*GALLERY, TRUE_COLUMN] if types is not None else GALLERY,
        "numbers": [name for name in GALLERY if name not in ("unit", "region", "carries", "foremost label")],
        "rows": _gallery(cards, types),
        "addresses": {cards.names[unit]: cards.addresses[unit] for unit in cards.order},
        "neighbours": _neighbours(cards),
        "colors": "".join(f"{channel:02x}" for channel in MAP_COLORS.reshape(-1).tolist()),
        "shared": cards.shared(),
        "cards": [cards.card(unit) for unit in written],
        "tables": _tables(maps),
        "table_columns": ["label", *unit_columns(next(iter(maps.values())))[2:]],
        "packs": packs,
        "total": len(cards.order),
        "packed": len(packed),
        "brief": len(packed) - whole,
        "tuned": cards.units is not None,
    }


def _gallery(cards: Cards, types: Sequence[str] | None) -> list[list[Any]]:
    """A row for each unit; its true type stands last."""
    rows = cards.gallery()
    if types is None:
        return rows
    return [[*row, types[unit].replace("_", " ")] for unit, row in zip(cards.order, rows, strict=True)]


def _tables(maps: Mapping[str, UnitMap]) -> dict[str, list[list[Any]]]:
    """The numbers of each unit: a row for each label."""
    tables: dict[str, list[list[Any]]] = {}
    for label, shown in maps.items():
        for row in unit_rows(shown):
            tables.setdefault(row[0], []).append([label, *row[2:]])
    return tables


def _packs(cards: Cards, chosen: list[int]) -> tuple[list[dict[str, Any]], int]:
    """Return cards in packs, and how many show all labels: as many as the page may hold."""
    packs: list[dict[str, Any]] = []
    size, whole, neighbours = 0, 0, _neighbours(cards)
    for first in range(0, len(chosen), PACK):
        units = chosen[first : first + PACK]
        brief = size >= MOST_PACKED
        content = pack("".join(_written(cards.card(unit, brief), neighbours) for unit in units))
        packs.append({"addresses": [cards.addresses[unit] for unit in units], "content": content})
        size, whole = size + len(content), whole + (not brief) * len(units)
    return packs, whole


def _neighbours(cards: Cards) -> dict[str, tuple[str, str]]:
    """The addresses of the units before and after each unit; "" at the ends."""
    addresses = ["", *(cards.addresses[unit] for unit in cards.order), ""]
    return {addresses[at]: (addresses[at - 1], addresses[at + 1]) for at in range(1, len(addresses) - 1)}


def _written(card: Card, neighbours: Mapping[str, tuple[str, str]]) -> str:
    return part("unit_card.html.j2", card=card, beside=neighbours[card.address], columns=[], rows=[])
