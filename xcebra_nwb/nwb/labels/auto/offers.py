"""List what else a file offers as labels, the most likely first, without junk."""

from __future__ import annotations

from collections.abc import Iterator

from xcebra_nwb.core.config.labels import Derivation
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.nwb.labels.auto import words as known
from xcebra_nwb.nwb.labels.auto.candidate import Candidate, Role
from xcebra_nwb.nwb.labels.auto.choose import Choice
from xcebra_nwb.nwb.labels.auto.column_roles import column_role
from xcebra_nwb.nwb.labels.auto.measured import unit_quantity
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.auto.words import words
from xcebra_nwb.nwb.labels.from_events import holds_events, is_events
from xcebra_nwb.nwb.labels.table_columns import label_columns
from xcebra_nwb.nwb.reading.file import NwbFile, name_of
from xcebra_nwb.nwb.reading.intervals import INVALID, interval_tables
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, unit_of
from xcebra_nwb.nwb.reading.table import length

MOST_COLUMNS = 3  # of a series without a pose
COUNTERS = known.COUNTERS | {"id", "ids", "number", "timestamps", "timestamp", "frame", "frames", "clock"}


def offers(file: NwbFile, choice: Choice, neural: list[str]) -> list[Candidate]:
    """Return the labels that a user may ask for beside those of ``auto``, the most likely first.

    Voltages, frame numbers, times and bookkeeping are not offered, unless the file has nothing else.

    Args:
        file: The open file.
        choice: What ``auto`` took and left out.
        neural: Paths of the series that are used as neural activity.
    """
    listed: list[Candidate] = []
    taken = {(c.source, c.config.derive) for c in choice.candidates}
    every = [*choice.offered, *_derived(file, choice), *_series(file, neural), *_columns(file), *_courses(file)]
    if not every and not choice.labels:
        every = list(_series(file, neural, anything=True))
    for candidate in every:
        key = (candidate.source, candidate.config.derive)
        if key not in taken:
            taken.add(key)
            listed.append(candidate)
    return listed


def is_junk(file: NwbFile, path: str) -> bool:
    """Return whether a series holds no behaviour: a voltage, a count of frames, times or indices."""
    name = set(words(name_of(path)))
    behaviour = known.POSITION | known.VELOCITY | known.SPEED | known.DIRECTION | known.AROUSAL
    unit = unit_of(file.series[path]).strip().lower()
    counted = bool(COUNTERS & name) or unit in {"s", "sec", "seconds", "frame", "frames", "timestamp"}
    return unit_quantity(unit) == "volt" or counted or bool(known.JUNK & name and not behaviour & name)


def _derived(file: NwbFile, choice: Choice) -> Iterator[Candidate]:
    """Yield what can be computed from the positions: the speed and the direction of movement."""
    places = [c for c in [*choice.candidates, *choice.offered] if c.quantity == "position" and c.config.derive is None]
    for place in places:
        if isinstance(place.config.source, str):
            prefix = f"{place.subject}_" if place.subject else ""
            yield _offer(f"{prefix}speed", place.config.source, "speed")
            if columns(file.series[place.config.source]) == 2 and not place.subject:
                yield _offer("heading", place.config.source, "heading")


def _series(file: NwbFile, neural: list[str], anything: bool = False) -> Iterator[Candidate]:
    for path, group in file.series.items():
        if path in neural or is_kind(group, "RoiResponseSeries") or holds_events(file, path):
            continue
        if anything or (columns(group) <= MOST_COLUMNS and not is_junk(file, path)):
            yield _offer(name_of(path), path)


def _columns(file: NwbFile) -> Iterator[Candidate]:
    """Yield the columns that say something of the experiment, then the time within the rows of each table."""
    for path in interval_tables(file):
        if path != INVALID:
            roles = {column: column_role(column)[0] for column in label_columns(file, path)}
            for column in sorted((c for c, role in roles.items() if role is not None), key=lambda c: roles[c] or 0):
                yield _offer(column, f"{path}#{column}")


def _courses(file: NwbFile) -> Iterator[Candidate]:
    for path, table in interval_tables(file).items():
        if path != INVALID and length(table) > 1:
            yield _offer(f"time_in_{name_of(path)}", path, "time_within")
    for path, group in file.groups.items():
        if (path in file.series and holds_events(file, path)) or is_events(group):
            yield _offer(f"since_{name_of(path)}", path, "time_from")


def _offer(name: str, source: str, derive: Derivation | None = None) -> Candidate:
    return Candidate(
        role=Role.UNKNOWN, name=clean_name(name), config=LabelConfig(source=source, derive=derive), because="on request"
    )
