"""Find everything in an HDF5 file that leads into another file.

These are external links, and datasets whose values are stored elsewhere. Soft links and object references stay inside
the file. What NWB calls an ``external_file`` is only a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum

import h5py
from h5py import h5d, h5l, h5o, h5s

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL

ITSELF = "."  # a virtual dataset's name for its own file


class Follow(Enum):
    """Which links into other files are followed."""

    NOWHERE = "nowhere"
    FOLDER = "folder"
    ANYWHERE = "anywhere"

    @classmethod
    def local(cls, everywhere: bool) -> Follow:
        """Return which links of a local file are followed.

        Args:
            everywhere: Whether the user allows all of them.

        >>> Follow.local(everywhere=False)
        <Follow.FOLDER: 'folder'>
        """
        return cls.ANYWHERE if everywhere else cls.FOLDER


class Kind(StrEnum):
    """The way in which an object leads into another file."""

    LINK = "a link into another file"
    STORAGE = "stored in another file"
    VIRTUAL = "a virtual dataset of another file"
    UNKNOWN_LINK = "a link of an unknown kind"


@dataclass(frozen=True)
class Lead:
    """An object that leads into another file.

    Attributes:
        path: Path of the object.
        kind: The way in which it leads there.
        target: Name of the other file, as stored.
    """

    path: str
    kind: Kind
    target: str

    def __str__(self) -> str:
        """Return the object and its target in words."""
        return f"{shortened(self.path)} is {self.how}"

    @property
    def how(self) -> str:
        """The way and the target in words."""
        return f"{self.kind}: {shortened(self.target)}"


def of_link(group: h5py.h5g.GroupID, name: bytes, kind: int, path: str) -> Lead:
    """Return where an external link leads.

    Args:
        group: The group that holds the link.
        name: Name of the link.
        kind: Type of the link, as HDF5 numbers them; neither hard nor soft.
        path: Path of the link in the file.
    """
    if kind != h5l.TYPE_EXTERNAL:
        return Lead(path, Kind.UNKNOWN_LINK, f"type {kind}")
    file, _ = group.links.get_val(name)
    return Lead(path, Kind.LINK, readable(file))


def of_dataset(data: h5d.DatasetID, path: str) -> Iterator[Lead]:
    """Yield the other files in which the values of a dataset are stored.

    Args:
        data: The dataset.
        path: Its path in the file.
    """
    created = data.get_create_plist()
    for number in range(created.get_external_count()):
        yield Lead(path, Kind.STORAGE, readable(created.get_external(number)[0]))
    if created.get_layout() == h5d.VIRTUAL:
        names = {readable(created.get_virtual_filename(n)) for n in range(created.get_virtual_count())}
        yield from (Lead(path, Kind.VIRTUAL, name) for name in sorted(names - {ITSELF}))


def parts_of_itself(data: h5d.DatasetID) -> set[str]:
    """Return the datasets of its own file of which a virtual dataset consists.

    The set is empty for a dataset that is not virtual.
    """
    created = data.get_create_plist()
    if created.get_layout() != h5d.VIRTUAL:
        return set()
    parts = [n for n in range(created.get_virtual_count()) if readable(created.get_virtual_filename(n)) == ITSELF]
    return {f"/{readable(created.get_virtual_dsetname(n)).strip('/')}" for n in parts}


def overlaps(data: h5d.DatasetID) -> bool:
    """Return whether a virtual dataset consists of more values than it has.

    Each part is read again, so that reading could take very long.
    """
    created = data.get_create_plist()
    if created.get_layout() != h5d.VIRTUAL:
        return False
    spaces = [created.get_virtual_vspace(number) for number in range(created.get_virtual_count())]
    return sum(map(_taken, spaces)) > data.get_space().get_simple_extent_npoints()


def _taken(space: h5s.SpaceID) -> int:
    """Return how many values are selected, 0 for a selection without end."""
    try:
        return int(space.get_select_npoints())
    except RuntimeError:
        return 0


def is_self_contained(file: h5py.File, path: str) -> bool:
    """Return whether an object and all below it use no other file.

    A virtual dataset does not count as self-contained, because the datasets that it uses may lead on.

    Args:
        file: The open file.
        path: Path of the object.
    """
    home, seen, pending = _file_of(file), set(), [file[path]]
    while pending:
        item = pending.pop()
        if _file_of(item) != home or (isinstance(item, h5py.Dataset) and not _is_plain(item.id)):
            return False
        if isinstance(item, h5py.Group) and item.id not in seen:
            seen.add(item.id)
            pending += [member for name in item if (member := item.get(name)) is not None]
    return True


def _is_plain(data: h5d.DatasetID) -> bool:
    created = data.get_create_plist()
    return created.get_layout() != h5d.VIRTUAL and not created.get_external_count()


def address_of(item: h5py.Group | h5py.Dataset) -> int:
    """Return the address of an object in its file."""
    return int(h5o.get_info(item.id).addr)


def _file_of(item: h5py.Group | h5py.Dataset) -> int:
    return int(h5o.get_info(item.id).fileno)


def shortened(name: str) -> str:
    """Return a name of at most :data:`.bounds.MOST_LABEL` characters.

    >>> shortened("spike_times")
    'spike_times'
    """
    return name if len(name) <= MOST_LABEL else f"{name[:MOST_LABEL]}..."


def readable(name: str | bytes) -> str:
    """Return a name from a file as text, whatever its bytes are.

    >>> readable(b"position")
    'position'
    """
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
