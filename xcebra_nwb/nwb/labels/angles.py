"""Recognise directions by name and unit, and convert them to radians."""

from __future__ import annotations

import re

import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.refusals import Code

RADIANS_PER = {
    **dict.fromkeys(("deg", "degs", "degree", "degrees", "°", "angular degree", "angular degrees"), np.pi / 180),
    **dict.fromkeys(("rad", "rads", "radian", "radians"), 1.0),
    **dict.fromkeys(("mrad", "milliradian", "milliradians"), 1e-3),
    **dict.fromkeys(("arcmin", "arcminute", "arcminutes", "minutes of arc"), np.pi / 180 / 60),
    **dict.fromkeys(
        ("turn", "turns", "cycle", "cycles", "rev", "revolution", "revolutions", "rotation", "rotations"), 2 * np.pi
    ),
}
NAMED_ANGLE = re.compile(
    r"(^|[_\W])(angles?|yaw|azimuth|theta|orientation|heading|bearing)($|[_\W\d])|head.?direction|phase$", re.IGNORECASE
)
SILENT = {"", "n/a", "na", "none", "unknown", "a.u.", "au", "arbitrary", "arbitrary units", "meters", "m", "no unit"}
"""Units that say nothing of an angle; "meters" is what a SpatialSeries has when nobody gave a unit."""


def radians_per(unit: str) -> float | None:
    """Return how many radians one ``unit`` has, None if it is no unit of angle.

    >>> round(radians_per("degrees (0-360)"), 4)
    0.0175
    >>> radians_per("deg/s") is None
    True
    """
    plain = re.sub(r"\s*[(\[].*?[)\]]", "", unit[:MOST_LABEL]).strip().rstrip(".").lower()  # "degrees (0-360)"
    return RADIANS_PER.get(plain)


def named_angle(name: str) -> bool:
    """Return whether the name of a series says that it is an angle.

    >>> named_angle("head_direction"), named_angle("position")
    (True, False)
    """
    return NAMED_ANGLE.search(name) is not None


def guessed(values: np.ndarray) -> float:
    """Guess how many radians the unit of angles has if the file gives none.

    Angles of more than one turn in radians are taken as degrees.

    >>> guessed(np.array([0.0, 3.1])), round(guessed(np.array([0.0, 359.0])), 4)
    (1.0, 0.0175)
    """
    return float(np.pi / 180) if np.abs(values).max() > 2 * np.pi + 0.1 else 1.0


def doubt(angles: np.ndarray) -> tuple[str, str]:
    """Return why angles cannot have the unit that the file gives, and their unit.

    Angles that wrap jump by one turn. A jump of 100 rad means that degrees were taken as radians. An unwrapped angle
    grows as large, but in small steps.

    Args:
        angles: Angles in rad by the unit of the file, shape (sample,).

    Returns:
        The reason in words and the true unit, both "" if nothing is wrong.

    >>> doubt(np.array([0.0, 1.0, 2.0]))
    ('', '')
    >>> doubt(np.array([350.0, 359.0, 1.0]))[1]
    'degrees'
    """
    steps = np.abs(np.diff(angles))
    if not len(steps):
        return "", ""
    largest, covered = float(steps.max()), float(np.ptp(angles))
    if covered < 400 and largest > 25 * np.pi:
        return f"from one sample to the next they change by up to {largest:.0f} rad, so they must be degrees", "degrees"
    if 6.1 < np.rad2deg(covered) < 6.3 and np.rad2deg(largest) > 5:
        return (
            f"they cover {np.rad2deg(covered):.2f} degrees and jump as if that were a turn, so they must be radians",
            "radians",
        )
    return "", ""


def in_radians(name: str, source: str, unit: str, values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the angles of a label in rad, and a note if their unit was guessed.

    Args:
        name: Name of the label.
        source: Path of its series.
        unit: Unit in the file or the config, "" if there is none.
        values: The angles as stored, shape (sample,).

    Returns:
        The angles in rad, shape (sample,), and the notes.

    Raises:
        Refusal: The angles cannot have the unit that was given.

    >>> angles, notes = in_radians("direction", "/hd", "turns", np.array([0.0, 0.5]))
    >>> angles.round(3).tolist(), notes
    ([0.0, 3.142], ())
    """
    factor, notes = radians_per(unit), tuple[str, ...]()
    if factor is None:
        factor = guessed(values)
        taken = "radians" if factor == 1 else "degrees"
        notes = (f"{source}: unit {unit!r} taken as {taken}; labels.{name}.unit settles it",)
    doubtful, true_unit = doubt(values * factor)
    if doubtful:
        raise Refusal(
            Code.UNIT_NOT_TRUSTED,
            f"label {name} ({source}): its unit is {unit!r}, but {doubtful}",
            f"give the unit: labels: {{{name}: {{source: {source}, unit: {true_unit}}}}}",
        )
    return values * factor, notes
