"""The truth of a simulated recording: which units carry which label, and how well maps show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from sklearn.metrics import roc_auc_score

from xcebra_nwb.core.ground_truth import COLUMN
from xcebra_nwb.core.hdf5.scan import check_self_contained


def cell_types(path: Path) -> dict[str, str] | None:
    """Return the true type of every unit of a simulated file, by unit id.

    None for a file that holds no types.

    Args:
        path: of the NWB file.
    """
    with h5py.File(path) as file:
        check_self_contained(file, str(path))
        if f"units/{COLUMN}" not in file:
            return None
        identifiers, types = file["units/id"][()], file[f"units/{COLUMN}"].asstr()[()]
    return {str(identifier): str(kind) for identifier, kind in zip(identifiers, types, strict=True)}


def auroc_against_cell_types(
    attribution: xr.Dataset, cell_types: Mapping[str, str], tuned: Mapping[str, Iterable[str]]
) -> dict[str, float]:
    """Return by label how well its map tells tuned units from the others.

    Args:
        attribution: attribution.nc; the map of its first method is scored.
        cell_types: the true type of every unit, by unit id.
        tuned: by label, the cell types that carry it. Labels without an entry are left out.

    Returns:
        The area under the ROC curve, 0.5 by chance. NaN for a label whose map is not known, or that all units or none
        carry.
    """
    types = [cell_types[str(unit)] for unit in attribution["unit_id"].values]
    maps = attribution["attribution"].isel(map_method=0)
    return {
        str(label): _auroc(np.isin(types, list(tuned[str(label)])), maps.sel(label=label).values)
        for label in maps["label"].values
        if str(label) in tuned
    }


def _auroc(truth: np.ndarray, values: np.ndarray) -> float:
    known = np.isfinite(values)
    if len(np.unique(truth[known])) < 2:
        return float("nan")
    return float(roc_auc_score(truth[known], values[known]))
