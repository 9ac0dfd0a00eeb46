"""Open NWB files by their structure, with h5py.

Broken cached specifications and missing extensions do not matter, because the NWB schema is not used.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath, PurePosixPath
from typing import Any

import h5py
import numpy as np

from xcebra_nwb.core.errors import NotInFile, Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_NAME, MOST_TEXT
from xcebra_nwb.core.hdf5.leads import Lead, address_of, is_self_contained
from xcebra_nwb.core.hdf5.scan import UNREADABLE, ScanResult
from xcebra_nwb.core.passing import as_failure
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading import foreign
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.source import Source, opened, source_name
from xcebra_nwb.nwb.reading.values import check_readable
from xcebra_nwb.nwb.reading.walk import LOST, identity_of, is_group, walk

RAW = {"ElectricalSeries", "SpikeEventSeries", "ImageSeries", "OpticalSeries", "IndexSeries", "ImageMaskSeries"}

MOST_LOST = 3  # links in one message


@dataclass(frozen=True)
class NwbFile:
    """An open NWB file.

    Attributes:
        source_name: The path or address that was given, as messages show it.
        h5: The root of the file.
        groups: Every group outside /general, by path.
        problems: What could not be read and why, by path.
        scan: Result of the scan of an HDF5 file.
    """

    source_name: str
    h5: h5py.File
    groups: dict[str, h5py.Group]
    problems: dict[str, str]
    scan: ScanResult | None = None

    @property
    def path(self) -> PurePath:
        """The name of the source as a path, to take the file's name from."""
        return PurePosixPath(self.source_name)

    @property
    def leads(self) -> tuple[Lead, ...]:
        """The objects that are read from other files."""
        return self.scan.leads if self.scan is not None else ()

    def referred(self, reference: Any) -> h5py.Group | h5py.Dataset:
        """Return the object that a reference leads to.

        Raises:
            KeyError: No link leads to the object, so the scan has not checked it.
        """
        item = self.h5[reference]
        if self.scan is not None and address_of(item) not in self.scan.addresses:
            raise KeyError("a reference to what no link leads to")
        return item

    @cached_property
    def series(self) -> dict[str, h5py.Group]:
        """Every time series with data by path, except raw voltages and images."""
        return {p: g for p, g in self.groups.items() if neurodata_type(g) not in RAW and _is_series(g)}

    def canonical_path(self, path: str) -> str:
        """Return the path by which ``groups`` knows the group at ``path``.

        Links are resolved. A path that leads to no group is returned as it is.
        """
        if path in self.groups:
            return path
        try:
            item = self.h5[path]
            linked = identity_of(item) if is_group(item) else None
        except UNREADABLE:
            return path
        return next((p for p, group in self.groups.items() if linked and identity_of(group) == linked), path)

    def scalar(self, path: str) -> str:
        """Return the text of a scalar dataset, "" if this file has none at ``path``."""
        try:
            return first_text(self.h5[path]) if path in self.h5 and self.is_stored_here(path) else ""
        except UNREADABLE:
            return ""

    def is_stored_here(self, path: str) -> bool:
        """Return whether the object at ``path`` uses no data from another file."""
        return not self.leads or is_self_contained(self.h5, path)


@contextmanager
def open_nwb(source: Source, follow: Follow = Follow.FOLDER) -> Iterator[NwbFile]:
    """Yield an NWB file, open for reading.

    Args:
        source: Path, ``http(s)://`` address or open binary file.
        follow: Which links into other files are followed; none is from an address or an open file.

    Raises:
        UsageError: There is no such file.
        Failure: An address does not answer.
        Refusal: The file is not HDF5 or Zarr, damaged, not NWB, NWB 1.x, or needs other files that are not followed.
    """
    name = source_name(source)
    with opened(source, follow) as h5:
        scan = foreign.look(h5, name, foreign.local_path(source), follow) if isinstance(h5, h5py.Group) else None
        _check_version(name, h5)
        groups, problems = walk(h5)
        try:
            yield NwbFile(name, h5, groups, problems, scan)
        except (OSError, RuntimeError) as error:  # HDF5 raises these when it cannot read data
            if failure := as_failure(error, name):
                raise failure from error
            raise Refusal(
                Code.DAMAGED, f"{name}: damaged: {error}", "download or copy it again, or name other data"
            ) from error


