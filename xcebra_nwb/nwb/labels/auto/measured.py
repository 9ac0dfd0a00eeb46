"""Say what a series measures, and of what: by type, container, unit, name and description, in this order."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.labels.angles import SILENT, radians_per
from xcebra_nwb.nwb.labels.auto import words as known
from xcebra_nwb.nwb.labels.auto.candidate import Role
from xcebra_nwb.nwb.labels.auto.column_roles import column_role
from xcebra_nwb.nwb.labels.auto.words import one_of, words
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, name_of, neurodata_type, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, container, module, read_samples, unit_of

NEURAL = {"ecephys", "ophys", "lfp", "spikes", "units", "suite2p", "caiman"}
OF_EYES = {"EyeTracking", "PupilTracking"}
POINTS = 4  # columns of two points
CLOSE = 0.25  # two points of one head lie closer together than this share of the range they move in
MOST_DEGREES = 7  # columns of one movement, such as the joints of an arm; a label has a latent for each
CHANGES = {"delta", "deltas", "diff", "difference", "dx", "dy"}
SHOWN = "/stimulus/presentation/"
MOST_VALUES = 50_000_000  # of behaviour: two hours of three columns at 2 kHz
MOST_AXES = 3  # a position in space
VOLTS = {"v", "mv", "uv", "µv", "volt", "volts", "millivolt", "millivolts", "microvolts"}
LENGTHS = one_of(
    """
    centimeter centimeters centimetres cm ft in inch inches km m meter meters metre metres millimeter
    millimeters millimetres mm pixel pixels px um unity vu µm
    """
)
RATE = re.compile(r"^(.+?)\s*(?:/|per\b|·|\*|\s)\s*(?:s|sec|secs|second|seconds)\s*(?:\^?-?[12])?$", re.IGNORECASE)
SQUARED = re.compile(r"s(?:ec|econds?)?\s*(?:\^|\*\*)?\s*-?2$|/s/s$|s²$|squared$", re.IGNORECASE)
MOVING = {"velocity", "speed", "acceleration"}
PLACES_OF_BEHAVIOUR = one_of(
    """
    behavior behavioral behaviour behavioural eye face facial kinematics licking locomotion motif motion motor
    movement movements pose pupil running stimulus tail tracking video wheel whisker whiskers worm
    """
)


@dataclass(frozen=True)
class Measured:
    """What a series measures.

    Attributes:
        role: What it is to an experiment.
        quantity: position, velocity, speed, acceleration, direction, angle or other.
        subject: What moves: ``hand``, ``wheel``, ...; "" for the animal.
        because: What shows it.
    """

    role: Role
    quantity: str
    subject: str
    because: str


@dataclass(frozen=True)
class _Evidence:
    name: tuple[str, ...]
    holders: tuple[str, ...]
    description: tuple[str, ...]
    unit: str
    holder_type: str
    spatial: bool
    columns: int
    path: str

    def near(self, vocabulary: frozenset[str]) -> bool:
        """Return whether the name or its containers hold a word."""
        return bool(vocabulary.intersection(self.name) or vocabulary.intersection(self.holders))


def measured(file: NwbFile, path: str) -> Measured | str:
    """Return what a series measures, or why it is no label for ``auto``.

    Args:
        file: The open file.
        path: Path of the series.
    """
    found = _evidence(file, path)
    reason = _reason_against(found, file, path)
    if reason:
        return reason
    if path.startswith(SHOWN) or known.STIMULATION.intersection(found.name):
        if column_role(name_of(path))[0] is not Role.STIMULUS:
            return "a record of the stimulation"
        return Measured(Role.STIMULUS, "stimulus", "", f"{_lies(file, path)}, a stimulus over time")
    quantity, evidence = _quantity(found)
    because = f"{_lies(file, path)}, {evidence}" if evidence else _lies(file, path)
    subject = _subject(found, quantity)
    role = _role(found, quantity, subject)
    if role is None:
        return "nothing says that it is behaviour"
    if known.UNSURE.intersection(found.name):
        return "a measure of the tracking itself"
    if CHANGES.intersection(found.name) and quantity in {"position", "direction", "angle"}:
        return "a change from sample to sample"
    if quantity == "position" and known.TARGETS.intersection(found.name) and not subject:
        return "the position of a target, not of the animal"
    return Measured(role, quantity, subject, because)


def _lies(file: NwbFile, path: str) -> str:
    """Return the type of a series and what holds it, in words."""
    holder = container(file, path)
    where = f"in a {holder}" if holder not in {"", "ProcessingModule"} else f"in {parent(path)}"
    return f"a {neurodata_type(file.series[path])} {where}"


def two_points(file: NwbFile, path: str) -> bool:
    """Return whether a SpatialSeries of four columns holds x and y of two points of one head.

    Args:
        file: The open file.
        path: Path of the series.
    """
    group = file.series[path]
    if columns(group) != POINTS or not is_kind(group, "SpatialSeries") or group["data"].dtype.kind not in "iuf":
        return False
    values = read_samples(group, path).values.astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    return len(values) > 0 and of_one_head(values[:, :2], values[:, 2:])


def of_one_head(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two points stay close together, as two lights of one head do.

    Args:
        first: Places of a point, shape (sample, 2).
        second: Places of the other point at the same times, shape (sample, 2).
    """
    apart = np.linalg.norm(first - second, axis=1)
    return bool(0 < np.median(apart) < CLOSE * np.linalg.norm(np.ptp(first, axis=0)))


