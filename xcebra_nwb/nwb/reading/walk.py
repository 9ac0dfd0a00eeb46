"""List the groups of a file once each, by their own paths."""

from __future__ import annotations

from collections import deque

import h5py

from xcebra_nwb.core.hdf5.bounds import MOST_NAME, MOST_SHOWN
from xcebra_nwb.core.hdf5.scan import UNREADABLE

LOST = "dangling link"  # how a link that leads nowhere is called
SKIPPED = {"specifications", "general"}


def walk(h5: h5py.File) -> tuple[dict[str, h5py.Group], dict[str, str]]:
    """Return all groups by path, and the problems by path.

    Hard links are followed first, so that an object is known by its own path and not by a link to it. /general and the
    cached specifications are left out.

    >>> with h5py.File("walk", "w", driver="core", backing_store=False) as h5:
    ...     _ = h5.create_group("processing/behavior")
    ...     list(walk(h5)[0])
    ['/processing', '/processing/behavior']
    """
    groups: dict[str, h5py.Group] = {}
    problems: dict[str, str] = {}
    seen = {identity_of(h5)}
    hard: deque[tuple[str, h5py.Group]] = deque([("", h5)])
    soft: deque[tuple[str, h5py.Group, str]] = deque()
    while hard or soft:
        if hard:
            path, group = hard.popleft()
            reached = _members(path, group, soft, problems)
        else:
            reached = _target(*soft.popleft(), problems)
        for path, group in reached.items():
            identity = identity_of(group)
            if identity not in seen:
                seen.add(identity)
                groups[path] = group
                hard.append((path, group))
    return groups, problems


def _members(
    path: str, group: h5py.Group, soft: deque[tuple[str, h5py.Group, str]], problems: dict[str, str]
) -> dict[str, h5py.Group]:
    """Return the groups in ``group``; put off its soft and external links."""
    members: dict[str, h5py.Group] = {}
    for name in _names(path, group, problems):
        try:
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                item = group[name]
                if is_group(item):
                    members[f"{path}/{name}"] = item
            else:
                soft.append((f"{path}/{name}", group, name))
        except UNREADABLE as error:
            problems[f"{path}/{name}"] = f"unreadable: {error}"
    return members


def _names(path: str, group: h5py.Group, problems: dict[str, str]) -> list[str]:
    try:
        names = [name for name in group if path or name not in SKIPPED]
    except UNREADABLE as error:
        problems[path or "/"] = f"unreadable: {error}"
        return []
    for name in names:
        if len(name) > MOST_NAME:
            problems[f"{path}/{name[:MOST_SHOWN]}..."] = f"its name has {len(name)} characters, more than {MOST_NAME}"
    return [name for name in names if len(name) <= MOST_NAME]


def _target(path: str, group: h5py.Group, name: str, problems: dict[str, str]) -> dict[str, h5py.Group]:
    """Return the group that a link leads to, if it leads to one."""
    try:
        item = group[name]
    except UNREADABLE:
        link = group.get(name, getlink=True)
        problems[path] = f"{LOST} to {getattr(link, 'filename', '')}{getattr(link, 'path', '')}"
        return {}
    return {path: item} if is_group(item) else {}


def is_group(item: object) -> bool:
    """Return whether an object is a group, of HDF5 or of Zarr."""
    return hasattr(item, "attrs") and not hasattr(item, "dtype")


def identity_of(group: h5py.Group) -> tuple[int, int]:
    """Return an identifier that is equal for the same group under any path."""
    if not isinstance(group, h5py.Group):
        return group.identity
    try:
        information = h5py.h5o.get_info(group.id)
    except UNREADABLE:
        return -1, id(group)
    return int(information.fileno), int(information.addr)
