"""Maps against the truth, where a simulation knows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr
from sklearn.metrics import roc_auc_score


def auroc_against_cell_types(
    attribution: xr.Dataset, cell_types: Mapping[str, str], tuned: Mapping[str, Iterable[str]]
) -> dict[str, float]:
    """Return by label how well its map tells tuned units from the others: area under the ROC curve, 0.5 by chance.

    Args:
        attribution: attribution.nc; the map of its first method is scored.
        cell_types: the true type of every unit, by unit_id.
        tuned: by label, the cell types that carry it.

    A label whose map is not known, or that all units carry or none, is NaN. Labels without an entry in ``tuned`` are
    left out.
    """
    types = [cell_types[str(unit)] for unit in attribution["unit_id"].values]
    maps = attribution["attribution"].isel(method=0)
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
