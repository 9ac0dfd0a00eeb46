"""Rows of a table that another object of the file points to (a DynamicTableRegion)."""

from __future__ import annotations

import numpy as np

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, name_of, parent, unknown_path
from xcebra_nwb.nwb.reading.values import numbers


def pointed_to(file: NwbFile, population: Population, path: str) -> Population:
    """Return the units of ``population`` whose rows the table region at ``path`` points to.

    Raises:
        UsageError: there is no such object, or it points into another table.
    """
    holder = file.groups.get(parent(path))
    region = dataset(holder, name_of(path)) if holder is not None and "/" in path else None
    if region is None:
        raise unknown_path("neural.rows", path, _regions(file))
    target = _target(file, path)
    if target != population.path:
        raise UsageError(
            f"neural.rows: {path} points into {target or 'no table'}, not into {population.path}",
            "name neural.source too, or a region of its units",
        )
    return population.keep(np.isin(population.table["row"], numbers(region).astype(np.int64)))


def _regions(file: NwbFile) -> list[str]:
    """The paths of all table regions of the file."""
    paths = [f"{path}/{name}" for path, group in file.groups.items() for name in group]
    return [path for path in paths if _target(file, path)]


def _target(file: NwbFile, path: str) -> str:
    """The path of the table that a region points into, "" for what is no region."""
    try:
        return str(file.referred(file.h5[path].attrs["table"]).name)
    except UNREADABLE:
        return ""