def unit_quantity(unit: str) -> str:
    """Return what a unit measures: length, angle, velocity, acceleration, volt or "".

    >>> unit_quantity("cm/s"), unit_quantity("rad/s^2"), unit_quantity("degrees"), unit_quantity("spikes/s")
    ('velocity', 'acceleration', 'angle', '')
    """
    plain = unit[:MOST_LABEL].strip().lower()
    if plain in VOLTS:
        return "volt"
    if radians_per(plain) is not None:
        return "angle"
    if plain in LENGTHS:
        return "length"
    moving = RATE.match(plain)
    of = moving.group(1).strip().rstrip("/").strip() if moving else ""
    if of in LENGTHS or radians_per(of) is not None or of.split("/")[0] in LENGTHS:
        return "acceleration" if SQUARED.search(plain) else "velocity"
    return ""


def _evidence(file: NwbFile, path: str) -> _Evidence:
    group = file.series[path]
    return _Evidence(
        name=words(name_of(path)),
        holders=tuple(word for part in path.split("/")[2:-1] for word in words(part)),
        description=words(attribute(group, "description")),
        unit=unit_of(group),
        holder_type=container(file, path),
        spatial=is_kind(group, "SpatialSeries"),
        columns=columns(group),
        path=path,
    )


def _reason_against(found: _Evidence, file: NwbFile, path: str) -> str:
    kind = neurodata_type(file.series[path])
    if file.series[path]["data"].dtype.kind not in "iuf" and not path.startswith(SHOWN):
        return "texts or truth values"
    if kind == "IntervalSeries":
        return "epochs"
    if NEURAL.intersection(words(module(path)) or (module(path),)) or kind == "RoiResponseSeries":
        return "neural data"
    if unit_quantity(found.unit) == "volt":
        return "a voltage"
    if known.COUNTERS.intersection((*found.name, *found.holders)):
        return "a count"
    if found.columns > MOST_AXES and not (_kinematics(found) or two_points(file, path)):
        return f"more than {MOST_AXES} columns"
    if int(np.prod(file.series[path]["data"].shape, dtype=np.float64)) > MOST_VALUES:
        return f"more than {MOST_VALUES / 1e6:.0f} million values, as of a raw signal"
    if path.startswith("/stimulus") and (not path.startswith(SHOWN) or found.columns > 1):
        return "a record of the stimulation"
    return ""


def _kinematics(found: _Evidence) -> bool:
    """Return whether a series of several columns holds the degrees of freedom of one movement."""
    moving = known.VELOCITY | known.SPEED | {"kinematics", "kinematic"}
    return not found.spatial and found.columns <= MOST_DEGREES and bool(moving.intersection(found.name))


