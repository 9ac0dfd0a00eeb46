"""Read and write netCDF4 files: any dataset, whole or variable by variable, without following links."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic, check_file, make_room
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.hdf5.scan import check_self_contained
from xcebra_nwb.core.outputs import command_writing

ON_DISK = "on disk"  # the role of a variable that may not fit the memory
CHUNK = 2**17  # values that are compressed together: less than what HDF5 keeps open


def new_variable(
    file: h5netcdf.File, name: str, dims: tuple[str, ...], dtype: np.dtype | type, fill: float | None = None
) -> h5netcdf.Variable:
    """Return a new, compressed variable of an open netCDF4 file, written in stretches of its last dimension but one.

    What was never written is ``fill``.
    """
    rows, columns = (file.dimensions[dim].size for dim in dims[-2:])
    chunks = (*[1] * (len(dims) - 2), max(1, min(rows, CHUNK // columns)), columns)
    return file.create_variable(
        name, dims, dtype, chunks=chunks, compression="gzip", compression_opts=4, fillvalue=fill
    )


def save_dataset(dataset: xr.Dataset, path: Path | str) -> None:
    """Write any dataset to ``path`` (netCDF4, numeric variables compressed), whole or not at all."""
    with atomic(path) as temporary:
        add_dataset(dataset, temporary)


def add_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write any dataset to ``path`` (netCDF4, numeric variables compressed), beside what the file holds already."""
    encoding: dict[Any, dict[str, Any]] = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "fiub" and variable.ndim
    }
    make_room(path.parent, dataset.nbytes)
    dataset.to_netcdf(path, mode="a", engine="h5netcdf", encoding=encoding)


def load_dataset(path: Path | str, lazily: Collection[str] = ()) -> xr.Dataset:
    """Return any dataset of ``path``, in memory, without the variables whose ``role`` is :data:`ON_DISK`.

    Variables named in ``lazily`` are read when they are asked for, slice by slice; ``.values`` would keep the whole.
    The file stays open as long as they are there.

    Raises:
        UsageError: there is no such file, or it is not netCDF4.
        Refusal: something in it leads into another file, or declares more than it holds.
    """
    if not Path(path).exists():
        raise UsageError(f"{path}: no such file", f"run {command_writing(path)} first")
    check_file(path)
    try:
        with h5py.File(path) as h5:  # what is no HDF5 file at all h5netcdf says in many lines
            check_self_contained(h5, str(path))  # results may be a stranger's
            for name, item in h5.items():
                if isinstance(item, h5py.Dataset) and name not in lazily and item.attrs.get("role") != ON_DISK:
                    check_size(item)
        stored = xr.open_dataset(path, engine="h5netcdf")
        found = stored.drop_vars([n for n, v in stored.data_vars.items() if v.attrs.get("role") == ON_DISK])
        for name, variable in found.variables.items():
            if name not in lazily:
                variable.load()
        if not lazily:
            stored.close()
        return found
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # HDF5's, by where the damage is
        remedy = f"delete it and run {command_writing(path)} again"
        raise UsageError(f"{path}: not a netCDF4 file: {error}", remedy) from None


def decode_list(text: str) -> list[str]:
    """Return the list of strings kept as JSON in an attr."""
    return [str(item) for item in json.loads(text)]
