"""What in an HDF5 file leads into another file: links, and datasets whose values are kept elsewhere.

Soft links and object references stay inside a file, and what NWB calls an ``external_file`` is only a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum

import h5py
from h5py import h5d, h5l, h5o, h5s

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL

ITSELF = "."  # what a virtual dataset calls the file that it is in


class Follow(Enum):
    """Where that is followed which leads out of a file."""

    NOWHERE = "nowhere"
    FOLDER = "folder"
    ANYWHERE = "anywhere"

    @classmethod
    def local(cls, everywhere: bool) -> Follow:
        """Return where a local file is followed, given whether the user says everywhere."""
        return cls.ANYWHERE if everywhere else cls.FOLDER


class Kind(StrEnum):
    """In which way an object leads out of its file."""

    LINK = "a link into another file"
    STORAGE = "kept outside the file"
    VIRTUAL = "put together from another file"
    UNKNOWN_LINK = "a link of an unknown kind"


@dataclass(frozen=True)
class Lead:
    """An object of a file that leads into another one.

    ``path`` is the object's, ``target`` the name of the other file as it stands in this one.
    """

    path: str
    kind: Kind
    target: str

    def __str__(self) -> str:
        """Return what it is and where it leads, in words."""
        return f"{shortened(self.path)} is {self.how}"

    @property
    def how(self) -> str:
        """In which way it leads where, in words."""
        return f"{self.kind}: {shortened(self.target)}"


def of_link(group: h5py.h5g.GroupID, name: bytes, kind: int, path: str) -> Lead:
    """Return where a link that is neither hard nor soft leads.

    Args:
        group: that holds the link.
        name: of the link.
        kind: its type, as HDF5 numbers them.
        path: of the link in the file.
    """
    if kind != h5l.TYPE_EXTERNAL:
        return Lead(path, Kind.UNKNOWN_LINK, f"type {kind}")
    file, _ = group.links.get_val(name)
    return Lead(path, Kind.LINK, readable(file))


def of_dataset(data: h5d.DatasetID, path: str) -> Iterator[Lead]:
    """Yield every other file that the values of a dataset are kept in."""
    created = data.get_create_plist()
    for number in range(created.get_external_count()):
        yield Lead(path, Kind.STORAGE, readable(created.get_external(number)[0]))
    if created.get_layout() == h5d.VIRTUAL:
        names = {readable(created.get_virtual_filename(n)) for n in range(created.get_virtual_count())}
        yield from (Lead(path, Kind.VIRTUAL, name) for name in sorted(names - {ITSELF}))


def parts_of_itself(data: h5d.DatasetID) -> set[str]:
    """Return which datasets of its own file a virtual dataset is put together from; none where it is not virtual."""
    created = data.get_create_plist()
    if created.get_layout() != h5d.VIRTUAL:
        return set()
    parts = [n for n in range(created.get_virtual_count()) if readable(created.get_virtual_filename(n)) == ITSELF]
    return {f"/{readable(created.get_virtual_dsetname(n)).strip('/')}" for n in parts}


def overlaps(data: h5d.DatasetID) -> bool:
    """Return whether a virtual dataset is put together from more values than it has: each part is read anew."""
    created = data.get_create_plist()
    if created.get_layout() != h5d.VIRTUAL:
        return False
    spaces = [created.get_virtual_vspace(number) for number in range(created.get_virtual_count())]
    return sum(map(_taken, spaces)) > data.get_space().get_simple_extent_npoints()


def _taken(space: h5s.SpaceID) -> int:
    """How many values are selected; 0 where that has no end, as in what grows with its parts."""
    try:
        return int(space.get_select_npoints())
    except RuntimeError:
        return 0


def is_self_contained(file: h5py.File, path: str) -> bool:
    """Return whether what stands at ``path`` of ``file``, links inside it included, is read from no other file.

    A virtual dataset is taken for foreign whatever it is made of: what it leads to may lead on.
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
    """Return where in its file an object stands."""
    return int(h5o.get_info(item.id).addr)


def _file_of(item: h5py.Group | h5py.Dataset) -> int:
    return int(h5o.get_info(item.id).fileno)


def shortened(name: str) -> str:
    """Return a name as it is shown, without what lies beyond :data:`.bounds.MOST_LABEL` characters."""
    return name if len(name) <= MOST_LABEL else f"{name[:MOST_LABEL]}..."


def readable(name: str | bytes) -> str:
    """Return a name out of a file as text, whatever its bytes are."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
