"""Choose the labels that the config names, or those that ``auto`` picks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import numpy as np

from xcebra_nwb.core.config.labels import Auto
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels.columns import automatic_columns
from xcebra_nwb.nwb.labels.configured import RESERVED, configured_label, known_sources
from xcebra_nwb.nwb.labels.from_events import holds_events
from xcebra_nwb.nwb.labels.from_series import is_angle, series_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.sampled_label import SeriesLabel
from xcebra_nwb.nwb.labels.skipped import EYES, MOST_AXES, skipped_notes
from xcebra_nwb.nwb.reading.file import NwbFile, name_of, neurodata_type, parent
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.series import columns, container, module
from xcebra_nwb.nwb.reading.table import length
from xcebra_nwb.nwb.reading.times import lasting

MOVEMENT = re.compile(
    r"velocity|speed|head(ing|.?direction)|^pos(ition)?$|(linear(ized)?|virtual|track|maze|animal|mouse|rat)[ _]?pos",
    re.IGNORECASE,
)
MOST_LABELS = 6
LEAST_OVERLAP = 0.5  # of the longest label's time: labels of different mazes never go together


def choose_labels(
    file: NwbFile, labels: Auto | dict[str, LabelConfig], neural: Collection[str] = ()
) -> tuple[list[Label], list[str]]:
    """Return the labels, read and cleaned, and the reasons for the choice.

    Args:
        file: The open file.
        labels: ``labels`` of the config.
        neural: Paths of the series that are used as neural activity.

    Returns:
        The labels, and a line for every label that ``auto`` took or left out.

    Raises:
        UsageError: A configured source is not in the file, or does not fit its kind.
        Refusal: A label is empty or constant, or ``auto`` finds no behaviour.
    """
    if labels != "auto":
        return [configured_label(file, name, label) for name, label in labels.items()], []
    picked, notes = _automatic_series(file, neural)
    if not picked:
        picked, table_notes = automatic_columns(file, clean_name)
        notes += table_notes
    if not picked:
        raise _nothing_found(file, notes)
    spoken_of = [
        path for path in [*file.series, *interval_tables(file)] if any(_mentions(note, path) for note in notes)
    ]
    return picked, notes + skipped_notes(file, [*neural, *spoken_of])


def _mentions(note: str, path: str) -> bool:
    return note.endswith(path) or any(f"{path}{after}" in note for after in ":#, ")


def label_role(file: NwbFile, path: str) -> str:
    """Return the role in which ``auto`` takes a series, "" if it skips it.

    Args:
        file: The open file.
        path: Path of the series.

    Returns:
        ``position``, ``head_direction``, ``direction``, ``velocity`` or ``speed``.
    """
    group, name = file.series[path], name_of(path)
    if container(file, path) in EYES or columns(group) > MOST_AXES or group["data"].dtype.kind not in "iuf":
        return ""
    if holds_events(file, path):
        return ""
    holder = container(file, path)
    if neurodata_type(group) == "SpatialSeries":
        if holder == "CompassDirection":
            return "head_direction"
        return (_moving(name) or "direction") if columns(group) == 1 and is_angle(file, path) else "position"
    at_the_top = parent(path) in {"/acquisition", f"/processing/{module(path)}"}
    placed = holder == "BehavioralTimeSeries" or at_the_top
    return _moving(name) if placed and module(path) not in {"ecephys", "ophys"} else ""


def _moving(name: str) -> str:
    match = MOVEMENT.search(name)
    word = match.group(0).lower() if match else ""
    return "head_direction" if word.startswith("head") else "position" if "pos" in word else word


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
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name[:MOST_LABEL]).strip("_") or "label"
    cleaned = cleaned if cleaned[0].isalpha() else f"label_{cleaned}"
    taken = set(taken) | RESERVED
    unique, number = cleaned, 2
    while unique in taken:
        unique, number = f"{cleaned}_{number}", number + 1
    return unique


def _automatic_series(file: NwbFile, neural: Collection[str]) -> tuple[list[Label], list[str]]:
    roles = {path: role for path in file.series if path not in neural and (role := label_role(file, path))}
    order = ["position", "head_direction", "direction", "velocity", "speed"]
    paths = sorted(roles, key=lambda path: (order.index(roles[path]), path))
    names = _names(paths, roles)
    readable, notes = [], []
    for path in paths:
        try:
            readable.append(series_label(file, names[path], LabelConfig(source=path)))
        except (Refusal, UsageError) as problem:
            notes.append(f"label not taken: {problem.message}")
    picked: list[SeriesLabel] = []
    longest = max((_length(label) for label in readable), default=0.0)
    for label in readable:
        reason = _reason_against(label, picked, longest)
        if reason:
            notes.append(f"label not taken: {label.source}: {reason}")
        else:
            picked.append(label)
            notes.append(f"label {label.name}: {label.source}, {label.kind}: {_because(file, label.source)}")
    return list(picked), notes


def _names(paths: list[str], roles: dict[str, str]) -> dict[str, str]:
    """Return a name per path: its role if no other has it, else the series' name."""
    names: dict[str, str] = {}
    for path in paths:
        unique = list(roles.values()).count(roles[path]) == 1
        series_name = name_of(path)
        repeated = sum(name_of(other) == series_name for other in paths) > 1
        wanted = roles[path] if unique else f"{name_of(parent(path))}_{series_name}" if repeated else series_name
        names[path] = clean_name(wanted, names.values())
    return names


