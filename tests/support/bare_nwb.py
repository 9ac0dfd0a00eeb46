"""Bare NWB files, written with h5py in milliseconds: what the readers of neural data look at, right or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ELECTRODES = "general/extracellular_ephys/electrodes"
PLANES = "processing/ophys/ImageSegmentation"


@contextmanager
def written(path: Path) -> Iterator[h5py.File]:
    """Yield a new file that calls itself NWB, to add objects to."""
    with h5py.File(path, "w") as h5:
        h5.attrs["nwb_version"], h5.attrs["neurodata_type"] = "2.8.0", "NWBFile"
        yield h5


def _table(h5: h5py.File, path: str, kind: str, ids: Sequence[int], columns: dict[str, Any]) -> h5py.Group:
    table = h5.create_group(path)
    table.attrs["neurodata_type"], table.attrs["colnames"] = kind, [*columns]
    table["id"] = np.asarray(ids, dtype=np.int64)
    for name, values in columns.items():
        table[name] = values if isinstance(values, np.ndarray) else list(values)
        table[name].attrs["description"] = f"{name} of a row"
    return table


def add_units(h5: h5py.File, ids: Sequence[int], path: str = "units", **columns: Any) -> h5py.Group:
    """Add a units table; every unit has 60 spikes in a minute."""
    table = _table(h5, path, "Units", ids, columns)
    spikes = np.arange(60) + np.linspace(0.1, 0.9, len(ids))[:, None]  # (unit, spike)
    table["spike_times"], table["spike_times_index"] = spikes.reshape(-1), 60 * (1 + np.arange(len(ids)))
    return table


def add_electrodes(h5: h5py.File, ids: Sequence[int], groups: Sequence[str], **columns: Any) -> h5py.Group:
    """Add a table of electrodes, and their groups; ``location`` is that of the electrodes."""
    for name in dict.fromkeys(groups):
        h5.require_group(f"general/extracellular_ephys/{name}").attrs["location"] = f"at {name}"
    return _table(h5, ELECTRODES, "DynamicTable", ids, {"group_name": groups} | columns)


def add_region(h5: h5py.File, rows: Sequence[Sequence[Any]], dtype: str = "i8") -> None:
    """Let ``electrodes`` of the units point to rows of the electrodes table."""
    data = np.array([row for part in rows for row in part], dtype=dtype)
    region = h5.create_dataset("units/electrodes", data=data)
    region.attrs["table"] = h5[ELECTRODES].ref
    h5["units/electrodes_index"] = np.cumsum([len(part) for part in rows])


def add_plane(
    h5: h5py.File, ids: Sequence[int], name: str = "cells", location: str = "VISp", **columns: Any
) -> h5py.Group:
    """Add a PlaneSegmentation of an imaging plane of its own."""
    table = _table(h5, f"{PLANES}/{name}", "PlaneSegmentation", ids, columns)
    plane = h5.create_group(f"general/optophysiology/plane_of_{name}")
    plane["location"] = location
    table["imaging_plane"] = plane
    return table


def add_responses(
    h5: h5py.File,
    path: str,
    plane: h5py.Group,
    rows: Sequence[Any],
    shape: tuple[int, int] | None = None,
    container: str = "Fluorescence",
    dtype: str = "i8",
    unit: str = "n.a.",
) -> h5py.Group:
    """Add a RoiResponseSeries at 10 Hz, of the ``rows`` of a PlaneSegmentation, without timestamps."""
    series = h5.create_group(f"processing/ophys/{path}")
    series.parent.attrs["neurodata_type"], series.attrs["neurodata_type"] = container, "RoiResponseSeries"
    shape = (600, len(rows)) if shape is None else shape
    series["data"] = np.random.default_rng(3).normal(size=shape)
    series["data"].attrs["unit"] = unit
    series["starting_time"] = 0.0
    series["starting_time"].attrs["rate"] = 10.0
    region = series.create_dataset("rois", data=np.array(rows, dtype=dtype))
    region.attrs["table"] = plane.ref
    return series
