"""Choose the labels of ``auto``: those that analyses ask for first, as long as they share time and differ.

A candidate is left out if it copies or is predicted by a label that ranks higher, or if its gaps would mask the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.nwb.bins.grid import Range
from xcebra_nwb.nwb.labels.auto.candidate import MOST_OF, OF_MOVEMENT, OF_TABLES, Candidate, Role
from xcebra_nwb.nwb.labels.auto.column_candidates import column_candidates
from xcebra_nwb.nwb.labels.auto.course import Course, course, grid_over, predictability, trusted_range
from xcebra_nwb.nwb.labels.auto.measured import of_one_head
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.auto.series_candidates import pairs_of_points, series_candidates
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import NwbFile

MOST_LABELS = 5
MOST_OF_A_ROLE = 40  # candidates of one role that are read; a file may hold any number
LEAST_COVERAGE = 0.5  # of the time from the first to the last sample; a series with less may mask the others
LEAST_SHARED = 0.5  # of the time of the labels taken so far, for a series
LEAST_IN_ROWS = 0.2  # the same for the rows of a table, which trials and stimuli fill only in part
LEAST_OF_ROWS = 0.7  # the same for another column of a table of which one is taken
LEAST_LENGTH = 0.2  # of the longest series
TWO_POINTS = "direction of two points"
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

    def leave(self, candidate: Candidate, reason: str) -> None:
        """Leave a candidate out, and offer it."""
        self.notes.append(f"label not taken: {candidate.source}: {reason}")
        self.offered.append(candidate)


@dataclass(frozen=True)
class _Read:
    candidate: Candidate
    label: Label
    course: Course
    coverage: float

    @property
    def with_gaps(self) -> bool:
        """Whether a series has so many gaps that it may mask others; it then comes after all others."""
        return self.candidate.role not in OF_TABLES and self.coverage < LEAST_COVERAGE


def choose(file: NwbFile, neural: Collection[str], stretch: Range | None = None) -> Choice:
    """Return the labels that ``auto`` takes.

    Args:
        file: The open file.
        neural: Paths of the series that are used as neural activity.
        stretch: Start and stop of the neural data in s, beyond which nothing counts; None if it is unknown. If no label
            reaches into it, the labels are chosen as if it were unknown.
    """
    from_series, reasons = series_candidates(file, neural)
    from_tables, others = column_candidates(file)
    candidates = [*from_series, *_directions_of_pairs(file, from_series), *from_tables]
    choice = _chosen(file, candidates, stretch)
    if not choice.labels and stretch is not None:
        anywhere = _chosen(file, candidates, None)
        choice = anywhere if anywhere.labels else choice
    choice.reasons = reasons | others
    return choice


def _chosen(file: NwbFile, candidates: list[Candidate], stretch: Range | None) -> Choice:
    """Return the labels that are taken, role by role; what has no room is not read."""
    choice, courses = Choice(), _Courses(file, candidates, stretch)
    taken: list[_Read] = []
    waiting: list[_Read] = []
    ordered = sorted(candidates, key=lambda c: (c.role, *c.preference))
    for _, group in groupby(ordered, key=lambda c: c.role):
        read: list[_Read] = []
        for number, candidate in enumerate(group):
            if number >= MOST_OF_A_ROLE:
                choice.leave(candidate, f"one of more than {MOST_OF_A_ROLE} alike; {_ask(candidate)}")
            elif reason := _crowded(candidate, taken):
                choice.leave(candidate, f"{reason}; {_ask(candidate)}")
            elif (entry := courses.read(candidate, choice)) is not None:
                read.append(entry)
        late = [entry for entry in read if entry.with_gaps]
        waiting += late
        _judge([entry for entry in read if not entry.with_gaps], taken, courses, choice)
    _judge(waiting, taken, courses, choice)
    for entry in sorted(taken, key=lambda one: one.candidate.role):
        _take(entry, choice)
    return choice


def _judge(read: list[_Read], taken: list[_Read], courses: _Courses, choice: Choice) -> None:
    """Take the labels that nothing speaks against, the better ones first."""
    for entry in sorted(read, key=_order):
        if reason := _reason_against(entry, taken, courses.longest):
            choice.leave(entry.candidate, reason)
        else:
            taken.append(entry)


class _Courses:
    """Reads labels and their courses on one grid of bins.

    Args:
        file: The open file.
        candidates: All candidates, over which the grid reaches if ``stretch`` is None.
        stretch: Start and stop of the grid in s.
    """

    def __init__(self, file: NwbFile, candidates: list[Candidate], stretch: Range | None) -> None:
        self._file = file
        self._places: dict[str, _Read] = {}
        self.longest = 0.0
        self._grid = grid_over([stretch] if stretch is not None else self._ranges(candidates))

    def _ranges(self, candidates: list[Candidate]) -> list[Range]:
        ranges = []
        for candidate in sorted(candidates, key=lambda c: (c.role, *c.preference))[:MOST_OF_A_ROLE]:
            with suppress(XcebraError):  # said when the candidate's turn comes
                ranges.append(trusted_range(configured_label(self._file, candidate.name, candidate.config)))
        return ranges or [(0.0, 1.0)]

    def read(self, candidate: Candidate, choice: Choice) -> _Read | None:
        """Return a candidate with its course, None if it cannot be a label; the reason goes to ``choice``."""
        if candidate.quantity == TWO_POINTS and not self._of_one_head(candidate):
            return None
        try:
            label = configured_label(self._file, candidate.name, candidate.config)
            values = course(label, self._grid)
        except XcebraError as problem:
            choice.notes.append(f"label not taken: {problem.message}")
            choice.refused.append(problem)
            return None
        start, stop = trusted_range(label)
        within = (self._grid.centres >= start) & (self._grid.centres <= stop)
        entry = _Read(candidate, label, values, float(values.present[within].mean()) if within.any() else 0.0)
        self.longest = max(self.longest, values.seconds)
        if candidate.role is Role.PLACE:
            self._places[candidate.source] = entry
        return entry

    def _of_one_head(self, candidate: Candidate) -> bool:
        """Return whether two points that are already read stay close together."""
        points = [self._places[path].course for path in candidate.paths if path in self._places]
        if len(points) != len(candidate.paths):
            return False
        shared = points[0].present & points[1].present
        return bool(shared.any()) and of_one_head(points[0].values[shared], points[1].values[shared])


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
            quantity=TWO_POINTS,
            preference=first.preference,
        )
        for first, second in pairs_of_points(candidates, file)
    ]


def _order(entry: _Read) -> tuple[float, ...]:
    """Return the place of a candidate in the order of choice: by role, then the better copy first."""
    candidate = entry.candidate
    if candidate.role in OF_TABLES:
        return (candidate.role, *candidate.preference)
    quantity, *rest = candidate.preference or (0.0,)
    return (candidate.role, quantity, -round(2 * entry.coverage), *rest)


def _reason_against(entry: _Read, taken: list[_Read], longest: float) -> str:
    candidate = entry.candidate
    of_table = candidate.role in OF_TABLES
    if not entry.course.present.any():
        return "it has no value while there are neural data"
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
    alike = [c.candidate for c in taken if c.candidate.role is candidate.role is Role.POSTURE]
    if any((c.subject, c.quantity) == (candidate.subject, candidate.quantity) for c in alike if c.subject):
        return f"there is one of the {candidate.subject} already"
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
