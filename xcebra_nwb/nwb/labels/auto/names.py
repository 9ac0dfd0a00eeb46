"""Name labels by what they are, so that one variable has one name in all sessions of a dandiset."""

from __future__ import annotations

import re
from collections.abc import Iterable

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.labels.auto.candidate import Role
from xcebra_nwb.nwb.labels.auto.measured import Measured
from xcebra_nwb.nwb.labels.auto.words import HEAD, words
from xcebra_nwb.nwb.labels.configured import RESERVED

GENERIC = {"data", "series", "timeseries", "time", "spatial", "spatialseries", "trace", "value", "values"}


def label_name(what: Measured, series: str, holder: str) -> str:
    """Return the name of a label from a series.

    Args:
        what: What the series measures.
        series: Name of the series.
        holder: Name of the group that holds it.

    >>> label_name(Measured(Role.PLACE, "position", "", ""), "SpatialSeriesLED1", "Position")
    'position'
    >>> label_name(Measured(Role.EFFECTOR, "velocity", "hand", ""), "hand_vel", "behavior")
    'hand_velocity'
    """
    if what.role is Role.PLACE:
        return "position"
    if what.role is Role.DIRECTION:
        of_head = HEAD.intersection(words(f"{series} {holder}")) or holder == "CompassDirection"
        return "head_direction" if of_head else "direction"
    if what.role is Role.EFFECTOR and not what.subject:
        return clean_name(series)
    if what.role is Role.EFFECTOR:
        quantity = "velocity" if what.subject == "wheel" and what.quantity in {"position", "angle"} else what.quantity
        return f"{what.subject}_{quantity}"
    if what.role is Role.RUNNING:
        return _running(what)
    generic = not set(words(series)) - GENERIC
    return clean_name(holder if generic else series)


def _running(what: Measured) -> str:
    if what.subject == "running":
        return f"running_{what.quantity if what.quantity == 'acceleration' else 'speed'}"
    return f"{what.subject}_{what.quantity}" if what.subject else what.quantity


def clean_name(name: str, taken: Iterable[str] = ()) -> str:
    """Return a valid label name that is not taken yet.

    Args:
        name: Name of the series or column.
        taken: Names of other labels.

    >>> clean_name("Running speed (cm/s)")
    'Running_speed_cm_s'
    >>> clean_name("speed", ["speed"])
    'speed_2'
    """
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name[:MOST_LABEL].removesuffix(".npy")).strip("_") or "label"
    cleaned = cleaned if cleaned[0].isalpha() else f"label_{cleaned}"
    taken = set(taken) | RESERVED
    unique, number = cleaned, 2
    while unique in taken:
        unique, number = f"{cleaned}_{number}", number + 1
    return unique
