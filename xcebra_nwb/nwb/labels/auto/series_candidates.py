"""Find the series that ``auto`` may take, alone or together: x, y and z, two points of a head, the points of a pose."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import groupby

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.nwb.labels.auto import words as known
from xcebra_nwb.nwb.labels.auto.candidate import Candidate, Role
from xcebra_nwb.nwb.labels.auto.measured import MOVING, POINTS, Measured, measured, unit_quantity
from xcebra_nwb.nwb.labels.auto.names import clean_name, label_name
from xcebra_nwb.nwb.labels.auto.words import words
from xcebra_nwb.nwb.labels.from_events import holds_events
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, name_of, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, container, unit_of

AXES = ("x", "y", "z")
FEWEST_POINTS = 3  # of a pose
CAMERA = re.compile(r"(left|right|body|side|bottom|top|front)?[ _]?camera[ _]?\d*", re.IGNORECASE)
POSE = {"PoseEstimation", "Skeleton", "PoseTraining"}
ORDER = {"velocity": 0, "speed": 1, "position": 2, "angle": 3, "acceleration": 4}
OVER_TIME = (0.0, 0.5, 0.0)  # a stimulus that is sampled comes after the columns of tables


def series_candidates(file: NwbFile, neural: Collection[str]) -> tuple[list[Candidate], dict[str, str]]:
    """Return the labels that series offer, and why the other series offer none.

    Args:
        file: The open file.
        neural: Paths of the series that are used as neural activity.

    Returns:
        The candidates in the order of the file, and a reason by path.
    """
    paths = [path for path in file.series if path not in neural]
    reasons = {path: "events" for path in paths if holds_events(file, path)}
    left = [path for path in paths if path not in reasons]
    found: list[Candidate] = []
    for group, make in ((_poses(file, left), _pose), (_by_axis(file, left), _vector)):
        for holder, members in group.items():
            candidate = make(file, holder, members)
            left = [path for path in left if path not in members]
            if isinstance(candidate, Candidate):
                found.append(candidate)
            else:
                reasons |= dict.fromkeys(members, candidate)
    for path in left:
        what = measured(file, path)
        if isinstance(what, str):
            reasons[path] = what
        elif columns(file.series[path]) == POINTS:
            found += _pair(path, what)
        elif what.quantity == "direction" and _direction(file, path) is None:
            reasons[path] = "one of several angles, and nothing says which is the azimuth"
        else:
            found.append(_single(file, path, what))
    return found, reasons


def _single(file: NwbFile, path: str, what: Measured) -> Candidate:
    """Return the candidate of one series; a wheel's angle becomes its velocity."""
    if what.role is Role.STIMULUS:
        return Candidate(
            role=what.role,
            name=clean_name(name_of(path)),
            config=LabelConfig(source=path),
            because=what.because,
            preference=OVER_TIME,
        )
    config, quantity = LabelConfig(source=path), what.quantity
    if quantity == "direction":
        config = _direction(file, path) or config
    elif quantity in MOVING or (quantity == "angle" and what.role is Role.POSTURE):
        config = LabelConfig(source=path, kind="continuous")  # whatever its container says
    elif what.subject in {"wheel", "running"} and quantity in {"position", "angle"}:
        config, quantity = LabelConfig(source=path, derive="velocity"), "derived velocity"
    return Candidate(
        role=what.role,
        name=label_name(what, name_of(path), name_of(parent(path))),
        config=config,
        because=what.because,
        quantity=quantity,
        subject=what.subject,
        preference=_preference(file, path, what),
    )


def _pair(path: str, what: Measured) -> list[Candidate]:
    """Return the position and the direction of two points that one series holds."""
    place = Candidate(
        role=Role.PLACE,
        name="position",
        config=LabelConfig(source=path, columns=[0, 1]),
        because=what.because,
        quantity="position",
        preference=(0, 0, 0, 0),
    )
    config = LabelConfig(source=path, columns=[0, 1, 2, 3], derive="direction")
    direction = Candidate(
        role=Role.DIRECTION,
        name="head_direction",
        config=config,
        because="from two tracked points",
        quantity="direction",
    )
    return [place, direction]


def _preference(file: NwbFile, path: str, what: Measured) -> tuple[float, ...]:
    """Return what makes one of several copies the better one; smaller is better."""
    name = set(words(name_of(path)))
    said = name.union(words(attribute(file.series[path], "description"))[:12])
    subject = known.HANDS.index(what.subject) if what.subject in known.HANDS else 0
    raw = bool(name & known.RAW) - bool(said & known.PROCESSED) * 0.5 + path.startswith("/acquisition") * 0.25
    return _order_of(what, columns(file.series[path])), subject, raw, columns(file.series[path]) == 1


def _order_of(what: Measured, held: int) -> int:
    """Return which of the quantities of one role comes first; smaller is better."""
    if what.role is Role.POSTURE:
        return int(what.quantity in MOVING) + int(what.subject not in known.FACE)
    if what.role is Role.DIRECTION:
        return int(held > 1)
    if what.subject in {"", "running"} and what.quantity == "speed":
        return -1
    return ORDER.get(what.quantity, 0)


def _direction(file: NwbFile, path: str) -> LabelConfig | None:
    """Return the section for a direction: of azimuth, pitch and roll the azimuth, None if nothing says which it is."""
    held = columns(file.series[path])
    if held == 1:
        return LabelConfig(source=path)
    said = words(attribute(file.series[path], "description"))
    order = [word for word in said if word in {*known.UPRIGHT, "pitch", "roll", "elevation", "tilt"}]
    upright = next((number for number, word in enumerate(order[:held]) if word in known.UPRIGHT), None)
    return None if upright is None else LabelConfig(source=path, columns=[upright], kind="circular")


