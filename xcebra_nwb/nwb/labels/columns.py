"""Choose labels from interval tables for ``auto``.

It takes columns of one table. A column fits if it has a few classes, none of which is rare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.nwb.labels.from_intervals import interval_label
from xcebra_nwb.nwb.labels.label import FEW_CLASSES, Label, encoded
from xcebra_nwb.nwb.labels.table_columns import column_values, label_columns
from xcebra_nwb.nwb.reading.file import NwbFile
from xcebra_nwb.nwb.reading.intervals import INVALID, interval_tables, merged, read_intervals
from xcebra_nwb.nwb.reading.table import length

LEAST_SHARE = 0.1  # of the rows in every class
FEWEST_ROWS = 10
MOST_COLUMNS = 3


def automatic_columns(file: NwbFile, clean_name: Callable[[str, Iterable[str]], str]) -> tuple[list[Label], list[str]]:
    """Return labels from the columns of one interval table, and the reasons.

    Of the tables with a column that fits, the one whose rows cover the most time is taken.

    Args:
        file: The open file.
        clean_name: Makes a valid name from the name of a column and the names that are taken.

    Returns:
        The labels, and a line for every table and column that was taken or left out.
    """
    fit: dict[str, list[str]] = {}
    notes: list[str] = []
    too_short: list[str] = []
    for path, table in interval_tables(file).items():
        if (rows := length(table)) < FEWEST_ROWS:
            too_short.append(f"table not taken: {path}: {rows} row{'s' * (rows != 1)}")
        elif path != INVALID:
            fit[path], skipped = _fit_columns(file, path)
            notes += [f"column not taken: {path}#{column}: {reason}" for column, reason in skipped.items()]
    best = max((path for path in fit if fit[path]), key=lambda path: covered(file.groups[path]), default=None)
    if best is None:
        return [], notes + too_short
    labels: list[Label] = []
    for column in fit[best][:MOST_COLUMNS]:
        name = clean_name(column, [label.name for label in labels])
        labels.append(interval_label(file, name, LabelConfig(source=f"{best}#{column}", kind="discrete")))
    taken = [
        f"label {label.name}: {label.source}, discrete with classes {', '.join(label.classes)}" for label in labels
    ]
    seconds = covered(file.groups[best])
    why = f"no series of behaviour; of the interval tables that fit {best} covers the most time ({seconds:.0f} s)"
    of_the_table = [note for note in notes if note.startswith(f"column not taken: {best}#")]
    of_the_table += [
        f"column not taken: {best}#{column}: {MOST_COLUMNS} labels are there" for column in fit[best][MOST_COLUMNS:]
    ]
    others = [
        f"table not taken: {path}: {f'covers {covered(file.groups[path]):.0f} s' if fit[path] else 'no column fits'}"
        for path in fit
        if path != best
    ]
    return labels, [why, *taken, *of_the_table, *others, *too_short]


def covered(table: h5py.Group) -> float:
    """Return how much time the rows of an interval table cover, in s."""
    union = merged(read_intervals(table))
    return float(np.sum(union[:, 1] - union[:, 0]))


def _fit_columns(file: NwbFile, path: str) -> tuple[list[str], dict[str, str]]:
    """Return the columns that can be labels, and why the others cannot."""
    fit: list[str] = []
    skipped: dict[str, str] = {}
    seen: list[np.ndarray] = []
    for column in label_columns(file, path):
        codes, classes = encoded(column_values(file, file.groups[path], column))
        reason = _reason_against(codes, len(classes))
        if not reason and any(np.array_equal(codes, other) for other in seen):
            reason = "the same classes as another column"
        if reason:
            skipped[column] = reason
        else:
            fit.append(column)
            seen.append(codes)
    return fit, skipped


def _reason_against(codes: np.ndarray, classes: int) -> str:
    if not 2 <= classes <= FEW_CLASSES:
        return "a single value" if classes == 1 else f"{classes} different values"
    rarest = np.bincount(codes[codes >= 0]).min() / len(codes)
    return f"its rarest class has {rarest:.0%} of the rows" if rarest < LEAST_SHARE else ""
