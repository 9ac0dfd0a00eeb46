"""Scan all objects of an HDF5 file before any value is read.

The scan finds links to other files, and refuses excess and damage. It does not recurse and reads no values. It takes
as many steps as there are links, within the limits in :mod:`.bounds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_ATTRIBUTE_BYTES, MOST_ATTRIBUTES, MOST_DEPTH, MOST_OBJECTS
from xcebra_nwb.core.hdf5.filters import forget_plugin_folders, is_bomb
from xcebra_nwb.core.hdf5.leads import Lead, of_dataset, of_link, overlaps, parts_of_itself, readable
from xcebra_nwb.core.refusals import Code

Link = tuple[bytes, int, int]  # name, type, and address of the object that a hard link leads to

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)
"""What h5py raises for damaged or unknown objects: it has no error class of its own."""


def check_self_contained(h5: h5py.File, name: str) -> ScanResult:
    """Return the scan of an open file that needs no other files.

    Args:
        h5: The file.
        name: Name of the file in messages.

    Raises:
        Refusal: Something leads into another file, or the file exceeds a limit.
    """
    forget_plugin_folders()
    result = Scan().of(h5, name)
    if result.leads:
        raise refused(name, result.leads[0], "a file from elsewhere is read only if it holds all its data itself")
    return result


def refused(name: str, lead: Lead, remedy: str) -> Refusal:
    """Return the refusal of a file that leads into another file.

    Args:
        name: Name of the file in messages.
        lead: The object that leads there.
        remedy: What would help.
    """
    return Refusal(Code.LEADS_ELSEWHERE, f"{name}: {lead}", remedy)


@dataclass(frozen=True)
class ScanResult:
    """The objects that lead out of a file, and the addresses of all objects."""

    leads: tuple[Lead, ...] = ()
    addresses: frozenset[int] = frozenset()


@dataclass
class Scan:
    """Scans a file and those that it leads to; ``links`` counts over all of them."""

    links: int = 0

    def of(self, h5: h5py.File, name: str) -> ScanResult:
        """Return the scan of one file.

        An object that cannot be opened is skipped, because nothing is read of it later either.

        Args:
            h5: The file.
            name: Name of the file in messages.

        Raises:
            Refusal: The file has too many or too deeply nested objects, a group inside itself, too large attributes,
                or damage that may hide other objects.
        """
        look = _File(name, MOST_OBJECTS - self.links)
        look.look_at(h5)
        self.links += look.links
        return ScanResult(tuple(look.leads), frozenset(look.seen))


class _File:
    def __init__(self, name: str, most: int) -> None:
        self.leads: list[Lead] = []
        self.links = 0
        self._name, self._most = name, most
        self.seen: set[int] = set()
        self._plain: set[str] = set()  # datasets that hold their values
        self._parts: dict[str, set[str]] = {}  # of virtual datasets, in this file

    def look_at(self, h5: h5py.File) -> None:
        root = h5g.open(h5.id, b"/")
        trail = [("", root, h5o.get_info(root).addr, self._links_of(root, "/"))]
        self.seen.add(trail[0][2])
        while trail:  # nested groups, and the links still to be scanned in each
            path, group, _, left = trail[-1]
            link = next(left, None)
            if link is None:
                trail.pop()
                continue
            name, kind, address = link
            below = f"{path}/{readable(name)}"
            if kind == h5l.TYPE_HARD and address in self.seen and address in [opened[2] for opened in trail]:
                raise self._refused(f"{below} is a group that holds itself")
            item = self._item(group, link, below)
            if isinstance(item, h5g.GroupID):
                if len(trail) > MOST_DEPTH:
                    raise self._refused(f"more than {MOST_DEPTH} groups inside one another")
                trail.append((below, item, address, self._links_of(item, below)))
        for path, parts in self._parts.items():
            if parts - self._plain:  # HDF5 would follow such a chain without end
                raise self._refused(f"{path} is a virtual dataset of objects that do not hold their values themselves")

    def _item(self, group: h5g.GroupID, link: Link, path: str) -> h5g.GroupID | h5d.DatasetID | None:
        """Return the object that a hard link leads to, if it is new and can be opened.

        Objects that lead elsewhere are noted.
        """
        name, kind, address = link
        if kind not in (h5l.TYPE_HARD, h5l.TYPE_SOFT):
            self.leads.append(of_link(group, name, kind, path))
        if kind != h5l.TYPE_HARD or address in self.seen:
            return None
        self.seen.add(address)
        try:
            item = h5o.open(group, name)
        except UNREADABLE:
            return None
        if isinstance(item, h5d.DatasetID):
            try:
                self.leads += of_dataset(item, path)
                self._check_values(item, path)
            except UNREADABLE as error:
                raise self._damaged(path, error) from error
            self._check_attributes(item, path)
        return item

    def _check_values(self, data: h5d.DatasetID, path: str) -> None:
        if is_bomb(data):
            raise self._refused(f"{path} is compressed more than once")
        if overlaps(data):
            raise self._refused(f"{path} is a virtual dataset that reads values several times")
        if data.get_create_plist().get_layout() == h5d.VIRTUAL:
            self._parts[path] = parts_of_itself(data)
        else:
            self._plain.add(path)

    def _links_of(self, group: h5g.GroupID, path: str) -> Iterator[Link]:
        links: list[Link] = []

        def note(name: bytes, link: h5l.LinkInfo) -> bool | None:
            links.append((name, link.type, link.u))
            return True if len(links) > self._most - self.links else None

        self._check_attributes(group, path)
        try:
            group.links.iterate(note, info=True)
        except UNREADABLE as error:
            raise self._damaged(path, error) from error
        self.links += len(links)
        if self.links > self._most:
            raise self._refused(f"more than {MOST_OBJECTS} objects")
        return iter(links)

    def _damaged(self, path: str, error: Exception) -> Refusal:
        """Return the refusal of a damaged object.

        Damage is not skipped, because an object that is found by its name may be hidden from the scan.
        """
        problem = f"{self._name}: {path} is damaged: {error}"
        return Refusal(Code.DAMAGED, problem, "download or copy it again, or name other data")

    def _check_attributes(self, item: h5g.GroupID | h5d.DatasetID, path: str) -> None:
        try:
            number = h5a.get_num_attrs(item)
            if number > MOST_ATTRIBUTES:
                raise self._refused(f"{path} has {number} attributes, more than {MOST_ATTRIBUTES}")
            sizes = [h5a.open(item, index=index).get_storage_size() for index in range(number)]
        except UNREADABLE:
            return
        if max(sizes, default=0) > MOST_ATTRIBUTE_BYTES:
            raise self._refused(f"{path} has an attribute of {max(sizes)} bytes, more than {MOST_ATTRIBUTE_BYTES}")

    def _refused(self, what: str) -> Refusal:
        return Refusal(
            Code.OUT_OF_BOUNDS, f"{self._name}: {what}", "no recording looks like this: ask the author of the file"
        )
