"""The truth of recordings that our own simulator made: the type of every cell, and the labels that each type carries.

Only the page of a session and the scores read it. Nothing that trains, maps or judges does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

GENERATOR = "xcebra-nwb"  # in /general/was_generated_by of a simulated file
COLUMN = "cell_type"  # of its units table
DESCRIPTION = "the truth: what the unit's rate depends on"  # of that column; no other file's column says so
TRUE_TYPE = "true_type"  # coordinate on unit of session.nc
CARRIERS: Mapping[str, Sequence[str]] = {
    "position": ("place", "grid", "place and head_direction", "place and speed"),
    "head_direction": ("head_direction", "place and head_direction", "head_direction and speed"),
    "speed": ("speed", "place and speed", "head_direction and speed"),
}
