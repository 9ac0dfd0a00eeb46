"""Find the electrodes of each unit: by a table region, or by the number of its peak channel."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of
from xcebra_nwb.nwb.reading.table import column_names, length, ragged, scalar_columns
from xcebra_nwb.nwb.reading.values import is_text, numbers, values

ELECTRODES = "/general/extracellular_ephys/electrodes"
CHANNEL = re.compile(
    r"(?P<peak>(peak|main|max|maximum|best|primary|extremum|dominant|largest|loudest)(amplitude|amp|waveform|wf)?)?"
    r"(?P<what>channel|chan|ch|electrode|contact|site)(?P<id>id|ids|idx|index|number|num|nr|name|label)?"
)  # of a name in lower case without signs
NAMES = re.compile(r"((channel|chan|ch|electrode|contact|site)(name|label|id)?|name|label)")
GROUPS = re.compile(r"(electrode)?group(name)?|electrodegroupname|probe(name|id|label)?|shank(name)?|tetrode(name)?")

Rows = list[np.ndarray]  # of each unit: rows of the electrodes table


@dataclass(frozen=True)
class Electrodes:
    """The table of electrodes.

    Attributes:
        table: The table.
        ids: The number of each electrode, shape (electrode,).
        groups: Name of the group of each electrode, "" if it is unknown.
    """

    table: h5py.Group
    ids: np.ndarray
    groups: list[str]


def plain(name: str) -> str:
    """Return a name in lower case, without signs.

    >>> plain("Peak_Channel-ID")
    'peakchannelid'
    """
    return re.sub(r"[\W_]", "", name).lower()


def read_electrodes(file: NwbFile, units: h5py.Group) -> Electrodes | None:
    """Return the table of electrodes that a units table belongs to, None if there is none.

    Args:
        file: The open file.
        units: The units table.
    """
    region = dataset(units, "electrodes")
    try:
        table = file.referred(region.attrs["table"]) if region is not None and "table" in region.attrs else None
        table = file.h5[ELECTRODES] if table is None else table
        rows, ids = length(table), _ids(table)
    except (*UNREADABLE, Refusal):
        return None
    groups = next((names for _, names in group_columns(file, table)), [""] * rows)
    return Electrodes(table, ids, groups)


def group_columns(file: NwbFile, table: h5py.Group) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns of a table that name the electrode group, the probe or the shank of each row.

    Args:
        file: The open file.
        table: A table of units or of electrodes.

    Yields:
        The name of a column, and its value for each row.
    """
    for name in sorted(column_names(table), key=lambda name: "group" not in plain(name)):
        data = dataset(table, name)
        if data is None or not GROUPS.fullmatch(plain(name)) or not _one_a_row(table, data):
            continue
        try:
            if h5py.check_ref_dtype(data.dtype) is not None:
                yield name, [name_of(str(file.referred(reference).name)) for reference in data[()].reshape(-1)]
            elif is_text(data) or data.dtype.kind in "iu":
                yield name, [str(value).strip() for value in values(data).reshape(-1)]
        except (*UNREADABLE, Refusal):
            continue  # references that lead nowhere name no group


def electrodes_of(file: NwbFile, units: h5py.Group, electrodes: Electrodes) -> tuple[Rows | None, str, list[str]]:
    """Return the rows of the electrodes table that belong to each unit.

    Args:
        file: The open file.
        units: The units table.
        electrodes: The electrodes table.

    Returns:
        The rows of each unit (None if nothing leads to them), the words that say by which way they were found, and
        lines on indices that cannot be.
    """
    path, notes = str(units.name), list[str]()
    for name in _regions(file, units, electrodes):
        parts, problem = _region_parts(units, name)
        if any(len(part) for part in parts):
            rows, remarks = _of_region(f"{path}/{name}", parts, electrodes)
            return rows, "", notes + remarks
        notes += [f"{path}/{name}{problem}"] if problem else []
    groups = next((g for _, g in group_columns(file, units) if set(g) & set(electrodes.groups) - {""}), None)
    for name, channels in _channels(units, electrodes.table):
        found, how, remarks = _of_channels(name, path, channels, groups, electrodes)
        notes += remarks
        if np.any(found >= 0):
            return [np.array([row] if row >= 0 else [], dtype=np.int64) for row in found.tolist()], how, notes
    return None, "", notes


