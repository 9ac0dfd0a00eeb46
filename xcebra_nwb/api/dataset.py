"""The results of a session as one dataset: attribution.nc, and what assess says of each label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.core.carriers import carriers, tested

OF_LABELS = {  # variables of a label, and where assessment.json has them
    "decoding_score": ("decoding", "score"),
    "decoding_p": ("decoding", "p"),
    "consistency": ("consistency", "shown_map"),
    "leak": ("leak", "score"),
}
TEXTS = ("verdict", "because", "kind")


def with_assessment(attribution: xr.Dataset, assessment: Mapping[str, Any]) -> xr.Dataset:
    """Return the maps with the verdict on each label, and whether each unit carries it.

    Args:
        attribution: The content of attribution.nc.
        assessment: The content of assessment.json.
    """
    names = [str(label) for label in attribution["label"].values]
    entries = [dict(assessment.get("labels", {}).get(name) or {}) for name in names]
    made = attribution.assign(
        {key: ("label", np.array([str(entry.get(key) or "") for entry in entries], dtype=str)) for key in TEXTS}
    )
    made = made.assign(
        {key: ("label", [number_of(entry, path) for entry in entries]) for key, path in OF_LABELS.items()}
    )
    made["carries"], made["tested"] = carriers(attribution), tested(attribution)
    made.attrs["assessment"] = json.dumps(assessment, ensure_ascii=False)
    return made


def number_of(entry: Mapping[str, Any], path: Sequence[str]) -> float:
    """Return a number inside an entry of assessment.json, NaN where there is none.

    >>> number_of({"decoding": {"score": 0.5}}, ("decoding", "score")), number_of({}, ("leak", "score"))
    (0.5, nan)
    """
    value: Any = entry
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return np.nan if value is None else float(value)


def with_all_units(dataset: xr.Dataset, units: Sequence[str], regions: Sequence[str]) -> xr.Dataset:
    """Return a dataset with every unit that was given, in the given order; those left out have NaN.

    So the units of the result are those of the array that was handed over, column by column.

    Args:
        dataset: The results.
        units: Names of all units, (unit,).
        regions: Region of each, (unit,).

    >>> one = xr.Dataset({"z": ("unit", [2.0])}, coords={"unit": ["b"], "unit_id": ("unit", ["b"])})
    >>> with_all_units(one, ["a", "b"], ["", ""])["z"].values.tolist()
    [nan, 2.0]
    """
    if [str(unit) for unit in dataset["unit"].values] == list(units):
        return dataset
    fill = {str(name): _filling(variable) for name, variable in dataset.variables.items()}
    whole = dataset.reindex(unit=np.asarray(units, dtype=dataset["unit"].dtype.kind), fill_value=fill)
    left_out = [unit for unit in units if unit not in set(dataset["unit"].values.astype(str))]
    whole = whole.assign_coords(
        unit_id=("unit", np.asarray(units, dtype=str)),
        row=("unit", np.arange(len(units))),
        region=("unit", np.asarray(regions, dtype=str)),
    )
    whole.attrs["left_out"] = json.dumps(left_out, ensure_ascii=False)
    return whole


def _filling(variable: xr.Variable) -> Any:
    kind = variable.dtype.kind
    return {"b": False, "i": -1, "u": 0, "U": "", "O": ""}.get(kind, np.nan)
