"""Turn units.nc into NWB tables: the tuning of every unit to every label, and the bins of each label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from hdmf.common import DynamicTable, DynamicTableRegion
from numpy.typing import NDArray

from xcebra_nwb.nwb.export.objects import table

TUNING = {
    "label": "the variable",
    "preferred_class": "class with the highest activity, where the label is discrete",
    "information": "information that a spike gives on the label (Skaggs et al. 1993), bits a spike",
    "reliability": "correlation between the curves of even and odd stretches of the recording",
}
RAGGED = {
    "preferred": "value of the label at the peak, a number for each axis; nothing for classes",
    "tuning": "mean activity in each bin of the label, in the order of xcebra_tuning_bins; NaN: rarely visited",
    "tuning_low": "lower end of the 95 % interval of tuning, by the differences between stretches of the recording",
    "tuning_high": "upper end of that interval",
}
BINS = {
    "label": "the variable",
    "axis": "axis of the label, where every axis has a curve of its own",
    "x": "centre of the bin on the label's (first) axis, in the label's units; NaN for classes",
    "y": "centre of the bin on the second axis of a rate map",
    "class_name": "name of the class of a discrete label",
    "occupancy": "time in the bin, s",
}
NO_TEXT = "none"  # nwbinspector accepts no empty text
Values = NDArray[np.float64]


def tuning_tables(units: xr.Dataset, table_of_units: DynamicTable, rows: NDArray[np.int64]) -> list[DynamicTable]:
    """Return the tables xcebra_tuning and xcebra_tuning_bins.

    A number that is not known for any unit has no column; the description gives the reason.

    Args:
        units: Content of units.nc.
        table_of_units: The table of the units.
        rows: Row of each unit in that table, shape (unit,).
    """
    return [_tuning_table(units, table_of_units, rows), _bins_table(units)]


def _tuning_table(units: xr.Dataset, table_of_units: DynamicTable, rows: NDArray[np.int64]) -> DynamicTable:
    labels, count = [str(label) for label in units["label"].values], units.sizes["unit"]
    numbers = {name: units[f"tuning_{name}"].values.reshape(-1) for name in ("information", "reliability")}
    absent = [name for name, values in numbers.items() if np.isnan(values).all()]
    reasons = [f"; no {name}: {units.attrs.get(f'tuning_{name}_reason', 'not known')}" for name in absent]
    columns: dict[str, Any] = {"label": [label for label in labels for _ in range(count)]}
    classes = [text for label in labels for text in _preferred_classes(units, label)]
    columns |= {} if _is_empty(classes) else {"preferred_class": classes}
    columns |= {name: values for name, values in numbers.items() if name not in absent}
    activity = units[f"{labels[0]}_tuning"].attrs["units"] or "no unit"
    text = f"tuning of every unit to every label, in {activity}, from the recorded activity alone{''.join(reasons)}"
    made = table("xcebra_tuning", text, columns, TUNING)
    for name, description in RAGGED.items():
        each = [row for label in labels for row in _rows_of(units, label, name)]
        ends = np.cumsum([len(row) for row in each])
        if ends[-1]:
            made.add_column(name=name, description=description, data=np.concatenate(each), index=ends)
    pointers = np.tile(rows, len(labels))
    made.add_column(
        name="unit", description="the unit", data=pointers, table=table_of_units, col_cls=DynamicTableRegion
    )
    return made


def _rows_of(units: xr.Dataset, label: str, name: str) -> Values:
    """Return the numbers of every unit for a label, (unit, number)."""
    if name != "preferred":
        return units[f"{label}_{name}"].values.reshape(units.sizes["unit"], -1).astype(np.float64)
    if f"{label}_class" in units.coords:
        return np.empty((units.sizes["unit"], 0))
    return units[f"{label}_preferred"].values.reshape(units.sizes["unit"], -1).astype(np.float64)


def _preferred_classes(units: xr.Dataset, label: str) -> list[str]:
    if f"{label}_class" not in units.coords:
        return [NO_TEXT] * units.sizes["unit"]
    return [str(text) or NO_TEXT for text in units[f"{label}_preferred"].values]


def _bins_table(units: xr.Dataset) -> DynamicTable:
    rows = [row for label in units["label"].values for row in _bins_of(units, str(label))]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in BINS}
    shown = {name: values for name, values in columns.items() if not _is_empty(values)}
    return table("xcebra_tuning_bins", "the bins of every label's curves, in the order of xcebra_tuning", shown, BINS)


def _is_empty(values: list[Any]) -> bool:
    return set(values) == {NO_TEXT} if isinstance(values[0], str) else bool(np.isnan(values).all())


def _bins_of(units: xr.Dataset, label: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each bin of a label, in the order of its curves."""
    occupancy = units[f"{label}_occupancy"]
    dims = [str(dim).rpartition("_")[2] for dim in occupancy.dims]
    for index in np.ndindex(occupancy.shape):
        row = {"label": label, "axis": NO_TEXT, "x": np.nan, "y": np.nan, "class_name": NO_TEXT}
        if dims == ["class"]:
            row |= {"class_name": str(units[f"{label}_class"].values[index]) or "(empty)"}
        elif dims == ["axis", "bin"]:
            named = f"{label}_axis" in units.coords
            axis = str(units[f"{label}_axis"].values[index[0]]) if named else f"axis {index[0] + 1}"
            row |= {"axis": axis or "(empty)", "x": float(units[f"{label}_bin_center"].values[index])}
        else:
            centers = (float(units[str(dim)].values[i]) for dim, i in zip(occupancy.dims, index, strict=True))
            row |= dict(zip("xy", centers, strict=False))
        yield row | {"occupancy": float(occupancy.values[index])}