def _length(label: SeriesLabel) -> float:
    return lasting(label.times)


def _reason_against(label: SeriesLabel, picked: list[SeriesLabel], longest: float) -> str:
    if len(picked) >= MOST_LABELS:
        return f"there are {MOST_LABELS} labels already"
    for other in picked:
        if _same(label, other):
            return f"the same values as {other.source}"
    if _length(label) < LEAST_OVERLAP * longest:
        return f"covers {_length(label):.0f} s, another label {longest:.0f} s"
    for other in picked:
        shared = min(label.range[1], other.range[1]) - max(label.range[0], other.range[0])
        if shared < LEAST_OVERLAP * longest:
            return f"shares little time with {other.source}"
    return ""


def _same(first: SeriesLabel, second: SeriesLabel) -> bool:
    same_times = np.array_equal(first.samples.times, second.samples.times)
    return same_times and np.array_equal(first.samples.values, second.samples.values)


def _because(file: NwbFile, path: str) -> str:
    kind = neurodata_type(file.groups[path])
    holder = container(file, path)
    where = f"in a {holder}" if holder not in {"", "ProcessingModule"} else f"in {parent(path)}"
    return f"a {kind} {where}" if kind == "SpatialSeries" else f"a {kind} called {name_of(path)} {where}"


def _nothing_found(file: NwbFile, notes: list[str]) -> Refusal:
    rows = {name_of(path): length(table) for path, table in interval_tables(file).items()}
    tables = ", ".join(f"{name} ({count} row{'s' * (count != 1)})" for name, count in rows.items())
    tried = "; ".join(note.split(" not taken: ", 1)[1] for note in notes if not note.startswith("table"))
    others = known_sources(file)
    if tried:
        return Refusal(
            Code.NO_LABEL,
            f"{file.path.name}: no behaviour that can be used: {tried[:400]}; intervals: {tables or 'none'}",
            "name another series in labels: {name: {source: path}}; `xcebra-nwb inspect` lists them",
        )
    return Refusal(
        Code.NO_LABEL,
        f"{file.path.name}: no behaviour found: no SpatialSeries, CompassDirection, speed or velocity; "
        f"intervals: {tables or 'none'}",
        "add labels: {name: {source: " + others[0] + "}}, if that is behaviour; `xcebra-nwb inspect` lists all there is"
        if others
        else "the file holds nothing that a label could be made of: take one that also has behaviour",
    )
