"""Find the brain region of each unit: in its own table, by its electrodes, or by their group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.electrodes import Electrodes, Rows, electrodes_of, group_columns, read_electrodes
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, first_text
from xcebra_nwb.nwb.reading.table import length, read_column, scalar_columns

GROUPS = "/general/extracellular_ephys"
PLAIN = ("location", "brain_area", "brain_region", "region", "area", "structure", "anatomical_location")
ATLAS = ("beryl", "allen", "ccf")  # a parcellation into areas, then one that splits them into layers
COARSE = ("cosmos",)  # a dozen regions of the whole brain
WORDS = {
    *("location", "region", "area", "structure", "acronym", "anatomy", "anatomical", "nucleus", "subfield"),
    *("parcellation", "beryl", "cosmos", "allen", "ccf", "atlas"),
}
OTHER_WORDS = {
    *("x", "y", "z", "ap", "ml", "dv", "coord", "coords", "coordinate", "coordinates", "position", "depth", "color"),
    *("colour", "rgb", "id", "ids", "hemisphere", "layer", "file", "path", "description", "method", "version", "frame"),
    *("reference", "unit", "units", "quality", "source", "track", "tracing", "of", "type", "comment", "comments"),
}
NOWHERE = {
    *("", "unknown", "n/a", "na", "nan", "none", "null", "void", "root", "undefined", "unspecified", "unassigned"),
    *("not available", "not specified", "not recorded", "not known", "no location", "no region", "no area", "tbd"),
    *("see electrode locations", "see electrodes", "not applicable", "unkown", "unlabeled", "unlabelled", "missing"),
    *("placeholder", "multiple", "various", "todo", "?", "-", "--"),
}
ENOUGH = 0.9  # of the units that the best column gives a region


class _Column(NamedTuple):
    """A column that gives regions.

    Attributes:
        key: The better one sorts first.
        where: The column, in words.
        regions: Region of each unit, "" if it is unknown.
    """

    key: tuple[bool, bool, int]
    where: str
    regions: list[str]

    @property
    def known(self) -> int:
        return sum(region != "" for region in self.regions)


def region_text(value: object) -> str:
    """Return the name of a region, "" if the text stands for nothing.

    >>> region_text(" CA1 "), region_text("N/A"), region_text("root")
    ('CA1', '', '')
    """
    text = " ".join(str(value).split())[:MOST_LABEL]
    placeholder = text.lower().strip("()[]<>.'\"") in NOWHERE
    named = text.isdecimal() or re.search(r"[^\W\d_]", text)  # a code or a word; coordinates are neither
    return "" if placeholder or not named else text


def region_columns(table: h5py.Group, codes: bool = True) -> list[str]:
    """Return the columns of a table that name brain regions, the best first.

    Args:
        table: A table of units, electrodes or regions of interest.
        codes: Whether whole numbers can be the names.
    """
    named = [name for name in scalar_columns(table) if _names_regions(name) and table[name].dtype.kind not in "fb"]
    texts = [name for name in named if table[name].dtype.kind not in "iu" or (codes and name.lower() in PLAIN)]
    return sorted(texts, key=_rank)


def _names_regions(name: str) -> bool:
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    joined = {"brainarea", "brainregion", "brainstructure", "brainlocation"}
    return bool(words & (WORDS | joined)) and not words & OTHER_WORDS


def _rank(name: str) -> int:
    """Return the place of a column among those that name regions, 0 for the best."""
    lower = name.lower()
    order = (ATLAS[0], *PLAIN, *ATLAS[1:])
    if any(word in lower for word in COARSE):
        return len(order) + 1
    atlas = [place for place, word in enumerate(order) if word in ATLAS and word in lower]
    if atlas:
        return atlas[0]
    return order.index(lower) if lower in PLAIN else len(order)


def unit_regions(file: NwbFile, table: h5py.Group) -> tuple[list[str], list[str], list[str]]:
    """Return the region of each unit, "" if it is unknown.

    Args:
        file: The open file.
        table: The units table.

    Returns:
        The regions, shape (unit,); a line that says which column was used; and lines on indices that cannot be right.
    """
    found = list(_own(table, np.arange(length(table)), codes=True))
    groups = list(_by_group(file, table))
    electrodes, suspicious = read_electrodes(file, table), list[str]()
    if electrodes is not None:
        rows, how, suspicious = electrodes_of(file, table, electrodes)
        if rows is not None:
            found += _by_electrodes(electrodes.table, rows, how)
            groups += _by_group_of_electrodes(file, electrodes, rows)
    regions, used = _best(found, length(table))
    if not any(regions):
        regions, used = _best(groups, length(table))
    return regions, used, suspicious


def chosen_region(table: h5py.Group, rows: np.ndarray) -> tuple[list[str], list[str]]:
    """Return the region of some rows of a table by its own columns, and a line that says which column was used.

    Args:
        table: The table of regions of interest. An area in whole numbers is that of a mask, in pixels.
        rows: The rows, shape (row,).
    """
    return _best(list(_own(table, rows, codes=False)), len(rows))


def _own(table: h5py.Group, rows: np.ndarray, codes: bool) -> Iterator[_Column]:
    for name in region_columns(table, codes):
        every = read_column(table, name)
        yield _Column(_key(name, own=True), f"{table.name}/{name}", [region_text(every[row]) for row in rows])


def _key(name: str, own: bool) -> tuple[bool, bool, int]:
    return any(word in name.lower() for word in COARSE), not own, _rank(name)


def _by_electrodes(electrodes: h5py.Group, rows: Rows, how: str) -> Iterator[_Column]:
    for name in region_columns(electrodes):
        every = [region_text(value) for value in read_column(electrodes, name)]
        regions = [joined(every[row] for row in part) for part in rows]
        yield _Column(_key(name, own=False), f"{electrodes.name}/{name}" + (f", of {how}" if how else ""), regions)


def joined(regions: Iterable[str]) -> str:
    """Return the different regions of one unit, joined by a slash.

    >>> joined(["CA1", "", "CA3", "CA1"])
    'CA1/CA3'
    """
    return "/".join(dict.fromkeys(region for region in regions if region))[:MOST_LABEL]


def _by_group(file: NwbFile, table: h5py.Group) -> Iterator[_Column]:
    """Yield the regions that the electrode groups of the units give."""
    for _, names in group_columns(file, table):
        located = _locations(file, names)
        yield _Column(
            (False, True, 0), "the location of its electrode group", [located.get(name, "") for name in names]
        )


def _by_group_of_electrodes(file: NwbFile, electrodes: Electrodes, rows: Rows) -> Iterator[_Column]:
    located = _locations(file, electrodes.groups)
    regions = [joined(located.get(electrodes.groups[row], "") for row in part) for part in rows]
    yield _Column((False, False, 0), "the location of the group of its electrodes", regions)


def _locations(file: NwbFile, names: list[str]) -> dict[str, str]:
    """Return the location of each electrode group of these names that the file has."""
    try:
        groups = file.h5[GROUPS]
        return {name: _location(groups[name]) for name in dict.fromkeys(names) if name and name in groups}
    except (*UNREADABLE, Refusal):
        return {}  # the groups cannot be read, so the region is unknown


def _location(group: h5py.Group) -> str:
    stored = dataset(group, "location")
    return region_text(first_text(stored) if stored is not None else attribute(group, "location"))


def _best(found: list[_Column], count: int) -> tuple[list[str], list[str]]:
    """Return the regions of the best column that gives about as many units a region as any."""
    found = [column for column in found if column.known and len(column.regions) == count]
    if not found:
        return [""] * count, []
    most = max(column.known for column in found)
    best = min((column for column in found if column.known >= ENOUGH * most), key=lambda column: column.key)
    unknown = f"; {count - best.known} of {count} units have none" if best.known < count else ""
    return best.regions, [f"region of each unit: {best.where}{unknown}"]