def _check_version(name: str, h5: h5py.File) -> None:
    try:
        version = text(h5.attrs["nwb_version"] if "nwb_version" in h5.attrs else h5["nwb_version"][()])
    except UNREADABLE:
        raise Refusal(
            Code.NOT_NWB, f"{name}: not an NWB file: HDF5 without nwb_version", "give a file in the NWB format"
        ) from None
    number = version.removeprefix("NWB-")
    if version.upper().removeprefix("NWB-").startswith(("0.", "1.")):
        raise Refusal(
            Code.NWB_1,
            f"{name}: NWB {number} is too old: version 2 is read",
            "convert it to NWB 2 (MatNWB or pynwb)",
        )
    kind = neurodata_type(h5)
    if kind not in {"NWBFile", ""}:
        raise Refusal(Code.NOT_NWB, f"{name}: not an NWB file: its root is a {kind}", "give a file in the NWB format")


def text(value: Any) -> str:
    """Return a text from a file as ``str``.

    Text beyond the first :data:`.bounds.MOST_TEXT` characters is cut off. Characters that no file can store are
    replaced.

    Args:
        value: bytes, str, or an array whose first element is one of them.

    >>> text(b"CA1"), text(np.array(["left", "right"]))
    ('CA1', 'left')
    """
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else ""
    stored = value[:MOST_TEXT] if isinstance(value, bytes) else str(value)[:MOST_TEXT].encode("utf-8", "replace")
    return stored.decode("utf-8", "replace").replace("\0", "")


def first_text(data: h5py.Dataset) -> str:
    """Return the text of a dataset, or of the first of its values."""
    if 0 in data.shape:
        return ""
    first = (0,) * len(data.shape)
    check_readable(data, first)
    return text(data[first])


def attribute(item: h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute as text, "" if it is missing or unreadable."""
    try:
        return text(item.attrs[name]) if name in item.attrs else ""
    except UNREADABLE:
        return ""


def neurodata_type(item: h5py.Group | h5py.Dataset) -> str:
    """Return the name of the NWB type of an object, "" if it has none."""
    return attribute(item, "neurodata_type")


def dataset(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return the dataset ``name`` of a group, None if there is none with values."""
    try:
        item = group[name]
    except UNREADABLE:
        return None
    return None if is_group(item) or item.shape is None or len(name) > MOST_NAME else item


def with_lost_links(file: NwbFile, error: Exception) -> Exception:
    """Return an error, with the links of the file that lead nowhere if something was not found.

    The object that was looked for may lie there.

    Args:
        file: The open file.
        error: The error.
    """
    lost = [f"{path}: {what}" for path, what in file.problems.items() if what.startswith(LOST)]
    if not lost or getattr(error, "code", None) not in {Code.NO_LABEL, Code.NO_NEURONS, Code.CONFIG_DOES_NOT_FIT}:
        return error
    assert isinstance(error, NotInFile | Refusal)
    more = f" and {len(lost) - MOST_LOST} more" if len(lost) > MOST_LOST else ""
    message = f"{error.message}; not there: {', '.join(lost[:MOST_LOST])}{more}"
    remedy = "copy the file that the link names beside this one"
    return Refusal(error.code, message, remedy) if isinstance(error, Refusal) else NotInFile(message, remedy)


def _is_series(group: h5py.Group) -> bool:
    """Return whether a group has data and either timestamps or a starting time."""
    data = dataset(group, "data")
    if data is None or not data.shape:
        return False
    return dataset(group, "timestamps") is not None or dataset(group, "starting_time") is not None


def parent(path: str) -> str:
    """Return the path of the group that holds ``path``.

    >>> parent("/units/spike_times")
    '/units'
    """
    return path.rsplit("/", 1)[0]


def name_of(path: str) -> str:
    """Return the last part of a path.

    >>> name_of("/units/spike_times")
    'spike_times'
    """
    return path.rsplit("/", 1)[1]


def unknown_path(key: str, path: str, candidates: Iterable[str]) -> NotInFile:
    """Return the error for a configured path that is not in the file.

    Args:
        key: Key of the config that holds the path.
        path: The configured path.
        candidates: Paths that would be possible; the most similar ones are shown first.

    >>> print(unknown_path("neural.source", "/unit", ["/units"]).message)
    neural.source: no /unit in the file
    """
    known = list(dict.fromkeys(candidates))
    near = difflib.get_close_matches(path, known, n=len(known) or 1, cutoff=0.0)
    shown = ", ".join(near[:8]) + (f" and {len(near) - 8} more" if len(near) > 8 else "")
    return NotInFile(f"{key}: no {path} in the file", f"candidates: {shown}" if near else "the file holds none")
