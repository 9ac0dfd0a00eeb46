"""Columns of the units table that say what was found of each unit, where every reader of NWB looks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from xcebra_nwb.core.carriers import carriers, information_of

PREFIX = "xcebra"
CARRIES, NOT_FOUND, UNTESTED = "carries", "not found to", "not tested"  # no truth values: pynapple leaves those out


def add_unit_columns(path: Path, table: str, rows: np.ndarray, attribution: xr.Dataset) -> None:
    """Add a few columns for each label to the table of the units of an exported file.

    Programs such as pynapple and Neurosift show the columns of the units table beside the spikes, and no other table.
    A column that an earlier analysis of the same file added is replaced. The columns are written as pynwb writes them,
    but not by pynwb: it would write the other columns of the table anew, and fails on some that it can copy.

    Args:
        path: The exported file.
        table: Path of the table in it.
        rows: Row of each unit in that table, shape (unit,).
        attribution: Content of attribution.nc.
    """
    with h5py.File(path, "r+") as file:
        group = file[table]
        identifiers = group["id"]
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs["colnames"]]
        for name, description, values in _columns(attribution):
            text = values.dtype == object
            column = np.full(len(identifiers), UNTESTED if text else np.nan, dtype=values.dtype)
            column[rows] = values
            if name in group:
                del group[name]
            data = group.create_dataset(name, data=column, dtype=h5py.string_dtype() if text else None)
            data.attrs["namespace"] = identifiers.attrs["namespace"]  # that of the file's own version
            data.attrs["neurodata_type"] = "VectorData"
            data.attrs["object_id"] = str(uuid.uuid4())
            data.attrs["description"] = description
            names += [name] if name not in names else []
        group.attrs.create("colnames", names, dtype=h5py.string_dtype())


def _columns(attribution: xr.Dataset) -> Iterator[tuple[str, str, np.ndarray]]:
    for label in map(str, attribution["label"].values):
        chosen = attribution.sel(label=label)
        told, z = information_of(chosen)["information"].values, chosen["z"].values
        units = str(information_of(chosen)["information"].attrs.get("units", "")) or "bits a spike or share of variance"
        if np.isfinite(told).any():
            start = f"{PREFIX}_{label}"
            yield (
                f"{start}_information",
                f"what {label} tells about the unit's activity beyond all other labels, in {units}; it can be below 0, "
                "and is NaN where the unit was not analysed",
                told.astype(float),
            )
            yield (
                f"{start}_information_q",
                "false discovery rate of that information over units, against shuffled labels; at most 0.05 of a unit "
                f"that {CARRIES} {label}",
                information_of(chosen)["information_q"].values.astype(float),
            )
            found = np.where(carriers(chosen).values, CARRIES, np.where(np.isfinite(told), NOT_FOUND, UNTESTED))
            yield (
                start,
                f"whether the unit carries {label}: {CARRIES}, {NOT_FOUND}, or {UNTESTED}",
                found.astype(object),
            )
        if np.isfinite(z).any():
            yield (
                f"{PREFIX}_{label}_z",
                f"the unit's share in the map of {label} against the unit's own nulls; NaN where it was not analysed",
                z.astype(float),
            )
            yield (
                f"{PREFIX}_{label}_z_q",
                f"false discovery rate of that z over units, against nulls of {label}",
                chosen["q_value"].values.astype(float),
            )
