"""Write series and tables of an NWB file in every way in which files store them: HDF5 with links, offsets, Zarr, ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from numcodecs import VLenUTF8


@dataclass(frozen=True)
class Storage:
    """A way to store series and tables: its name, what is added to all times (s), and whether the file is Zarr."""

    name: str
    shift: float = 0.0
    zarr: bool = False


TIMESTAMPS = Storage("timestamps")
STORAGES = [
    Storage("rate"),
    Storage("float32"),
    Storage("scaled"),
    Storage("unsorted"),
    Storage("shared_times"),
    Storage("compressed"),
    Storage("linked"),
    Storage("times_missing"),
    Storage("repeated"),
    Storage("shifted", shift=1000.0),
    Storage("negative", shift=-500.0),
    Storage("zarr", zarr=True),
]


def write_series(
    h5: h5py.File, path: str, kind: str, storage: Storage, times: np.ndarray, data: np.ndarray, unit: str
) -> None:
    """Write a series.

    Args:
        h5: the open file.
        path: of the series, or of the link to it.
        kind: its neurodata type.
        storage: how times and values are stored.
        times: of the samples, s, (sample,).
        data: values, (sample, ...).
        unit: of the values.
    """
    times = times + storage.shift
    where = "/acquisition/elsewhere" if storage.name == "linked" else path
    group = typed_group(h5, where, kind)
    options: dict[str, Any] = {"chunks": True, "compression": "gzip"} if storage.name == "compressed" else {}
    if storage.name == "repeated":
        times, data = np.repeat(times, 2), np.repeat(data, 2, axis=0)
    if storage.name == "unsorted":
        order = np.random.default_rng(1).permutation(len(times))
        times, data = times[order], data[order]
    if storage.name == "times_missing":
        times, data = np.r_[times, np.nan, np.nan], np.concatenate([data, data[:2]])
    if storage.name == "scaled":
        data = (data - 3.0) / 0.25
    stored = group.create_dataset("data", data=data, **options)
    stored.attrs["unit"] = unit
    if storage.name == "scaled":
        stored.attrs["conversion"], stored.attrs["offset"] = 0.25, 3.0
    if storage.name == "rate":
        start = group.create_dataset("starting_time", data=times[0])
        start.attrs["rate"] = 1 / (times[1] - times[0])
    elif storage.name == "shared_times":
        typed_group(h5, "/acquisition/clock", "TimeSeries")["timestamps"] = times
        group["timestamps"] = h5py.SoftLink("/acquisition/clock/timestamps")
    else:
        group.create_dataset("timestamps", data=times.astype(np.float32) if storage.name == "float32" else times)
    if storage.name == "linked":
        typed_group(h5, path.rsplit("/", 1)[0], "")
        h5[path] = h5py.SoftLink(where)


def write_table(
    h5: h5py.File, path: str, intervals: Sequence[Sequence[float]], shift: float = 0.0, **columns: Any
) -> None:
    """Write a table of intervals.

    Args:
        h5: the open file.
        path: of the table.
        intervals: start and stop of each row, s.
        shift: added to the times, s.
        columns: by name, with a value for each row; a column ``*_time`` is shifted too.
    """
    group = typed_group(h5, path, "TimeIntervals")
    rows = np.asarray(intervals, dtype=float) + shift
    group["id"], group["start_time"], group["stop_time"] = np.arange(len(rows)), rows[:, 0], rows[:, 1]
    for name, content in columns.items():
        values = np.asarray(content)
        if values.dtype.kind == "U":
            group.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
        else:
            group[name] = values + shift if name.endswith("_time") else values
    group.attrs["colnames"] = ["start_time", "stop_time", *columns]


def typed_group(h5: h5py.File, path: str, kind: str) -> h5py.Group:
    """Return the group at ``path``, made with the groups above it; each carries a neurodata type, as in an NWB file."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts)):
        holder = h5.require_group("/".join(parts[:depth]))
        if depth > 1 and "neurodata_type" not in holder.attrs:
            named = parts[depth - 1]
            holder.attrs["neurodata_type"] = named if named[0].isupper() and " " not in named else "ProcessingModule"
    group = h5.require_group(path)
    if kind:
        group.attrs["neurodata_type"] = kind
    return group


def as_zarr(path: Path) -> Path:
    """Return a folder with the content of an HDF5 file, laid out as hdmf-zarr does: links and scalars in attributes."""
    folder = path.with_suffix(".nwb.zarr")
    with h5py.File(path) as h5:
        root = zarr.open_group(str(folder), mode="w")
        root.attrs.update(_attributes(h5))
        _copy(h5, root, "")
    return folder


def _copy(source: h5py.Group, target: zarr.Group, where: str) -> None:
    links = []
    for name in source:
        link, item = source.get(name, getlink=True), source[name]
        if isinstance(link, h5py.SoftLink):
            links.append({"name": name, "path": link.path, "source": ".", "object_id": "", "source_object_id": ""})
        elif isinstance(item, h5py.Group):
            group = target.create_group(name)
            group.attrs.update(_attributes(item))
            _copy(item, group, f"{where}/{name}")
        else:
            _copy_values(item, target, name)
    if links:
        target.attrs["zarr_link"] = links


def _copy_values(item: h5py.Dataset, target: zarr.Group, name: str) -> None:
    text = h5py.check_string_dtype(item.dtype) is not None
    values = np.atleast_1d(np.asarray(item.asstr()[()] if text else item[()], dtype=object if text else item.dtype))
    array = target.create_dataset(name, data=values, object_codec=VLenUTF8() if text else None, shape=values.shape)
    array.attrs.update(_attributes(item) | ({"zarr_dtype": "scalar"} if not item.shape else {}))


def _attributes(item: Any) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in item.attrs.items()}
