"""Find the columns of tables that ``auto`` may take, and the tables of stimuli that belong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.nwb.labels.angles import named_angle
from xcebra_nwb.nwb.labels.auto.candidate import Candidate, Role
from xcebra_nwb.nwb.labels.auto.column_roles import column_role
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.auto.words import words
from xcebra_nwb.nwb.labels.label import encoded
from xcebra_nwb.nwb.labels.table_columns import column_values, label_columns
from xcebra_nwb.nwb.reading.file import NwbFile, name_of
from xcebra_nwb.nwb.reading.intervals import INVALID, covered, interval_tables, read_intervals
from xcebra_nwb.nwb.reading.table import length

FEWEST_ROWS = 10
MOST_CLASSES = 20  # of a label that auto takes
FEWEST_OF_CLASS = 3  # rows, on average
RARE = 0.2  # of an equal share of the rows
MOST_RARE = 0.1  # of the rows may lie in rare classes
LEAST_OTHERS = 0.05  # of the rows have another choice or outcome than the commonest
NEAR, MOST_TIMES = 1.0, 0.8  # s around a row, and the share of times in their rows, by which a column holds times
MOST_MISSING = 0.3  # of the rows; a column with more gaps comes after the others
STIMULI = {"presentations", "presentation", "stimuli", "stimulus", "stim", "gratings", "images", "movies"}
EPOCHS = {"epochs", "epoch", "blocks", "tasks", "states", "sleep", "spontaneous"}


def column_candidates(file: NwbFile) -> tuple[list[Candidate], dict[str, str]]:
    """Return the labels that tables offer, and why the other columns offer none.

    They come from one table of trials and from all tables of presentations of stimuli.

    Args:
        file: The open file.

    Returns:
        The candidates, and a reason by ``path#column``, or by path for a whole table.
    """
    reasons: dict[str, str] = {}
    tables = [path for path in interval_tables(file) if path != INVALID]
    for path in tables:
        if (rows := length(file.groups[path])) < FEWEST_ROWS:
            reasons[path] = f"{rows} row{'s' * (rows != 1)}"
    tables = [path for path in tables if path not in reasons]
    shown = _presentations([path for path in interval_tables(file) if path != INVALID])
    alone = [path for path in tables if path not in shown]
    found = [c for path in alone for c in _of_table(file, path, reasons)]
    best = _best_table(file, found, alone)
    for path in alone:
        if path != best and any(c.source.startswith(f"{path}#") for c in found):
            reasons[path] = f"{best} has what the experiment is about"
    stimuli = _of_stimuli(file, shown, reasons)
    trials = [c for c in found if c.source.startswith(f"{best}#")]
    if any(c.role is Role.STIMULUS for c in stimuli):
        reasons |= {c.source: "the tables of stimuli say it better" for c in trials if c.role is Role.STIMULUS}
        trials = [c for c in trials if c.role is not Role.STIMULUS]
    return trials + stimuli, reasons


def _best_table(file: NwbFile, found: list[Candidate], tables: list[str]) -> str:
    """Return the table whose columns say most of the experiment, and that covers most time."""

    def rank(path: str) -> tuple[int, float]:
        roles = [c.role for c in found if c.source.startswith(f"{path}#")]
        telling = {Role.CHOICE, Role.STIMULUS, Role.OUTCOME}.intersection(roles)
        return (2 if telling else 1 if set(roles) - {Role.UNKNOWN} else 0), covered(file.groups[path])

    return max((path for path in tables if any(c.source.startswith(f"{path}#") for c in found)), key=rank, default="")


def _presentations(tables: list[str]) -> list[str]:
    """Return the tables of stimuli that belong together: those of one ending, such as ``_presentations``."""
    endings: dict[str, list[str]] = {}
    for path in tables:
        parts = words(name_of(path))
        if len(parts) > 1 and parts[-1] in STIMULI:
            endings.setdefault(parts[-1], []).append(path)
    return max(endings.values(), key=len, default=[])


def _of_stimuli(file: NwbFile, tables: list[str], reasons: dict[str, str]) -> list[Candidate]:
    """Return which stimulus is shown, and the columns of the tables, joined where several have them."""
    if len(tables) < 2:
        return [c for path in tables if path not in reasons for c in _of_table(file, path, reasons)]
    which = Candidate(
        role=Role.STIMULUS,
        name="stimulus",
        config=LabelConfig(source=_pattern(tables), kind="discrete"),
        because=f"which of {len(tables)} tables of stimuli a time lies in",
        preference=(0.0, 0.0, 0.5),
    )
    by_column: dict[str, list[tuple[str, Candidate]]] = {}
    for path in tables:
        if path not in reasons:
            for candidate in _of_table(file, path, reasons):
                by_column.setdefault(candidate.source.split("#")[1], []).append((path, candidate))
    joined = [_joined(file, tables, column, held) for column, held in by_column.items()]
    return [which, *joined]


def _joined(file: NwbFile, tables: list[str], column: str, held: list[tuple[str, Candidate]]) -> Candidate:
    """Return the candidate of a column over all tables that have it."""
    having = [path for path in tables if column in label_columns(file, path)]
    first = held[0][1]
    if len(having) == 1:
        return first
    pattern = _pattern(tables)
    source = f"{pattern}#{column}" if isinstance(pattern, str) else [f"{path}#{column}" for path in having]
    config = LabelConfig(source=source, kind=_union_kind(file, having, column))
    return Candidate(
        role=first.role, name=first.name, config=config, because=first.because, preference=first.preference
    )


def _union_kind(file: NwbFile, tables: list[str], column: str) -> Kind:
    kinds = {_kind(column_values(file, file.groups[path], column), column) for path in tables}
    return "circular" if "circular" in kinds else "continuous" if "continuous" in kinds else "discrete"


def _pattern(tables: list[str]) -> str | list[str]:
    """Return the tables as one path with ``*`` if nothing else matches it, else as a list."""
    ends = {name_of(path).rsplit("_", 1)[-1] for path in tables}
    holders = {path.rsplit("/", 1)[0] for path in tables}
    if len(ends) == 1 and len(holders) == 1 and all("_" in name_of(path) for path in tables):
        return f"{holders.pop()}/*_{ends.pop()}"
    return tables


def _of_table(file: NwbFile, path: str, reasons: dict[str, str]) -> list[Candidate]:
    """Return the candidates of the columns of one table; reasons against the others go to ``reasons``."""
    texts: set[str] = set()
    by_partition: dict[bytes, list[Candidate]] = {}
    epochs = bool(EPOCHS.intersection(words(name_of(path))))
    columns = label_columns(file, path)
    roles = {column: column_role(column) for column in columns}
    for column in columns:
        source, (role, preference) = f"{path}#{column}", roles[column]
        if role is None:
            reasons[source] = "bookkeeping"
            continue
        try:
            values = column_values(file, file.groups[path], column)
        except XcebraError as error:
            reasons[source] = error.message
            continue
        kind, codes, reason = _judged(values, column, role)
        if not reason and kind != "discrete" and _within_rows(values, read_intervals(file.groups[path])):
            reason = "times of events"
        missing = float(np.mean(codes < 0) > MOST_MISSING) if len(codes) else 1.0
        if reason:
            reasons[source] = reason
            continue
        candidate = Candidate(
            role=Role.CONDITION if epochs and role is Role.UNKNOWN else role,
            name=clean_name(column),
            config=LabelConfig(source=source, kind=kind),
            because=f"{role.words} in {name_of(path)}",
            preference=(missing, *preference),
        )
        by_partition.setdefault(codes.tobytes(), []).append(candidate)
        texts |= {source} if values.dtype.kind in "OSU" else set()
    return [_named(alike, texts, reasons) for alike in by_partition.values()]


def _named(alike: list[Candidate], texts: set[str], reasons: dict[str, str]) -> Candidate:
    """Return the best of columns that divide the rows alike: names before codes, then by role."""
    best = min(alike, key=lambda c: (c.source not in texts, c.role, c.preference))
    column = best.source.split("#")[1]
    reasons |= {c.source: f"the same classes as {column}" for c in alike if c is not best}
    return replace(best, role=min(c.role for c in alike))


def _judged(values: np.ndarray, column: str, role: Role) -> tuple[Kind, np.ndarray, str]:
    """Return the kind that a column would have, its classes by first appearance, and what speaks against it."""
    kind = _kind(values, column)
    codes, classes = encoded(values)
    partition = _by_appearance(codes)
    if len(classes) < 2:
        return kind, partition, "a single value" if classes else "no value"
    if kind != "discrete":
        measured = role is Role.STIMULUS and not _numbered(values, len(classes))
        return kind, partition, "" if measured else f"{len(classes)} different values"
    if len(classes) > MOST_CLASSES or len(codes) < FEWEST_OF_CLASS * len(classes):
        return kind, partition, f"{len(classes)} different values"
    counts = np.bincount(codes[codes >= 0])
    if role in {Role.CHOICE, Role.OUTCOME}:  # animals fail rarely, and are asked for nevertheless
        too_rare = counts.sum() - counts.max() < max(LEAST_OTHERS * counts.sum(), FEWEST_OF_CLASS)
    else:
        rare = counts[counts < RARE * counts.sum() / len(counts)]
        too_rare = rare.sum() > MOST_RARE * counts.sum() or len(counts) - len(rare) < 2
    if too_rare:
        return kind, partition, f"its rarest class has {counts.min() / len(codes):.0%} of the rows"
    return kind, partition, ""


def _kind(values: np.ndarray, column: str) -> Kind:
    """Return the kind of a column: few values are classes, many values of an angle are a direction."""
    if values.dtype.kind not in "iuf":
        return "discrete"
    finite = values[np.isfinite(values.astype(np.float64))]
    if len(np.unique(finite)) <= MOST_CLASSES:
        return "discrete"
    return "circular" if named_angle(column) or {"direction", "dir"}.intersection(words(column)) else "continuous"


def _numbered(values: np.ndarray, different: int) -> bool:
    """Return whether many whole numbers only number things: they leave few gaps between the lowest and the highest."""
    known = values[np.isfinite(values)]
    return bool(np.all(known == np.round(known)) and np.ptp(known) < 2 * different)


def _within_rows(values: np.ndarray, rows: np.ndarray) -> bool:
    """Return whether the numbers of a column are times: most lie within their own row, or near it."""
    known = np.isfinite(values) & np.isfinite(rows).all(axis=1)
    if not known.any():
        return False
    inside = (values >= rows[:, 0] - NEAR) & (values <= rows[:, 1] + NEAR)
    return bool(inside[known].mean() > MOST_TIMES and rows[known, 1].max() > NEAR + np.ptp(rows[known][0]))


def _by_appearance(codes: np.ndarray) -> np.ndarray:
    """Return class codes renumbered in the order of their first appearance; -1 stays.

    >>> _by_appearance(np.array([2, 0, 2, -1])).tolist()
    [0, 1, 0, -1]
    """
    unique, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first[unique >= 0]))
    ranks = np.full(len(unique), -1, dtype=np.int64)
    ranks[unique >= 0] = order
    return ranks[inverse]
