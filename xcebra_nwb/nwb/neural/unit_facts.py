"""Read what a file says of each unit for its card: columns of its table, such as quality, and its electrode."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace
from itertools import count

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.core.session import UNIT_FACT
from xcebra_nwb.nwb.neural.electrodes import Electrodes, Rows, electrodes_of, read_electrodes
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.reading.file import NwbFile
from xcebra_nwb.nwb.reading.spikes import units_tables
from xcebra_nwb.nwb.reading.table import read_column, scalar_columns

FACT = "fact "  # begins the name of such a column in the table of units
MOST_COLUMNS = 30  # of a table of units
MOST_NAMED = 8  # electrodes of a unit that are named one by one
COORDINATES = ("rel_x", "rel_y", "rel_z", "x", "y", "z", "depth")  # of an electrode
SPIKES_FOR_CV = 3


def with_facts(file: NwbFile, population: Population) -> Population:
    """Return units with what their file says of each, in columns of the table that begin with ``fact``.

    Only cards show these columns. A column that cannot be read is left out, since nothing is computed from it.

    Args:
        file: The open file.
        population: Units of a table, or of a series whose columns are rows of a table; others stay as they are.
    """
    path = population.path if population.path in units_tables(file) else population.rows_of
    table = file.groups.get(path)
    if table is None:
        return population
    rows = population.table["row" if path == population.path else "roi_row"].to_numpy()
    facts = _columns(table, rows) | (_of_electrodes(file, table, rows) if path == population.path else {})
    frame = pd.DataFrame({f"{FACT}{name}": values for name, values in facts.items()}, index=population.table.index)
    return replace(population, table=pd.concat([population.table, frame], axis=1))


def without_facts(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of units without the columns of :func:`with_facts`, which no query names."""
    return table[[name for name in table.columns if not str(name).startswith(FACT)]]


def fact_variables(table: pd.DataFrame, taken: Set[str]) -> dict[str, xr.Variable]:
    """Return the columns of :func:`with_facts` as variables of the session dataset.

    A name in the file may be any text, so the variables have plain names, and the attribute ``name`` has the file's.

    Args:
        table: One row per unit.
        taken: Names that other variables have.
    """
    variables: dict[str, xr.Variable] = {}
    for column in table.columns:
        name = str(column).removeprefix(FACT)
        if name == column:
            continue
        base = re.sub(r"\W", "_", f"unit_{name}", flags=re.ASCII)[:60]
        key = next(each for number in count() if (each := base + "_" * number) not in {*taken, *variables})
        values = table[column]
        stored = values.fillna("").astype(str).to_numpy(dtype=str) if values.dtype.kind == "O" else values.to_numpy()
        variables[key] = xr.Variable("unit", stored, {"role": UNIT_FACT, "name": name})
    return variables


def _columns(table: h5py.Group, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of one value a unit; those that are empty for all units are left out."""
    facts: dict[str, np.ndarray] = {}
    for name in scalar_columns(table):
        if len(facts) == MOST_COLUMNS or name == "id" or "table" in table[name].attrs:  # rows of another table
            continue
        try:
            every = read_column(table, name)
            values = every[np.maximum(rows, 0)]
        except (*UNREADABLE, IndexError, Refusal):
            continue
        if values.dtype.kind in "OSU":
            values = np.array([str(value)[:MOST_LABEL] for value in values], dtype=object)
            values[rows < 0] = ""
            there = any(values)
        else:
            values = np.where(rows >= 0, values, np.nan) if np.any(rows < 0) else values
            there = values.dtype.kind != "f" or bool(np.isfinite(values).any())
        if there:
            facts[name[:MOST_LABEL]] = values
    return facts


def _of_electrodes(file: NwbFile, table: h5py.Group, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return electrode, group and position of each unit, as far as the file has them."""
    electrodes = read_electrodes(file, table)
    if electrodes is None:
        return {}
    try:
        every, _, _ = electrodes_of(file, table, electrodes)
    except (*UNREADABLE, Refusal):
        return {}
    if every is None or not len(rows):
        return {}
    parts = [every[row] for row in rows.tolist()]
    facts = {"electrode": _named(electrodes, parts), "electrode group": _groups(electrodes, parts)}
    facts |= _positions(electrodes.table, parts)
    return {name: values for name, values in facts.items() if values.dtype.kind == "f" or any(values)}


def _named(electrodes: Electrodes, parts: Rows) -> np.ndarray:
    """The numbers of the electrodes of each unit, as the file counts them."""
    names = [[f"{electrodes.ids[row]:g}" for row in part] for part in parts]
    return np.array(
        [
            ", ".join(each) if len(each) <= MOST_NAMED else f"{each[0]} to {each[-1]} ({len(each)} electrodes)"
            for each in names
        ],
        dtype=object,
    )


def _groups(electrodes: Electrodes, parts: Rows) -> np.ndarray:
    named = [dict.fromkeys(electrodes.groups[row] for row in part) for part in parts]
    return np.array([", ".join(filter(None, each))[:MOST_LABEL] for each in named], dtype=object)


def _positions(table: h5py.Group, parts: Rows) -> dict[str, np.ndarray]:
    """The position of each unit's electrode; NaN for a unit of several electrodes, which has no single position."""
    single = np.array([part[0] if len(part) == 1 else -1 for part in parts], dtype=np.int64)
    positions = {}
    for name in (name for name in COORDINATES if name in scalar_columns(table)):
        try:
            every = read_column(table, name)
        except (*UNREADABLE, Refusal):
            continue
        if every.dtype.kind not in "iuf":
            continue
        values = np.where(single >= 0, every[np.maximum(single, 0)].astype(np.float64), np.nan)
        if np.isfinite(values).any():
            positions[f"electrode {name}"] = values
    return positions


def interval_variability(spikes: np.ndarray) -> float:
    """Return CV2 of the intervals between spikes: near 1 for a Poisson train, under 1 for a regular one.

    It compares neighbouring intervals only (Holt et al. 1996, J. Neurophysiol. 75:1806, eq. 3), so slow changes of the
    rate and pauses of the recording hardly enter it.

    Args:
        spikes: Spike times in s, sorted.

    >>> interval_variability(np.array([0.0, 1.0, 2.0, 3.0]))
    0.0
    """
    intervals = np.diff(spikes)
    if len(intervals) < SPIKES_FOR_CV - 1:
        return float("nan")
    sums = intervals[1:] + intervals[:-1]
    apart = 2 * np.abs(np.diff(intervals))
    return float(np.mean(np.divide(apart, sums, out=np.zeros_like(sums), where=sums > 0)))