def _regions(file: NwbFile, units: h5py.Group, electrodes: Electrodes) -> list[str]:
    """Return the columns of the units that point to rows of the electrodes table, ``electrodes`` first."""
    names = ["electrodes"] if dataset(units, "electrodes") is not None else []
    for name in column_names(units):
        data = dataset(units, name)
        if name in names or data is None or "table" not in data.attrs or not CHANNEL.fullmatch(plain(name)):
            continue
        try:
            names += [name] if file.referred(data.attrs["table"]).name == electrodes.table.name else []
        except UNREADABLE:
            continue  # it leads nowhere, so it is no way to the electrodes
    return names


def _region_parts(units: h5py.Group, name: str) -> tuple[Rows, str]:
    """Return the rows that a table region names for each unit, and what is wrong if there are none."""
    try:
        parts = [part.reshape(-1) for part in ragged(units, name)]
    except (*UNREADABLE, Refusal) as problem:
        return [], f" cannot be read: {getattr(problem, 'message', problem)}"
    if len(parts) != length(units):
        return [], f": {len(parts)} rows for {length(units)} units; it is not used"
    return parts, ""


def _of_region(path: str, parts: Rows, electrodes: Electrodes) -> tuple[Rows, list[str]]:
    """Return the rows that a table region names, without those that the table does not have."""
    every, total = np.concatenate(parts), len(electrodes.ids)
    wrong = ~_is_row(every, total)
    if not wrong.any():
        return [part.astype(np.int64) for part in parts], []
    if np.isin(every, electrodes.ids).all() and len(np.unique(electrodes.ids)) == total:
        order = np.argsort(electrodes.ids, kind="stable")
        found = [order[np.searchsorted(electrodes.ids, part, sorter=order)] for part in parts]
        return found, [f"{path} holds ids of electrodes instead of their rows, and was read as ids"]
    units = sum(not _is_row(part, total).all() for part in parts)
    remark = (
        f"{path}: {units} units point to rows that the electrodes table does not have "
        f"({every[wrong][0]:.0f}; it has {total} rows); these rows were left out"
    )
    return [part[_is_row(part, total)].astype(np.int64) for part in parts], [remark]


def _is_row(values: np.ndarray, rows: int) -> np.ndarray:
    return np.asarray((values >= 0) & (values < rows) & (values == np.floor(values)))


def _channels(table: h5py.Group, electrodes: h5py.Group | None = None) -> list[tuple[str, np.ndarray]]:
    """Return the columns of a table that hold a number of a channel per row, those of a peak channel first.

    Names of channels count as the rows of the electrodes that have these names.
    """
    columns = []
    for name in column_names(table):
        match, data = CHANNEL.fullmatch(plain(name)), dataset(table, name)
        if match is None or data is None or "table" in data.attrs or dataset(table, f"{name}_index") is not None:
            continue
        if _one_a_row(table, data) and (is_text(data) or data.dtype.kind in "iuf"):
            channels = _numbers_of(values(data), electrodes) if is_text(data) else numbers(data)
            columns.append(((not match["peak"], not match["id"]), name, channels.reshape(-1)))
    return [(name, channels) for _, name, channels in sorted(columns, key=lambda column: column[0])]


def _one_a_row(table: h5py.Group, data: h5py.Dataset) -> bool:
    rows = length(table)
    return data.shape in {(rows,), (rows, 1), (1, rows)}


