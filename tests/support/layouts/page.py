"""docs/reference/layouts.md: the labels that ``auto`` takes from well-known dandisets, as the tests find them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.layouts.model import Layout
from tests.support.paths import ROOT
from xcebra_nwb.nwb.inventory.models import Automatic

PAGE: Path = ROOT / "docs" / "reference" / "layouts.md"

HEAD = """# What `auto` takes from well-known dandisets

This page is made from the tests by `python -m tests.support.layouts`. Each row is a small file with the layout of a
dandiset: the names, types and units are those of its files, the values are simulated. A test checks that the labels are
right, and that the row is true.

`labels: auto` takes at most five labels. [labels.md](labels.md) says how it chooses. `xcebra-nwb inspect FILE` shows
the labels of your file, and why they are taken.

| dandiset | experiment | neural data | labels |
|---|---|---|---|
"""


def row(layout: Layout, automatic: Automatic) -> str:
    """Return the row of a layout, without a line break."""
    labels = "<br>".join(f"`{label.name}`, {label.kind}: `{label.source}`" for label in automatic.labels)
    neural = "<br>".join(f"`{path}`" for path in automatic.neural)
    cells = [layout.dandiset, layout.about, neural, labels or "none"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(choices: Mapping[str, Automatic], layouts: list[Layout]) -> str:
    """Return the page; ``choices`` are by the name of the layout."""
    return HEAD + "".join(row(layout, choices[layout.name]) + "\n" for layout in layouts)


def rows_of(text: str) -> list[str]:
    """Return the rows of the table of a page, without the header."""
    return [line for line in text.splitlines() if line.startswith("|")][2:]
