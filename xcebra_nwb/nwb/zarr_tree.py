"""Zarr as hdmf-zarr lays NWB out, behind the same few calls that h5py answers: no reader knows the difference.

Groups and datasets here answer to what this package asks of ``h5py.Group`` and ``h5py.Dataset``. Links and references,
which Zarr does not have, are JSON attributes: ``zarr_link`` lists a group's links; a reference is a dictionary with a
``path``. Columns of references are pickled by hdmf-zarr, and are never unpickled here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import zarr

MOST_CHUNK_BYTES = 2**31  # of one chunk, decoded
MOST_CHUNKS = 1_000_000  # of one array
HIDDEN = {"zarr_link", "zarr_dtype"}


class Reference(str):
    """The path that an object reference leads to."""


class ZarrAttributes(Mapping[str, Any]):
    """The attributes of an object; references as :class:`Reference`."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self._attributes = {name: value for name, value in attributes.items() if name not in HIDDEN}

    def __getitem__(self, name: str) -> Any:
        value = self._attributes[name]
        if isinstance(value, Mapping) and "value" in value:
            return Reference(value["value"]["path"])
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)


class ZarrDataset:
    """An array, read in the pieces that are asked for; texts come as ``str``."""

    def __init__(self, array: zarr.Array) -> None:
        self._array = array
        self.name = f"/{array.path}"
        self.attrs = ZarrAttributes(array.attrs.asdict())
        stored = array.attrs.get("zarr_dtype")
        self._scalar = stored == "scalar"
        self.shape = () if self._scalar else tuple(int(length) for length in array.shape)
        self.dtype = _dtype(array, stored)

    def __getitem__(self, selection: Any) -> Any:
        chunk = float(np.prod(self._array.chunks, dtype=np.float64)) * self.dtype.itemsize
        if chunk > MOST_CHUNK_BYTES:
            raise OSError(f"{self.name}: a chunk of {chunk:.3g} bytes")
        if any(codec.codec_id == "pickle" for codec in self._array.filters or ()):
            raise OSError(f"{self.name}: pickled, which is never read")
        with _as_h5py_would(self.name):
            if self._scalar:
                return self._array[...].reshape(-1)[0]
            if isinstance(selection, np.ndarray | list):
                return self._array.oindex[selection]
            return self._array[selection]

    @property
    def stored(self) -> int:
        """How many bytes may be stored: as many as are declared, in a number of chunks that a store can hold."""
        return int(self._array.nbytes) if self._array.nchunks <= MOST_CHUNKS else 0

    def asstr(self, errors: str = "strict") -> ZarrDataset:
        """Return the dataset itself: its texts are decoded already."""
        return self


class ZarrGroup:
    """A group; its links come after its members."""

    def __init__(self, group: zarr.Group, root: ZarrGroup | None = None) -> None:
        self._group, self._root = group, root or self
        self.name = group.name
        attributes = group.attrs.asdict()
        self.attrs = ZarrAttributes(attributes)
        self._links = {str(link["name"]): link for link in attributes.get("zarr_link", [])}

    @property
    def identity(self) -> tuple[int, int]:
        """The same for the same group of the same store."""
        return id(self._root), hash(self.name)

    def __iter__(self) -> Iterator[str]:
        with _as_h5py_would(self.name):
            names = {*self._group.group_keys(), *self._group.array_keys(), *self._links}
        yield from sorted(names)

    def __contains__(self, path: str) -> bool:
        return self.get(path) is not None

    def __getitem__(self, path: str) -> ZarrGroup | ZarrDataset:
        start, parts = self, [part for part in str(path).split("/") if part]
        if isinstance(path, Reference) or str(path).startswith("/"):
            start = self._root
        item: ZarrGroup | ZarrDataset = start
        for part in parts:
            if not isinstance(item, ZarrGroup):
                raise KeyError(f"{item.name} holds nothing")
            item = item._member(part)
        return item

    def get(self, name: str, default: Any = None, getlink: bool = False) -> Any:
        """Return the member ``name``, or what kind of link it is."""
        if getlink:
            link = self._links.get(name)
            return h5py.HardLink() if link is None else h5py.SoftLink(str(link.get("path")))
        try:
            return self[name]
        except KeyError:
            return default

    def _member(self, name: str) -> ZarrGroup | ZarrDataset:
        if name in self._links:
            return self._target(self._links[name])
        with _as_h5py_would(f"{self.name}/{name}"):
            item = self._group[name]
            return ZarrGroup(item, self._root) if isinstance(item, zarr.Group) else ZarrDataset(item)

    def _target(self, link: Mapping[str, Any]) -> ZarrGroup | ZarrDataset:
        if posixpath.normpath(str(link.get("source") or ".")) != ".":
            raise KeyError(f"a link to {link['source']}, another file")
        return self._root[f"/{link.get('path') or ''}"]


@contextmanager
def _as_h5py_would(name: str) -> Iterator[None]:
    """Zarr and its codecs fail in many ways; h5py fails in one."""
    try:
        yield
    except (KeyError, OSError):
        raise
    except Exception as error:
        raise OSError(f"{name}: {error}") from error


def _dtype(array: zarr.Array, stored: Any) -> np.dtype:
    """The type of the values in h5py's words: texts and references are told from other objects."""
    if array.dtype.kind != "O":
        return array.dtype
    return h5py.ref_dtype if stored == "object" else h5py.string_dtype()
