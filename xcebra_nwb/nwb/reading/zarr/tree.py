"""Give groups and arrays of Zarr the interface of h5py that the readers use.

Zarr has no links and references. hdmf-zarr stores them in JSON attributes. In format 2, ``zarr_link`` lists the links
of a group, a reference is a mapping with ``value``, and columns of references are pickled, which is never read. In
format 3 they are called ``_LINKS`` and ``_REFERENCE``, and columns of references are texts.
"""

from __future__ import annotations

import math
import posixpath
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from xcebra_nwb.nwb.reading.zarr.array import ZarrArray
from xcebra_nwb.nwb.reading.zarr.bounds import MOST_LINKS
from xcebra_nwb.nwb.reading.zarr.files import Files
from xcebra_nwb.nwb.reading.zarr.layout import layout

LINKS = ("zarr_link", "_LINKS")
REFERENCES = ("value", "_REFERENCE")
HIDDEN = {*LINKS, "zarr_dtype", "_DTYPE", "_REFERENCE_FIELDS"}
OF_REFERENCES = {("zarr_dtype", "object"), ("_DTYPE", "object_reference")}


@dataclass(frozen=True)
class Node:
    """A group or an array as the metadata state it.

    Attributes:
        attributes: Its attributes.
        array: Metadata of the array; None for a group.
        zarr_format: Zarr format, 2 or 3.
        problem: Reason why it cannot be read, "" if it can.
    """

    attributes: Mapping[str, Any]
    array: Mapping[str, Any] | None
    zarr_format: int
    problem: str = ""


class Tree:
    """All nodes of a recording, by path from the root."""

    def __init__(self, files: Files, nodes: Mapping[str, Node]) -> None:
        self.files, self.nodes = files, nodes
        self.members: dict[str, list[str]] = {}
        self._links: dict[str, dict[str, Mapping[str, Any]]] = {}
        for path in nodes:
            above, _, name = path.rpartition("/")
            if path and above in nodes:
                self.members.setdefault(above, []).append(name)

    def at(self, path: str) -> ZarrGroup | ZarrDataset:
        """Return the object at a path from the root, following links.

        Raises:
            KeyError: There is none, or it lies in another recording.
            OSError: It cannot be read.
        """
        here, parts, links = "", deque(_parts(path)), 0
        while parts:
            part = parts.popleft()
            link = self.links(here).get(part)
            if link is None:
                here = posixpath.join(here, part)
            else:
                links += 1
                if links > MOST_LINKS:
                    raise KeyError(f"{path}: a circle of links, or more than {MOST_LINKS} of them")
                here = ""
                parts.extendleft(reversed(_parts(_inside(link))))
            if here not in self.nodes:
                raise KeyError(f"/{here}: no such object")
        return self._made(here)

    def links(self, path: str) -> dict[str, Mapping[str, Any]]:
        """Return the links of a group by name; an array has none."""
        if path not in self._links:
            node = self.nodes[path]
            self._links[path] = _links(node.attributes) if node.array is None else {}
        return self._links[path]

    def _made(self, path: str) -> ZarrGroup | ZarrDataset:
        node = self.nodes[path]
        if node.problem:
            raise OSError(f"/{path}: {node.problem}")
        return ZarrGroup(path, self) if node.array is None else ZarrDataset(path, self)


class Reference(str):
    """The path that an object reference leads to."""


