"""Recognise directions by name and unit, and convert them to radians."""

from __future__ import annotations

import re

import numpy as np

from xcebra_nwb.core.config.labels import Kind
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
    r"(^|[_\W])(angles?|yaw|azimuth|theta|orientation|heading|bearing|hd)($|[_\W\d])|head.?direction|phase$",
    re.IGNORECASE,
)
NAMED_DIRECTION = re.compile(
    r"(^|[_\W])(yaw|azimuth|orientation|heading|bearing|directions?|compass|hd)($|[_\W\d])|head.?direction|phase$",
    re.IGNORECASE,
)
CURVED = re.compile(r"curvature|curving|bend", re.IGNORECASE)
MOST_TURNS = 1.1  # turns; angles that cover more were unwrapped
WRAPPED = 0.6  # of a turn; a larger step from one sample to the next is a wrap
WORTH_A_NOTE = 0.25  # turns; smaller angles are those of joints, whiskers and eyes
MOST_UNWRAPPED = 50.0  # rad; a direction that covers more within 0 to 360 was given in degrees
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


def named_direction(name: str) -> bool:
    """Return whether the name of a series says that its angle is a direction.

    >>> named_direction("head_direction"), named_direction("bodyYaw"), named_direction("joint_angle")
    (True, True, False)
    """
    return NAMED_DIRECTION.search(words_of(name)) is not None and not is_curvature(name)


def is_curvature(name: str) -> bool:
    """Return whether the name of a series says that its angle tells how bent something is.

    >>> is_curvature("tail_curvature"), is_curvature("tail_angle")
    (True, False)
    """
    return CURVED.search(name) is not None


def words_of(name: str) -> str:
    """Return a name with an underscore between words that only a capital letter divides.

    >>> words_of("WheelPosition")
    'Wheel_Position'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:MOST_LABEL])


def guessed(values: np.ndarray) -> float:
    """Guess how many radians the unit of angles has if the file gives none.

    Angles of more than one turn in radians are taken as degrees.

    >>> guessed(np.array([0.0, 3.1])), round(guessed(np.array([0.0, 359.0])), 4)
    (1.0, 0.0175)
    """
    return float(np.pi / 180) if np.abs(values).max() > 2 * np.pi + 0.1 else 1.0


def doubt(angles: np.ndarray, directed: bool = False) -> tuple[str, str]:
    """Return why angles cannot have the unit that the file gives, and their unit.

    Angles that wrap jump by one turn. A jump of 100 rad means that degrees were taken as radians. So does a range of
    exactly 0 to 360 or -180 to 180 rad. An unwrapped angle grows as large, but in small steps, and drifts away.

    Args:
        angles: Angles in rad by the unit of the file, shape (sample,).
        directed: Whether the file calls them a direction, which does not drift over many turns.

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
    if _whole_circle(angles, 180.0) or (directed and _within_circle(angles, 180.0) and covered > MOST_UNWRAPPED):
        lowest, highest = float(angles.min()), float(angles.max())
        return f"they run from {lowest:.4g} to {highest:.4g} rad, so they must be degrees", "degrees"
    in_degrees = np.rad2deg(angles)
    jumps = np.rad2deg(largest) > 5
    if 6.1 < np.ptp(in_degrees) < 6.3 and (jumps or (directed and _whole_circle(in_degrees, np.pi))):
        return (
            f"they cover {np.ptp(in_degrees):.2f} degrees{' and jump' if jumps else ''} as if that were a turn, "
            "so they must be radians",
            "radians",
        )
    return "", ""


def _within_circle(angles: np.ndarray, half: float) -> bool:
    """Return whether angles lie between 0 and a turn or between -half and half a turn, in the unit of ``half``."""
    lowest, highest, slack = float(angles.min()), float(angles.max()), 0.003 * half
    return (lowest >= -slack and highest <= 2 * half + slack) or (lowest >= -half - slack and highest <= half + slack)


