"""Read the table of a neural source: one row per unit, with its columns, name and region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.nwb.neural.electrodes import group_columns
from xcebra_nwb.nwb.neural.regions import unit_regions
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of
from xcebra_nwb.nwb.reading.table import column_names, length, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import values

WIDEST = 4  # values per row of a column that queries can name
SORTED = {"good", "mua", "noise", "unsorted", "bad"}  # a group of spike sorting, not of electrodes
TIMES = {"spike_times", "obs_intervals"}


def table_columns(table: h5py.Group, wanted: Callable[[str], bool] = lambda name: True) -> pd.DataFrame:
    """Return the columns of a table that a query can name.

    They are the columns of one value per row, and those of two to four numbers. Of ``iscell`` (row, 2) the first
    values are called ``iscell`` and the second ``iscell_1``.

    Args:
        table: A table of units or regions of interest.
        wanted: Whether a column is needed, by its name.
    """
    scalar = {name: read_column(table, name) for name in scalar_columns(table) if wanted(name)}
    wide: dict[str, np.ndarray] = {}
    for name in column_names(table):
        data = dataset(table, name)
        if data is not None and name not in {*scalar, *TIMES} and wanted(name) and _is_wide(table, data):
            stored = values(data)
            wide |= {f"{name}_{column}" if column else name: stored[:, column] for column in range(stored.shape[1])}
    return pd.DataFrame(wide | scalar, index=range(length(table)))


def _is_wide(table: h5py.Group, data: h5py.Dataset) -> bool:
    """Return whether a column has one to four numbers per row."""
    fits = len(data.shape) == 2 and data.shape[0] == length(table) and 1 <= data.shape[1] <= WIDEST
    return fits and data.dtype.kind in "iufb" and dataset(table, f"{name_of(str(data.name))}_index") is None


def unit_table(file: NwbFile, table: h5py.Group, columns: bool) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return a table with one row per unit.

    Args:
        file: The open file.
        table: The units table.
        columns: Whether to read the columns that a query can name, too.

    Returns:
        The columns ``unit_id``, ``row`` and ``region``, and those of the table if they were asked for; a line on how
        regions were found; and lines on ids and indices that cannot be right.
    """
    rows = length(table)
    frame = table_columns(table) if columns else pd.DataFrame(index=range(rows))
    identifiers = read_column(table, "id") if dataset(table, "id") is not None else np.arange(rows)
    regions, used, suspicious = unit_regions(file, table)
    names, twice = unique_in_table(file, table, [unit_name(identifier) for identifier in identifiers])
    frame["unit_id"] = names
    frame["row"] = np.arange(rows)
    frame["region"] = regions
    return frame, used, twice + suspicious


def unit_name(identifier: object) -> str:
    """Return the name of a unit by its number or text in the file; whole numbers have no point.

    >>> unit_name(3.0), unit_name("a")
    ('3', 'a')
    """
    whole = isinstance(identifier, float | np.floating) and float(identifier).is_integer()
    return str(int(identifier) if whole else identifier)[:MOST_LABEL]  # type: ignore[call-overload]


def unique_in_table(file: NwbFile, table: h5py.Group, names: list[str]) -> tuple[list[str], list[str]]:
    """Return names of units that differ from row to row, and a line if they were changed.

    Ids that occur twice are joined to the electrode group, probe or shank if that makes them unique, else to the row.

    Args:
        file: The open file.
        table: The units table.
        names: The id of each row.
    """
    twice = len(names) - len(set(names))
    if not twice:
        return names, []
    says = f"{table.name}: {twice} ids occur more than once; units are called"
    for column, groups in group_columns(file, table):
        called = [f"{column}{group}" if group.isdecimal() else group for group in groups]
        named = [f"{group}#{name}"[:MOST_LABEL] for group, name in zip(called, names, strict=True)]
        if len(set(named)) == len(named) and not set(groups) <= SORTED:
            return named, [f"{says} by {column} and id, such as {named[0]}"]
    unique = numbered(names)
    example = next(new for new, old in zip(unique, names, strict=True) if new != old)
    return unique, [f"{says} by id and row, such as {example}"]


def numbered(names: Sequence[str], word: str = "row") -> list[str]:
    """Return names without duplicates: each one that occurs twice gets the number of its row.

    >>> numbered(["3", "3", "4"])
    ['3#row0', '3#row1', '4']
    """
    count = Counter(names)
    unique = [name if count[name] == 1 else f"{name[: MOST_LABEL - 20]}#{word}{row}" for row, name in enumerate(names)]
    return unique if len(set(unique)) == len(unique) else [f"{word}{row}" for row in range(len(names))]