class ZarrAttributes(Mapping[str, Any]):
    """The attributes of an object; a reference is a :class:`Reference`."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._attributes = {name: value for name, value in attributes.items() if name not in HIDDEN}

    def __getitem__(self, name: str) -> Any:
        return _value(self._attributes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


class ZarrDataset:
    """An array that reads only the values that are asked for; texts are ``str``."""

    def __init__(self, path: str, tree: Tree) -> None:
        node = tree.nodes[path]
        assert node.array is not None
        self.name = f"/{path}"
        self.attrs = ZarrAttributes(node.attributes)
        with _as_h5py_would(self.name):
            self._layout = layout(node.array, node.zarr_format)
        self._array = ZarrArray(tree.files, path, self._layout)
        self._scalar = node.attributes.get("zarr_dtype") == "scalar"
        self._references = any(node.attributes.get(name) == value for name, value in OF_REFERENCES)
        self.shape = () if self._scalar else self._layout.shape
        texts = h5py.ref_dtype if self._references else h5py.string_dtype()
        self.dtype = texts if self._layout.dtype.kind in "OSU" else self._layout.dtype

    def __getitem__(self, selection: Any) -> Any:
        with _as_h5py_would(self.name):
            if self._layout.unread:
                raise OSError(self._layout.unread)
            values = self._array.read(() if self._scalar else selection)
            values = self._as_texts(values) if self._layout.dtype.kind in "OSU" else values
            return values.reshape(-1)[0] if self._scalar else values

    def _as_texts(self, values: Any) -> Any:
        if not isinstance(values, np.ndarray):
            return self._text(values)
        texts = np.empty(values.shape, dtype=object)
        texts.reshape(-1)[:] = [self._text(value) for value in values.reshape(-1)]
        return texts

    def _text(self, stored: Any) -> Any:
        if self._references:
            return Reference(stored) if isinstance(stored, str) else Reference(_inside(stored))
        return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored)

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape or ())

    @property
    def stored(self) -> int:
        """The number of bytes that are stored, or declared if that is unknown."""
        known = self._array.stored()
        return int(np.prod(self.shape, dtype=np.float64)) * self.dtype.itemsize if known is None else known

    def asstr(self, errors: str = "strict") -> ZarrDataset:
        """Return the dataset itself, because its texts are already decoded."""
        return self


class ZarrGroup:
    """A group with its members and links."""

    def __init__(self, path: str, tree: Tree) -> None:
        self._path, self._tree = path, tree
        self.name = f"/{path}"
        self.attrs = ZarrAttributes(tree.nodes[path].attributes)
        self._links = tree.links(path)

    @property
    def identity(self) -> tuple[int, int]:
        """An identifier that is equal for the same group of the same recording."""
        return id(self._tree), hash(self._path)

    def __iter__(self) -> Iterator[str]:
        yield from sorted({*self._tree.members.get(self._path, ()), *self._links})

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def __getitem__(self, path: str) -> ZarrGroup | ZarrDataset:
        rooted = isinstance(path, Reference) or str(path).startswith("/")
        return self._tree.at(str(path) if rooted else f"{self._path}/{path}")

    def get(self, name: str, default: Any = None, getlink: bool = False) -> Any:
        """Return a member, or the kind of its link.

        Args:
            name: Name of the member.
            default: Returned if there is no such member.
            getlink: Return the kind of link instead of the member.
        """
        if getlink:
            link = self._links.get(name)
            return h5py.HardLink() if link is None else h5py.SoftLink(str(link.get("path")))
        try:
            return self[name]
        except KeyError:
            return default


def _links(attributes: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return links by name, without those that make no sense."""
    listed = [attributes[name] for name in LINKS if isinstance(attributes.get(name), list)]
    links = [link for stated in listed for link in stated if isinstance(link, Mapping) and "name" in link]
    return {str(link["name"]): link for link in links}


def _value(stated: Any) -> Any:
    """Return the value of an attribute, which may be a reference."""
    if isinstance(stated, Mapping):
        for name in REFERENCES:
            if isinstance(stated.get(name), Mapping):
                return Reference(_inside(stated[name]))
    return stated


def _inside(link: Mapping[str, Any]) -> str:
    """Return the path in this recording that a link or a reference leads to."""
    if posixpath.normpath(str(link.get("source") or ".")) != ".":
        raise KeyError(f"a link to {link['source']!r:.80}, another file")
    return str(link.get("path") or "/")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


@contextmanager
def _as_h5py_would(name: str) -> Iterator[None]:
    """Turn all errors of codecs into OSError, as h5py has it."""
    try:
        yield
    except KeyError:
        raise
    except Exception as error:
        raise OSError(f"{name}: {error}") from error
