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
from xcebra_nwb.core.files import atomic, check_disk_space, check_file
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.hdf5.scan import check_self_contained
from xcebra_nwb.core.outputs import command_writing
from xcebra_nwb.core.passing import as_failure

ON_DISK = "on disk"  # the role of a variable that may not fit the memory
VALUES_PER_CHUNK = 2**17  # values that are compressed together; HDF5 keeps more open


def new_variable(
    file: h5netcdf.File, name: str, dims: tuple[str, ...], dtype: np.dtype | type, fill: float | None = None
) -> h5netcdf.Variable:
    """Return a new, compressed variable of an open netCDF4 file.

    It is written in stretches of its last dimension but one.

    Args:
        file: The open file, which has the dimensions.
        name: Name of the variable.
        dims: Names of its dimensions, two or more.
        dtype: Type of its values.
        fill: Value of what is never written.
    """
    rows, columns = (file.dimensions[dim].size for dim in dims[-2:])
    chunks = (*[1] * (len(dims) - 2), max(1, min(rows, VALUES_PER_CHUNK // columns)), columns)
    return file.create_variable(
        name, dims, dtype, chunks=chunks, compression="gzip", compression_opts=4, fillvalue=fill
    )


def save_dataset(dataset: xr.Dataset, path: Path | str) -> None:
    """Write a dataset to ``path``, whole or not at all.

    The file is netCDF4; numeric variables are compressed.
    """
    with atomic(path) as temporary:
        add_dataset(dataset, temporary)


def add_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset to ``path``, in addition to the file's earlier content.

    The file is netCDF4; numeric variables are compressed.
    """
    encoding: dict[Any, dict[str, Any]] = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "fiub" and variable.ndim
    }
    check_disk_space(path.parent, dataset.nbytes)
    dataset.to_netcdf(path, mode="a", engine="h5netcdf", encoding=encoding)


def load_dataset(path: Path | str, lazily: Collection[str] = ()) -> xr.Dataset:
    """Return the dataset of ``path`` in memory, with the names of this version.

    Variables whose ``role`` is :data:`ON_DISK` are left out. Variables named in ``lazily`` are read on demand, slice by
    slice (``.values`` would keep the whole); the file stays open as long as they exist.

    Raises:
        UsageError: There is no such file, or it is not netCDF4.
        Failure: It is open for writing elsewhere, may not be read, or the disk fails.
        Refusal: A link in it leads to another file, or it declares more data than it holds.
    """
    if not Path(path).exists():
        raise UsageError(f"{path}: no such file", f"run {command_writing(path)} first")
    check_file(path)
    try:
        with h5py.File(path) as h5:  # h5netcdf reports other files in many lines
            check_self_contained(h5, str(path))  # results may come from somebody else
            for name, item in h5.items():
                if isinstance(item, h5py.Dataset) and name not in lazily and item.attrs.get("role") != ON_DISK:
                    check_size(item)
        stored = xr.open_dataset(path, engine="h5netcdf")
        dataset = stored.drop_vars([n for n, v in stored.data_vars.items() if v.attrs.get("role") == ON_DISK])
        for name, variable in dataset.variables.items():
            if name not in lazily:
                variable.load()
        if not lazily:
            stored.close()
        return with_current_names(dataset)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:  # by the kind of damage
        if failure := as_failure(error, str(path)):
            raise failure from None
        remedy = f"delete it and run {command_writing(path)} again"
        raise UsageError(f"{path}: not a netCDF4 file: {error}", remedy) from None


def with_current_names(dataset: xr.Dataset) -> xr.Dataset:
    """Return a dataset of an earlier version with the names of this one.

    Up to version 0.5.0, attribution.nc had a dimension ``method``, which is an argument of ``sel``, and a variable
    ``null`` with the name of its own dimension; and units had no index.

    >>> old = xr.Dataset({"z": ("unit", [1.0, 2.0])}, coords={"unit_id": ("unit", ["7", "9"]), "method": ["ablation"]})
    >>> new = with_current_names(old)
    >>> float(new["z"].sel(unit="9")), sorted(new.coords)
    (2.0, ['map_method', 'unit', 'unit_id'])
    """
    if "method" in dataset.dims:
        dataset = dataset.rename({"method": "map_method"})
    if "null" in dataset.variables and "null" in dataset.dims:
        dataset = dataset.rename_vars({"null": "null_attribution"}).reset_coords("null_attribution")
    if "unit_id" in dataset.coords and "unit" not in dataset.coords:
        dataset = dataset.assign_coords(unit=("unit", dataset["unit_id"].values))
    return dataset


def attributes(path: Path | str, names: Collection[str]) -> dict[str, str]:
    """Return some attributes of a netCDF4 file as text, "" for those that it does not have; no variable is read.

    Raises:
        UsageError: It is not netCDF4.
        Refusal: A link in it leads to another file.
        OSError: It cannot be opened.
    """
    check_file(path)
    with h5py.File(path) as h5:
        check_self_contained(h5, str(path))
        return {name: str(h5.attrs.get(name, "")) for name in names}


def decode_list(text: str) -> list[str]:
    """Return the list of strings that an attr holds as JSON.

    >>> decode_list('["place", "speed"]')
    ['place', 'speed']
    """
    return [str(item) for item in json.loads(text)]
