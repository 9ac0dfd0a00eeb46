"""Remove recorded and derived series from a copy of the source.

Identity, subject, devices, electrodes, units and intervals stay.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, MutableMapping
from typing import Any

import h5py
from pynwb import NWBFile
from pynwb.epoch import TimeIntervals
from pynwb.misc import Units

KEPT_TYPES = (Units, TimeIntervals)
KEPT_PATHS = ("/general", "/intervals", "/units")

Collections = dict[str, MutableMapping[str, Any]]


def slim(nwbfile: NWBFile, h5: h5py.File, module: str) -> None:
    """Take series and derived data out of an NWB file in memory.

    The file on disk is not changed. Objects to which a remaining object refers or links stay, such as the sweeps of a
    patch-clamp table. The processing module ``module`` stays, too, even if it is empty.

    Args:
        nwbfile: The NWB file, which pynwb read.
        h5: The HDF5 file that it was read from.
        module: Name of the processing module to keep.
    """
    collections = _collections(nwbfile)
    kept = {
        f"{path}/{name}" for path, held in collections.items() for name in held if isinstance(held[name], KEPT_TYPES)
    }
    kept |= _needed([*KEPT_PATHS, *kept], h5, collections)
    for path, held in collections.items():
        for name in [name for name in held if f"{path}/{name}" not in kept]:
            held.pop(name)
    for name in [n for n, held in nwbfile.processing.items() if n != module and not held.data_interfaces]:
        nwbfile.processing.pop(name)


def _collections(nwbfile: NWBFile) -> Collections:
    """Return the collections to reduce, by their path in the file."""
    modules = {f"/processing/{name}": module.data_interfaces for name, module in nwbfile.processing.items()}
    return {
        "/acquisition": nwbfile.acquisition,
        "/stimulus/presentation": nwbfile.stimulus,
        "/stimulus/templates": nwbfile.stimulus_template,
        "/analysis": nwbfile.analysis,
        "/scratch": nwbfile.scratch,
        **modules,
    }


def _needed(paths: list[str], h5: h5py.File, collections: Collections) -> set[str]:
    """Return the objects that ``paths`` need, directly or through one another."""
    needed: set[str] = set()
    pending = [path for path in paths if path in h5]
    while pending:
        for target in set(_targets(h5[pending.pop()])):
            owner = next((p for p in map(str, _ancestors(target)) if posixpath.dirname(p) in collections), None)
            if owner is not None and owner not in needed and owner not in paths:
                needed.add(owner)
                pending.append(owner)
    return needed


def _ancestors(path: str) -> Iterator[str]:
    while path not in {"", "/"}:
        yield path
        path = posixpath.dirname(path)


def _targets(item: h5py.Group | h5py.Dataset) -> Iterator[str]:
    """Yield the paths to which an object and its members refer or link."""
    for value in item.attrs.values():
        if isinstance(value, h5py.Reference) and value:
            yield item.file[value].name
    if isinstance(item, h5py.Dataset):
        yield from _referred(item)
        return
    for name in item:
        link = item.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink):
            yield posixpath.normpath(posixpath.join(item.name, link.path))
        elif isinstance(link, h5py.HardLink):
            yield from _targets(item[name])


def _referred(data: h5py.Dataset) -> Iterator[str]:
    """Yield the paths to which the values of a dataset refer."""
    fields = [None] if data.dtype.names is None else list(data.dtype.names)
    for field in fields:
        dtype = data.dtype if field is None else data.dtype[field]
        if h5py.check_ref_dtype(dtype) is h5py.Reference:
            values = data[()] if field is None else data[field]
            yield from (data.file[value].name for value in values.reshape(-1) if value)
