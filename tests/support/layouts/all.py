"""All layouts, in the order of the page: the well-known dandisets by number, then the small files."""

from __future__ import annotations

from tests.support.layouts import decisions, memory, motor, navigation, small, spaces_wanted, tasks, vision
from tests.support.layouts.model import Layout

_ALL: list[Layout] = [
    *motor.LAYOUTS,
    *navigation.LAYOUTS,
    *decisions.LAYOUTS,
    *vision.LAYOUTS,
    *spaces_wanted.LAYOUTS,
    *tasks.LAYOUTS,
    *memory.LAYOUTS,
    *small.LAYOUTS,
]

WELL_KNOWN = sorted((layout for layout in _ALL if layout.dandiset), key=lambda layout: layout.dandiset)
LAYOUTS = WELL_KNOWN + [layout for layout in _ALL if not layout.dandiset]
BY_NAME = {layout.name: layout for layout in LAYOUTS}