def _quantity(found: _Evidence) -> tuple[str, str]:
    """Return the quantity, and what shows it."""
    by_unit, name = unit_quantity(found.unit), set(found.name)
    angular = by_unit == "angle" or (found.unit.strip().lower() in SILENT and not found.spatial)
    for vocabulary, quantity in _MOVING_WORDS:
        if name & vocabulary and by_unit != "length":
            return quantity, f"called {quantity}"
    if "kinematics" in name:
        return "position", "called kinematics"
    joint = (known.BODY - {"head", "body", "back"}).intersection((*found.name, *words(name_of(parent(found.path)))))
    if found.holder_type == "CompassDirection":
        return ("angle", "of a part of the body") if joint else ("direction", "")
    if by_unit in {"velocity", "acceleration"}:
        return by_unit, f"its unit is {found.unit}"
    looks = name & known.DIRECTION or {"head", "direction"} <= name or {"head", "angle"} <= name
    if looks and angular | (by_unit == "" and found.spatial):
        return "direction", "called a direction"
    if by_unit == "angle" and found.columns == MOST_AXES and known.UPRIGHT.intersection((*name, *found.description)):
        return "direction", "described by its yaw"
    if by_unit == "angle" and not (found.spatial and found.columns > 1):
        return ("direction", "called a direction") if "direction" in name else ("angle", f"its unit is {found.unit}")
    if known.POSTURE.intersection(found.name) or (known.POSTURE.intersection(found.holders[-1:]) and not looks):
        return "other", "called by a part of the body or a force"
    if found.spatial or found.holder_type == "Position":
        if not looks and "direction" in name and found.columns == 1:
            return "direction", "called a direction"
        return "position", ""
    if name & known.POSITION:
        return "position", "called a position"
    for vocabulary, quantity in _MOVING_WORDS:
        if set(found.holders[-1:]) & vocabulary:
            return quantity, ""
    return _from_description(found)


_MOVING_WORDS = ((known.ACCELERATION, "acceleration"), (known.VELOCITY, "velocity"), (known.SPEED, "speed"))


def _from_description(found: _Evidence) -> tuple[str, str]:
    said = found.description[:12]
    for vocabulary, quantity in (*_MOVING_WORDS, ({"position", "location", "coordinates"}, "position")):
        if vocabulary.intersection(said):
            return quantity, f"described as a {quantity}"
    if {"head", "direction"} <= set(said):
        return "direction", "described as the head direction"
    return "other", "which lies where behaviour lies"


def _subject(found: _Evidence, quantity: str) -> str:
    """Return what moves, "" for the animal."""
    for part in (found.name, found.holders):
        if known.EYES.intersection(part):
            return "eye"
    if found.holder_type in OF_EYES:
        return "eye"
    said = found.description[:12] if quantity in {*MOVING, "position", "angle"} else ()
    for part in (found.name, found.holders, said):
        for hand in known.HANDS:
            if hand in part or f"{hand}s" in part:
                return hand
        if known.RUNNING.intersection(part):
            return "running"
        if known.WHEELS.intersection(part):
            return "wheel"
        if part is said and (face := known.FACE.intersection((*said, *found.description))):
            return min(face).removesuffix("s")
        if part is not said and (body := [word for word in part if word in known.BODY - {"body", "back", "head"}]):
            return body[0]
        if part is found.name and (bent := known.POSTURE.intersection(part) - {"angle", "angles", "amplitude"}):
            return min(bent)
    return ""


def _role(found: _Evidence, quantity: str, subject: str) -> Role | None:
    if subject == "eye":
        return Role.AROUSAL
    if quantity == "direction":
        return Role.DIRECTION
    if quantity in {*MOVING, "position", "angle"} and subject in {"wheel", *known.HANDS}:
        return Role.EFFECTOR
    if found.columns > MOST_AXES:
        return Role.EFFECTOR
    if subject in known.BODY:
        return Role.POSTURE
    if quantity in MOVING or subject == "running":
        return Role.RUNNING
    if quantity == "position":
        return Role.POSTURE if subject else Role.PLACE
    if known.JUNK.intersection(found.name) and not known.AROUSAL.intersection(found.name):
        return None
    if not (found.near(PLACES_OF_BEHAVIOUR | known.BODY) or found.holder_type.startswith("Behavioral")):
        return None
    return Role.AROUSAL if known.AROUSAL.intersection(found.name) else Role.POSTURE