def _whole_circle(angles: np.ndarray, half: float) -> bool:
    """Return whether angles fill a circle from end to end, in the unit of ``half``, and do not drift along it."""
    covered = float(np.ptp(angles))
    drift = abs(float(angles[-1] - angles[0]))
    return _within_circle(angles, half) and covered > 1.94 * half and drift < 0.8 * covered


def turns(angles: np.ndarray) -> float:
    """Return the number of turns that angles in rad cover.

    >>> turns(np.array([0.0, 4 * np.pi]))
    2.0
    """
    return float(np.ptp(angles) / (2 * np.pi)) if len(angles) else 0.0


def wraps(angles: np.ndarray) -> bool:
    """Return whether angles in rad jump by a turn, as those of a direction do.

    >>> wraps(np.array([3.0, 3.1, -3.1])), wraps(np.array([3.0, 3.1, 3.2]))
    (True, False)
    """
    return bool(wrapped_steps(angles).any())


def wrapped_steps(angles: np.ndarray) -> np.ndarray:
    """Return the steps from one sample to the next in which angles in rad jump by a turn, shape (sample - 1,).

    There is none in angles that run over more than one turn.
    """
    steps = np.abs(np.diff(angles)) > WRAPPED * 2 * np.pi
    return steps & (turns(angles) < MOST_TURNS)


def angle_kind(name: str, source: str, unit: str, values: np.ndarray, directed: bool) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of a label of angles, and a note if it is not circular.

    Angles that the file calls a direction are circular. Others are if they wrap. An angle that runs over many turns,
    and the small angle of a joint, are continuous.

    Args:
        name: Name of the label.
        source: Path of its series.
        unit: Unit in the file or the config, "" if there is none.
        values: The angles as stored, finite, shape (sample,).
        directed: Whether the file calls them a direction.

    Returns:
        ``circular`` or ``continuous``, and the notes.

    Raises:
        Refusal: The angles cannot have the unit that was given.

    >>> angle_kind("wheel", "/wheel", "rad", np.arange(100.0), directed=False)[0]
    'continuous'
    """
    if not len(values):
        return "continuous", ()
    angles = values * (radians_per(unit) or guessed(values))
    check_unit(name, source, unit, angles, directed)
    if directed or wraps(angles):
        return "circular", ()
    over = turns(angles)
    if over >= MOST_TURNS:
        return "continuous", (
            f"{source}: an angle that runs over {over:.2g} turns and is not wrapped: it is taken as it is. "
            f"derive: velocity gives its speed, and kind: circular wraps it",
        )
    if over < WORTH_A_NOTE:
        return "continuous", ()
    return "continuous", (
        f"{source}: an angle that covers {360 * over:.0f} degrees and never wraps: it is taken as it is. "
        "kind: circular makes it a direction",
    )


def check_unit(name: str, source: str, unit: str, angles: np.ndarray, directed: bool = False) -> None:
    """Raise a refusal if angles cannot have their unit.

    Args:
        name: Name of the label.
        source: Path of its series.
        unit: The unit in the file or the config.
        angles: The angles in rad by that unit, shape (sample,).
        directed: Whether the file calls them a direction.
    """
    doubtful, true_unit = doubt(angles, directed)
    if doubtful:
        raise Refusal(
            Code.UNIT_NOT_TRUSTED,
            f"label {name} ({source}): its unit is {unit!r}, but {doubtful}",
            f"give the unit: labels: {{{name}: {{source: {source}, unit: {true_unit}}}}}",
        )


def in_radians(
    name: str, source: str, unit: str, values: np.ndarray, directed: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the angles of a label in rad, and a note if their unit was guessed.

    Args:
        name: Name of the label.
        source: Path of its series.
        unit: Unit in the file or the config, "" if there is none.
        values: The angles as stored, shape (sample,).
        directed: Whether the file calls them a direction.

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
    check_unit(name, source, unit, values * factor, directed)
    return values * factor, notes
