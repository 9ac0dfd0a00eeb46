"""Units and names of angles: which series hold directions, and how many radians their unit has."""

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
    """Return the radians in one ``unit``, None where it is no unit of angles (deg/s is none)."""
    plain = re.sub(r"\s*[(\[].*?[)\]]", "", unit[:MOST_LABEL]).strip().rstrip(".").lower()  # "degrees (0-360)"
    return RADIANS_PER.get(plain)


def named_angle(name: str) -> bool:
    """Return whether a series calls itself an angle."""
    return NAMED_ANGLE.search(name) is not None


def guessed(values: np.ndarray) -> float:
    """Return the radians per unit of angles whose unit nobody gave: degrees where they exceed a turn in radians."""
    return float(np.pi / 180) if np.abs(values).max() > 2 * np.pi + 0.1 else 1.0


def doubt(angles: np.ndarray) -> tuple[str, str]:
    """Return, in words, why ``angles`` (sample,) in rad cannot be what their unit says, and their true unit, or "", "".

    Angles that wrap jump by a turn. A jump of 100 rad is a turn of 360 taken for radians; an angle that was counted
    on (unwrapped) grows as large, but in small steps.
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
    """Return the angles ``values`` (sample,) of the label ``name`` in rad, and a note where their unit was guessed.

    Raises:
        Refusal: they cannot have the ``unit`` that was given.
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