def _by_axis(file: NwbFile, paths: list[str]) -> dict[str, list[str]]:
    """Return the series that differ only in the axis of their name, by their holder and common name."""
    found: dict[str, list[str]] = {}
    for path in paths:
        stem, axis = _without_axis(name_of(path))
        if axis and columns(file.series[path]) == 1:
            found.setdefault(f"{parent(path)}/{stem}", []).append(path)
    return {
        stem: sorted(group, key=lambda p: _without_axis(name_of(p))[1])
        for stem, group in found.items()
        if _is_set(group)
    }


def _is_set(group: list[str]) -> bool:
    axes = [_without_axis(name_of(path))[1] for path in group]
    return 2 <= len(axes) <= len(AXES) and len(set(axes)) == len(axes) and {"x", "y"} <= {a[-1] for a in axes}


def _without_axis(name: str) -> tuple[str, str]:
    """Return a name without its axis, and the axis.

    >>> _without_axis("pos_x"), _without_axis("ry"), _without_axis("speed")
    (('pos', 'x'), ('r', 'y'), ('speed', ''))
    """
    parts = words(name)
    for number, part in enumerate(parts):
        if part in AXES:
            return "_".join(parts[:number] + parts[number + 1 :]), part
    if len(parts) == 1 and parts[0] in {f"{letter}{axis}" for letter in "rvp" for axis in AXES}:
        return parts[0][0], parts[0][1]
    return name, ""


def _vector(file: NwbFile, holder: str, members: list[str]) -> Candidate | str:
    """Return one label of the series x, y and z."""
    if unit_quantity(unit_of(file.series[members[0]])) == "angle":
        return "one of several angles, and nothing says which is the azimuth"
    what = measured(file, members[0])
    if isinstance(what, str):
        return what
    quantity = what.quantity if what.quantity in {"velocity", "acceleration"} else "position"
    role = what.role if what.role is not Role.POSTURE or quantity != "position" else Role.PLACE
    what = Measured(role, quantity, what.subject, f"the axes of one {quantity} in {parent(members[0])}")
    return Candidate(
        role=role,
        name=label_name(what, name_of(holder) or quantity, name_of(parent(members[0]))),
        config=LabelConfig(source=members),
        because=what.because,
        quantity=quantity,
        subject=what.subject,
        preference=_preference(file, members[0], what),
    )


def _poses(file: NwbFile, paths: list[str]) -> dict[str, list[str]]:
    """Return the key points of each pose by the path of its container and its camera."""
    found: dict[str, list[str]] = {}
    for path in paths:
        if container(file, path) in POSE or is_kind(file.series[path], "PoseEstimationSeries"):
            found.setdefault(parent(path), []).append(path)
        elif columns(file.series[path]) in {2, 3} and _is_point(file, path):
            found.setdefault(f"{parent(path)}/{_camera(path)}", []).append(path)
    return {
        holder: members
        for holder, members in found.items()
        if len(members) >= FEWEST_POINTS or container(file, members[0]) in POSE
    }


def _is_point(file: NwbFile, path: str) -> bool:
    """Return whether a series is the place of a part of the body in a picture or in space."""
    name = words(name_of(path))
    tracked = is_kind(file.series[path], "SpatialSeries") or "tracking" in name or "camera" in name
    return tracked and bool((known.BODY | known.EYES | {"head"}).intersection(name))


def _camera(path: str) -> str:
    """Return the words of a name that tell which camera saw a point, such as ``left camera``."""
    name = name_of(path)
    found = CAMERA.search(name)
    return found.group().lower() if found else ""


def _pose(file: NwbFile, holder: str, members: list[str]) -> Candidate:
    """Return the one label of a pose; a single tracked trunk in the picture is a position."""
    trunk = [path for path in members if known.TRUNK.intersection(words(name_of(path)))]
    of_a_face = {"face", "eye", "pupil", "tongue"}.intersection(
        word for path in members for word in words(name_of(path))
    )
    if trunk and not of_a_face:
        return Candidate(
            role=Role.PLACE,
            name="position",
            config=LabelConfig(source=trunk[0]),
            because=f"the trunk among {len(members)} key points",
            quantity="position",
            preference=(2, 0, 0, 0),
        )
    if len(members) == 1 and columns(file.series[members[0]]) in {2, 3}:
        return Candidate(
            role=Role.PLACE,
            name="position",
            config=LabelConfig(source=members[0]),
            because="the only tracked point",
            quantity="position",
            preference=(3, 0, 0, 0),
        )
    single = len(members) == 1
    return Candidate(
        role=Role.POSE,
        name=clean_name(f"pose_{name_of(holder).strip()}" if name_of(holder) else "pose"),
        config=LabelConfig(source=members[0]) if single else LabelConfig(source=members, derive="pose"),
        because=f"{len(members)} key points in {parent(members[0])}",
        quantity="pose",
    )


def pairs_of_points(candidates: list[Candidate], file: NwbFile) -> Iterator[tuple[Candidate, Candidate]]:
    """Yield the pairs of positions that stand alone in one container: two lights or ears of one head.

    Args:
        candidates: The candidates.
        file: The open file.
    """
    places = [
        c for c in candidates if c.role is Role.PLACE and len(c.paths) == 1 and columns(file.series[c.source]) == 2
    ]
    for _, group in groupby(sorted(places, key=lambda c: parent(c.source)), key=lambda c: parent(c.source)):
        held = list(group)
        if len(held) == 2:
            yield (held[0], held[1])
