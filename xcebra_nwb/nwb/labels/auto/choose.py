"""Choose the labels of ``auto``: those that analyses ask for first, as long as they share time and differ.

A candidate is left out if it copies or is predicted by a label that ranks higher, or if its gaps would mask the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.nwb.bins.grid import Range
from xcebra_nwb.nwb.labels.auto.candidate import MOST_OF, OF_MOVEMENT, OF_TABLES, Candidate, Role
from xcebra_nwb.nwb.labels.auto.column_candidates import column_candidates
from xcebra_nwb.nwb.labels.auto.course import Course, common_grid, course, predictability, trusted_range
from xcebra_nwb.nwb.labels.auto.measured import of_one_head
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.auto.series_candidates import pairs_of_points, series_candidates
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import NwbFile

MOST_LABELS = 5
LEAST_COVERAGE = 0.5  # of the time from the first to the last sample; a series with less may mask the others
LEAST_SHARED = 0.5  # of the time of the labels taken so far, for a series
LEAST_IN_ROWS = 0.2  # the same for the rows of a table, which trials and stimuli fill only in part
LEAST_OF_ROWS = 0.7  # the same for another column of a table of which one is taken
LEAST_LENGTH = 0.2  # of the longest series
COPY = 0.9  # R² in both directions
PREDICTED = 0.8
PREDICTED_MOVEMENT = 0.95  # position, direction and speed are asked for together although they are related


@dataclass
class Choice:
    """The labels of ``auto``, and what was left out.

    Attributes:
        labels: The labels, read, with the names under which they are taken.
        candidates: Their candidates, in the same order.
        offered: Candidates that can be asked for, the most likely first.
        notes: A line for every label that was taken or left out.
        refused: Why candidates could not be read.
        reasons: Why other series and columns are no candidates, by path.
    """

    labels: list[Label] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    offered: list[Candidate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: list[XcebraError] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Read:
    candidate: Candidate
    label: Label
    course: Course
    coverage: float


def choose(file: NwbFile, neural: Collection[str], stretch: Range | None = None) -> Choice:
    """Return the labels that ``auto`` takes.

    Args:
        file: The open file.
        neural: Paths of the series that are used as neural activity.
        stretch: Start and stop of the neural data in s; None if it is unknown.
    """
    choice = Choice()
    from_series, reasons = series_candidates(file, neural)
    from_tables, others = column_candidates(file)
    choice.reasons = reasons | others
    candidates = [*from_series, *_directions_of_pairs(file, from_series), *from_tables]
    read = _with_courses(file, candidates, choice, stretch)
    taken: list[_Read] = []
    for entry in sorted(read, key=_order):
        reason = _reason_against(entry, taken, read)
        if reason:
            choice.notes.append(f"label not taken: {entry.candidate.source}: {reason}")
            choice.offered.append(entry.candidate)
        else:
            taken.append(entry)
    for entry in sorted(taken, key=lambda one: one.candidate.role):
        _take(entry, choice)
    return choice


def _take(entry: _Read, choice: Choice) -> None:
    name = clean_name(entry.candidate.name, [label.name for label in choice.labels])
    label = replace(entry.label, name=name, notes=tuple(_renamed(note, entry, name) for note in entry.label.notes))
    choice.labels.append(label)
    choice.candidates.append(replace(entry.candidate, name=name))
    classes = f" with classes {', '.join(label.classes)}" if label.classes else ""
    choice.notes.append(f"label {name}: {label.source}, {label.kind}{classes}: {entry.candidate.because}")


def _renamed(note: str, entry: _Read, name: str) -> str:
    """Return a note of a label under the name that it is taken by."""
    first = entry.label.name
    return note.replace(f"label {first}:", f"label {name}:", 1).replace(f"labels.{first}.", f"labels.{name}.")


def _directions_of_pairs(file: NwbFile, candidates: list[Candidate]) -> list[Candidate]:
    """Return a direction for two tracked points of one head, if the file has no other direction."""
    if any(candidate.role is Role.DIRECTION for candidate in candidates):
        return []
    return [
        Candidate(
            role=Role.DIRECTION,
            name="head_direction",
            config=LabelConfig(source=[first.source, second.source], derive="direction"),
            because="from two tracked points",
            quantity="direction of two points",
            preference=first.preference,
        )
        for first, second in pairs_of_points(candidates, file)
    ]


def _with_courses(file: NwbFile, candidates: list[Candidate], choice: Choice, stretch: Range | None) -> list[_Read]:
    labels: list[tuple[Candidate, Label]] = []
    for candidate in candidates:
        try:
            labels.append((candidate, configured_label(file, candidate.name, candidate.config)))
        except XcebraError as problem:
            choice.notes.append(f"label not taken: {problem.message}")
            choice.refused.append(problem)
    if not labels:
        return []
    grid = common_grid([label for _, label in labels], stretch)
    read = []
    for candidate, label in labels:
        try:
            values = course(label, grid)
        except XcebraError as problem:
            choice.notes.append(f"label not taken: {problem.message}")
            choice.refused.append(problem)
            continue
        start, stop = trusted_range(label)
        within = (grid.centres >= start) & (grid.centres <= stop)
        read.append(_Read(candidate, label, values, float(values.present[within].mean()) if within.any() else 0.0))
    return _plausible_pairs(read)


def _plausible_pairs(read: list[_Read]) -> list[_Read]:
    """Return the labels without directions of two points that are not points of one head."""
    places = {entry.candidate.source: entry for entry in read if entry.candidate.role is Role.PLACE}
    return [
        entry
        for entry in read
        if entry.candidate.quantity != "direction of two points"
        or _of_one_head([places[path] for path in entry.candidate.paths if path in places])
    ]


def _of_one_head(points: list[_Read]) -> bool:
    if len(points) != 2:
        return False
    first, second = points[0].course, points[1].course
    shared = first.present & second.present
    if not shared.any():
        return False
    return of_one_head(first.values[shared], second.values[shared])


def _order(entry: _Read) -> tuple[float, ...]:
    """Return the place of a candidate in the order of choice: by role, then the better copy first.

    A series with many gaps comes after all others, so that it is taken only where it does not mask them.
    """
    candidate = entry.candidate
    if candidate.role in OF_TABLES:
        return (0, candidate.role, *candidate.preference)
    quantity, *rest = candidate.preference or (0.0,)
    return (entry.coverage < LEAST_COVERAGE, candidate.role, quantity, -round(2 * entry.coverage), *rest)


def _reason_against(entry: _Read, taken: list[_Read], read: list[_Read]) -> str:
    candidate = entry.candidate
    of_table = candidate.role in OF_TABLES
    if not entry.course.present.any():
        return "it has no value while there are neural data"
    longest = max(other.course.seconds for other in read)
    if not of_table and entry.course.seconds < LEAST_LENGTH * longest:
        return f"covers {entry.course.seconds:.0f} s, another label {longest:.0f} s"
    if candidate.role is Role.POSTURE and entry.label.kind == "discrete":
        return f"two values or few, as of events; {_ask(candidate)}"
    if reason := _as_another(entry, taken):
        return reason
    if reason := _crowded(candidate, taken):
        return f"{reason}; {_ask(candidate)}"
    if taken:
        used = np.logical_and.reduce([other.course.present for other in taken])
        share = float((used & entry.course.present).sum() / max(used.sum(), 1))
        tables = {table for other in taken if other.candidate.role in OF_TABLES for table in _tables(other.candidate)}
        same_rows = of_table and not tables.isdisjoint(_tables(candidate))
        if share < (LEAST_OF_ROWS if same_rows else LEAST_IN_ROWS if of_table else LEAST_SHARED):
            names = ", ".join(other.candidate.source for other in taken)
            return f"has a value in {share:.0%} of the time of {names}, and would mask the rest; {_ask(candidate)}"
    return ""


def _as_another(entry: _Read, taken: list[_Read]) -> str:
    """Return why a label says the same as one that is taken, with the measured agreement."""
    for other in taken:
        forth, back = predictability(entry.course, other.course), predictability(other.course, entry.course)
        if forth >= COPY and back >= COPY:
            return f"a near copy of {other.candidate.source} (R² {min(forth, back):.3g})"
        both = {entry.candidate.role, other.candidate.role} <= OF_MOVEMENT
        if forth >= (PREDICTED_MOVEMENT if both else PREDICTED):
            return f"{other.candidate.source} predicts it ({forth:.0%}); {_ask(entry.candidate)}"
    return ""


def _crowded(candidate: Candidate, taken: list[_Read]) -> str:
    """Return why the labels that are taken leave no room for another one, "" if they do."""
    roles = [other.candidate.role for other in taken]
    if len(taken) >= MOST_LABELS:
        return f"there are {MOST_LABELS} labels already"
    if roles.count(candidate.role) >= MOST_OF[candidate.role]:
        return f"there is {candidate.role.words} already"
    moving = [other for other in taken if other.candidate.role is candidate.role and candidate.role in OF_MOVEMENT]
    if moving and candidate.quantity in {"acceleration", "derived velocity", "angle"}:
        return f"{moving[0].candidate.source} comes first"
    series = [role for role in roles if role not in OF_TABLES]
    if candidate.role is Role.AROUSAL and taken:
        return "what the experiment is about comes first"
    if candidate.role is Role.POSE and series:
        return "other behaviour comes first"
    if candidate.role is Role.POSTURE and not candidate.subject and OF_MOVEMENT.intersection(roles):
        return "the movement comes first"
    if candidate.role is Role.UNKNOWN and set(roles) & (OF_TABLES - {Role.UNKNOWN}):
        return "other columns say more of the experiment"
    return ""


def _tables(candidate: Candidate) -> set[str]:
    return {path.split("#")[0] for path in candidate.paths}


def _ask(candidate: Candidate) -> str:
    return f"labels: {{{candidate.asked_for}}} asks for it"
