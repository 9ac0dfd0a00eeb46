"""Lead the columns of a RoiResponseSeries to the rows of the table of its regions of interest."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.electrodes import plain
from xcebra_nwb.nwb.neural.regions import chosen_region, region_text
from xcebra_nwb.nwb.neural.unit_table import numbered, table_columns, unit_name
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, first_text
from xcebra_nwb.nwb.reading.table import length, read_column, scalar_columns
from xcebra_nwb.nwb.reading.values import numbers

IDENTIFIERS = ("cellspecimenid", "cellspecimentid", "roiid", "cellid", "neuronid", "cellroiid", "roiname", "cellname")
NO_CELL = {"", "-1", "nan", "none", "n/a", "unknown"}


@dataclass(frozen=True)
class Rois:
    """The regions of interest of a series.

    Attributes:
        table: Their table; None if nothing leads to it.
        rows: The row of each column of the series in that table, shape (column,); None if they do not fit.
        problem: Why the columns cannot be led to rows, "" if they can.
    """

    table: h5py.Group | None
    rows: np.ndarray | None
    problem: str = ""

    @property
    def path(self) -> str:
        """Path of the table, "" if there is none."""
        return "" if self.table is None else str(self.table.name)


def linked(file: NwbFile, series: h5py.Group, count: int) -> Rois:
    """Return the regions of interest that ``rois`` of a series names.

    Args:
        file: The open file.
        series: The RoiResponseSeries.
        count: Number of its columns.
    """
    region = dataset(series, "rois")
    if region is None:
        return Rois(None, None, "rois is missing, so nothing says which region of interest a column is")
    try:
        table = file.referred(region.attrs["table"])
        rows, total = numbers(region).reshape(-1), length(table)
    except Refusal as problem:
        return Rois(None, None, f"rois cannot be read: {problem.message}")
    except UNREADABLE:
        return Rois(None, None, "rois leads to no table")
    if len(rows) != count:
        return Rois(table, None, f"rois names {len(rows)} regions of interest for {count} columns of data")
    wrong = (rows < 0) | (rows >= total) | (rows != np.floor(rows))
    if wrong.any():
        points = f"{int(wrong.sum())} columns to rows that {table.name} does not have ({rows[wrong][0]:.0f}"
        return Rois(table, None, f"rois leads {points}; it has {total} rows)")
    return Rois(table, rows.astype(np.int64))


def roi_table(rois: Rois, count: int, wanted: bool) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return a table with one row per column of a series.

    Args:
        rois: The regions of interest of the series.
        count: Number of its columns.
        wanted: Whether to read the columns of the table that a query can name, too.

    Returns:
        The columns ``unit_id``, ``row`` (column of the series), ``roi_row`` (row of the table; -1 if it is unknown) and
        ``region``, and those of the table if they were asked for; lines on how names and regions were found; and lines
        on ids and indices that cannot be right.
    """
    frame, used, suspicious = pd.DataFrame(index=range(count)), list[str](), list[str]()
    unit_ids, regions = [str(column) for column in range(count)], [""] * count
    if rois.table is not None and rois.rows is not None:
        if wanted:
            frame = table_columns(rois.table).iloc[rois.rows].reset_index(drop=True)
        unit_ids, named, suspicious = _names(rois.table, rois.rows)
        regions, located = chosen_region(rois.table, rois.rows)
        used = named + located
    if not any(regions):
        regions = [_plane_region(rois.table)] * count
    if rois.problem:
        suspicious.append(f"{rois.problem}; units are called by the number of their column")
    frame["unit_id"] = unit_ids
    frame["row"] = np.arange(count)
    frame["roi_row"] = np.full(count, -1) if rois.rows is None else rois.rows
    frame["region"] = regions
    return frame, used, suspicious


def _names(table: h5py.Group, rows: np.ndarray) -> tuple[list[str], list[str], list[str]]:
    """Return the names of regions of interest, the column that they come from, and what is odd about them."""
    twice = len(rows) - len(np.unique(rows))
    odd = [f"{twice} columns are of a region of interest that an earlier column is of"] if twice else []
    for column in _id_columns(table):
        names = [unit_name(value) for value in read_column(table, column)[rows]]
        unique = numbered(names, "column")
        if column != "id" and (len(set(names)) < len(names) - twice or NO_CELL & {name.lower() for name in names}):
            continue  # not every region of interest has such an id
        if unique != names and not twice:
            odd.append(f"{table.name}/{column}: some ids occur more than once; the number of the column was added")
        return unique, [f"unit ids are {table.name}/{column}"] if column != "id" else [], odd
    return numbered([str(row) for row in rows], "column"), [], odd


def _id_columns(table: h5py.Group) -> list[str]:
    """Return the columns of a table that can identify its rows, the best first."""
    scalar = {plain(name): name for name in reversed(scalar_columns(table))}
    known = [scalar[kind] for kind in IDENTIFIERS if kind in scalar]
    return known + (["id"] if dataset(table, "id") is not None else [])


def _plane_region(table: h5py.Group | None) -> str:
    """Return the location of the imaging plane of a table, "" if it is unknown."""
    if table is None:
        return ""
    try:
        location = dataset(table["imaging_plane"], "location")
        return region_text(first_text(location)) if location is not None else ""
    except (*UNREADABLE, Refusal):
        return ""
