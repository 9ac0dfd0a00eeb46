"""Read the maps of an exported NWB file back as a dataset with the names of attribution.nc."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import xarray as xr

from xcebra_nwb.core.carriers import INFORMATION
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.scan import UNREADABLE, check_self_contained
from xcebra_nwb.nwb.export.objects import SPREAD, TESTED
from xcebra_nwb.nwb.export.read_back import RESULTS
from xcebra_nwb.nwb.reading.file import attribute, dataset, text
from xcebra_nwb.nwb.reading.source import Source, opened, source_name
from xcebra_nwb.nwb.reading.values import is_text, numbers, values

REGIONS = ("location", "region", "brain_area")  # columns of a table of units that say where a unit is
NAMED = "label."  # begins the keys of the lineage that are about a label


def read_results(source: Source) -> tuple[str, xr.Dataset]:
    """Return the name of the session and the maps of an exported file.

    Args:
        source: Path, address or open binary file.

    Returns:
        The name of the session, and a dataset of (map_method, label, unit) with the variables of attribution.nc that
        the file has. Its attribute ``assessment`` has the verdicts, as assessment.json does.

    Raises:
        UsageError: There is no such file, or this package did not write it.
    """
    name = source_name(source)
    try:
        with opened(source) as h5:
            check_self_contained(h5, name)
            group = h5[f"{RESULTS}/xcebra_attribution"]
            lineage = dict(zip(_texts(h5, "xcebra_lineage/key"), _texts(h5, "xcebra_lineage/value"), strict=True))
            session = h5.get("general/session_id")
            made = _dataset(h5, group)
            made.attrs |= {"assessment": json.dumps(_assessment(lineage)), "lineage": json.dumps(lineage)}
            return ("" if session is None else text(values(session).item())), made
    except (*UNREADABLE, IndexError, RecursionError, Refusal) as error:
        problem = f"{name}: no results of xcebra-nwb are in it: {error}"
        raise UsageError(problem, "give a file *_desc-xcebra*.nwb") from None


def _texts(h5: h5py.File, path: str) -> list[str]:
    return [str(line) for line in values(h5[f"{RESULTS}/{path}"])]


def _dataset(h5: h5py.File, group: h5py.Group) -> xr.Dataset:
    """Return the columns of the table of maps, reshaped; rows are in the order of method, label and unit."""
    method, label, row = values(group["method"]), values(group["label"]), numbers(group["unit"]).astype(np.int64)
    methods, labels, rows = ([*dict.fromkeys(each.tolist())] for each in (method, label, row))
    shape = len(methods), len(labels), len(rows)
    if len(method) != np.prod(shape) or not np.array_equal(row.reshape(shape), np.broadcast_to(rows, shape)):
        raise ValueError("xcebra_attribution has not a row for each method, label and unit")
    variables: dict[str, Any] = {}
    of_maps = {"attribution": "attribution"} | {variable: column for column, variable in SPREAD.items()}
    of_labels = {variable: column for column, variable in TESTED.items()} | {name: name for name in INFORMATION}
    for variable, column in of_maps.items():
        variables[variable] = (("map_method", "label", "unit"), _column(group, column, shape))
    for variable, column in of_labels.items():
        variables[variable] = (("label", "unit"), _column(group, column, shape)[0])
    names, regions = _units(h5, group["unit"], np.asarray(rows))
    return xr.Dataset(
        variables,
        coords={
            "map_method": [str(each) for each in methods],
            "label": [str(each) for each in labels],
            "unit": names,
            "unit_id": ("unit", names),
            "row": ("unit", np.asarray(rows)),
            "region": ("unit", regions),
        },
        attrs={"tested_method": str(methods[0])},
    )


def _column(group: h5py.Group, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a column (map_method, label, unit); NaN where the table has none, as that of a test that was not made."""
    found = dataset(group, name)
    return np.full(shape, np.nan) if found is None else numbers(found).reshape(shape)


def _units(h5: h5py.File, pointers: h5py.Dataset, rows: np.ndarray) -> tuple[list[str], list[str]]:
    """Return the names and the regions of units by their rows in the table that the maps point into."""
    table = h5[pointers.attrs["table"]]
    named = dataset(table, "unit_id") if attribute(table, "neurodata_type") == "DynamicTable" else None
    names = [str(value) for value in values(named if named is not None else table["id"])[rows]]
    place = next((found for key in REGIONS if (found := dataset(table, key)) is not None and is_text(found)), None)
    return names, [str(value) for value in values(place)[rows]] if place is not None else [""] * len(rows)


def _assessment(lineage: Mapping[str, str]) -> dict[str, Any]:
    """Return what the lineage says of each label, in the form of assessment.json."""
    labels: dict[str, dict[str, Any]] = {}
    for key, value in lineage.items():
        if key.startswith(NAMED):
            label, _, name = key.removeprefix(NAMED).rpartition(".")
            labels.setdefault(label, {})[name] = value
    return {"labels": labels}