def _numbers_of(names: np.ndarray, electrodes: h5py.Group | None) -> np.ndarray:
    """Return channels given as texts as numbers: their own, or the ids of the electrodes of these names; else NaN."""
    texts = [str(name).strip() for name in names.reshape(-1)]
    if all(text.isdecimal() for text in texts):
        return np.array(texts, dtype=np.float64)
    named: dict[str, float] = {}
    if electrodes is not None:
        for column in scalar_columns(electrodes):
            stored = electrodes[column]
            if is_text(stored) and NAMES.fullmatch(plain(column)):
                called = [str(value).strip() for value in values(stored)]
                if len(set(called)) == len(called):
                    named |= dict(zip(called, _ids(electrodes).tolist(), strict=True))
    return np.array([named.get(text, np.nan) for text in texts])


def _ids(table: h5py.Group) -> np.ndarray:
    stored = dataset(table, "id")
    return numbers(stored).reshape(-1) if stored is not None else np.arange(length(table), dtype=np.float64)


def _of_channels(
    name: str, path: str, channels: np.ndarray, groups: list[str] | None, electrodes: Electrodes
) -> tuple[np.ndarray, str, list[str]]:
    """Return the row of each unit's electrode (-1: unknown), how it was found, and remarks.

    A channel is the id of an electrode, unless no electrode of the unit's own group has that id.
    """
    known = groups or [""] * len(channels)
    ways = {
        f"the electrode whose id is {name}": _by_number(channels, known, electrodes, electrodes.ids),
        **{
            f"the electrode of the unit's group whose {column} is {name}": _by_number(channels, known, electrodes, ids)
            for column, ids in (_channels(electrodes.table) if any(known) else [])
        },
        f"the electrode at place {name} of the unit's group (no id fits)": _by_place(channels, known, electrodes),
        f"row {name} of the electrodes (its values are no ids of electrodes)": _by_row(channels, known, electrodes),
    }
    asked = np.isfinite(channels)
    if not asked.any():
        return np.full(len(channels), -1), "", []
    for how, rows in ways.items():
        if np.all(rows[asked] >= 0):
            return rows, how, []
    how, rows = next(iter(ways.items()))
    missing = int(np.sum(rows[asked] < 0))
    if _from_one(channels[asked], electrodes.ids):
        remark = f"{path}/{name} seems to count from 1 and the ids of electrodes from 0; it is not used"
        return np.full(len(channels), -1), how, [remark]
    if missing > asked.sum() / 2:
        return np.full(len(channels), -1), how, [f"{path}/{name} leads to no electrodes; it is not used"]
    return rows, how, [f"{path}/{name}: no electrode has the number that {missing} units give"]


def _from_one(channels: np.ndarray, ids: np.ndarray) -> bool:
    return bool(channels.min() >= 1 and ids.min() == 0 and channels.max() == ids.max() + 1)


def _by_number(channels: np.ndarray, groups: list[str], electrodes: Electrodes, ids: np.ndarray) -> np.ndarray:
    """Return the only electrode of each channel's number, in the unit's group if that is known; -1 for none."""
    rows: dict[float, list[int]] = defaultdict(list)
    for row, number in enumerate(ids.tolist()):
        rows[number].append(row)
    found = []
    for channel, group in zip(channels.tolist(), groups, strict=True):
        same = [row for row in rows.get(channel, []) if not group or electrodes.groups[row] in {group, ""}]
        found.append(same[0] if len(same) == 1 else -1)
    return np.array(found, dtype=np.int64)


def _by_place(channels: np.ndarray, groups: list[str], electrodes: Electrodes) -> np.ndarray:
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(electrodes.groups):
        members[group].append(row)
    pairs = zip(channels.tolist(), groups, strict=True)
    return np.array(
        [
            members[group][int(channel)] if group and channel in range(len(members.get(group, []))) else -1
            for channel, group in pairs
        ],
        dtype=np.int64,
    )


def _by_row(channels: np.ndarray, groups: list[str], electrodes: Electrodes) -> np.ndarray:
    rows = np.where(_is_row(channels, len(electrodes.ids)), np.nan_to_num(channels, nan=-1.0), -1).astype(np.int64)
    pairs = zip(rows.tolist(), groups, strict=True)
    agrees = [not group or row < 0 or electrodes.groups[row] in {group, ""} for row, group in pairs]
    return np.where(agrees, rows, -1)
