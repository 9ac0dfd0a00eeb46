"""Tables of results in pandas: a row for each unit, and a row for each label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from xcebra_nwb.api.dataset import number_of
from xcebra_nwb.core.carriers import INFORMATION, information_of
from xcebra_nwb.core.session import UNIT_FACT

MEASURES = {"z": "z", "z_low": "z_low", "z_high": "z_high", "p_value": "z_p", "q_value": "z_q"}
MAPS = ("attribution", "attribution_sd", "attribution_low", "attribution_high")
TUNING = ("tuning_information", "tuning_reliability")
OF_LABELS = ("kind", "dimensions", "verdict", "because", "carrying_units", "tested_units", "confounded_with")
NUMBERS = {
    "decoding_score": ("decoding", "score"),
    "decoding_p": ("decoding", "p"),
    "decoding_z": ("decoding", "z"),
    "consistency": ("consistency", "shown_map"),
    "leak": ("leak", "score"),
    "effective_rank": ("effective_rank",),
    "nulls": ("nulls", "count"),
}


def units_table(
    dataset: xr.Dataset, session: xr.Dataset | None = None, tuning: xr.Dataset | None = None
) -> pd.DataFrame:
    """Return all measures of each unit, a row for each; the index is the name of the unit.

    Args:
        dataset: The maps with the verdicts.
        session: The session dataset, which has facts of the units; None to leave them out.
        tuning: The content of units.nc; None to leave it out.

    Returns:
        A table with the columns `region`, `n_spikes` and, for each label, `<label>_carries`, `<label>_information`
        (with `_low`, `_high`, `_p`, `_q`), `<label>_attribution` (with `_sd`, `_low`, `_high`; of the tested method),
        `<label>_z` (with `_low`, `_high`, `_p`, `_q`), `<label>_tuning_information` and `<label>_tuning_reliability`.
    """
    columns: dict[str, Any] = {
        name: dataset[name].values for name in ("region", "n_spikes", "true_type") if name in dataset.coords
    }
    if session is not None and session.sizes["unit"] == dataset.sizes["unit"]:
        facts = {n: v for n, v in session.data_vars.items() if v.attrs.get("role") == UNIT_FACT and v.dims == ("unit",)}
        columns |= {str(name): values.values for name, values in facts.items()}
    for label in map(str, dataset["label"].values):
        columns |= {f"{label}_{name}": values for name, values in _of_label(dataset, label, tuning).items()}
    return pd.DataFrame(columns, index=pd.Index(dataset["unit"].values.astype(str), name="unit"))


def _of_label(dataset: xr.Dataset, label: str, tuning: xr.Dataset | None) -> dict[str, Any]:
    chosen = dataset.sel(label=label)
    told = information_of(chosen)
    columns: dict[str, Any] = {"carries": chosen["carries"].values}
    columns |= {name: told[name].values for name in INFORMATION if name in told}
    first = chosen.isel(map_method=0)
    columns |= {name: first[name].values for name in MAPS if name in first}
    columns |= {column: chosen[name].values for name, column in MEASURES.items() if name in chosen}
    if tuning is not None:
        columns |= {name: tuning[name].sel(label=label).values for name in TUNING if name in tuning}
    return columns


def labels_table(assessment: Mapping[str, Any], power: Mapping[str, Mapping[str, Any]] | None = None) -> pd.DataFrame:
    """Return the verdict on each label with its evidence, a row for each; the index is the name of the label.

    Args:
        assessment: The content of assessment.json.
        power: What the settings could show of each label; None where it is not known.

    >>> labels_table({"labels": {"speed": {"verdict": "weak", "decoding": {"score": 0.2}}}}).loc["speed", "verdict"]
    'weak'
    """
    rows = {}
    for label, entry in assessment.get("labels", {}).items():
        row: dict[str, Any] = {key: entry.get(key) for key in OF_LABELS}
        row["confounded_with"] = ", ".join(row["confounded_with"] or [])
        row |= {key: number_of(entry, path) for key, path in NUMBERS.items()}
        failed = [str(each["name"]) for each in entry.get("conditions", []) if each.get("holds") is False]
        row["conditions_failed"] = ", ".join(failed)
        row |= dict((power or {}).get(label, {}))
        rows[label] = row
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "label"
    return table
