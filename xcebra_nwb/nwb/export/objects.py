"""Turn the results of a session into NWB objects of core types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from hdmf.backends.hdf5 import H5DataIO
from hdmf.common import DynamicTable, DynamicTableRegion, VectorData
from pynwb import TimeSeries

from xcebra_nwb.core import members
from xcebra_nwb.core.carriers import INFORMATION, carriers, information_of
from xcebra_nwb.core.errors import Failure

# Columns of the table, and the variables of attribution.nc that they hold.
TESTED = {"z": "z", "z_low": "z_low", "z_high": "z_high", "p": "p_value", "q": "q_value"}
SPREAD = {"sd": "attribution_sd", "low": "attribution_low", "high": "attribution_high"}
ATTRIBUTION = {
    "label": "the variable that is coded",
    "method": "how the encoder was attributed",
    "attribution": "how much of the label's code the unit carries, mean over seeds",
    "sd": "standard deviation of that over seeds",
    "low": "lower end of the 95 % interval of attribution over seeds",
    "high": "upper end of that interval",
    "z": "the log of the map, from the median unit's, against the unit's nulls; NaN for methods that are not tested",
    "z_low": "lower end of the 95 % interval of z over seeds; NaN for methods that are not tested",
    "z_high": "upper end of that interval; NaN for methods that are not tested",
    "p": "p-value of z; NaN for methods that are not tested",
    "q": "p after Benjamini-Hochberg over units; NaN for methods that are not tested",
    "information": "what the label tells about the unit's activity beyond all other labels, on held-out stretches; "
    "bits a spike, or share of the variance of rates; the same for every method",
    "information_low": "lower end of the 95 % interval of information over stretches of the recording",
    "information_high": "upper end of that interval",
    "information_p": "p-value of information against shuffled labels",
    "information_q": "information_p after Benjamini-Hochberg over units",
    "carries": "whether the unit carries the label: information above 0 and information_q at most 0.05",
    "latent_map": "the unit's map to every latent in the first seed (a mean over seeds has no meaning)",
}
RUNS = {
    "run": "role and number of the member",
    "role": "seed: trained on the true labels; null: with one label broken",
    "broken": "the label that was broken; none for a seed",
    "null_kind": "how: shift, reverse or permute; none for a seed",
    "shift": "by how many bins, or trials where whole trials were moved",
    "config": "the config, as JSON: a list of [key, value]",
}
UNITS = {
    "unit_id": "name of the unit",
    "source": "path of the unit's activity in the source file",
    "row": "row of that table, or column of that series",
}


def table(name: str, description: str, columns: Mapping[str, Any], described: Mapping[str, str]) -> DynamicTable:
    """Return a table.

    Args:
        name: Name of the table.
        description: Its description.
        columns: Values of each column, all of equal length, in order.
        described: Description of each column.
    """
    data = [VectorData(name=key, description=described[key], data=_packed(v)) for key, v in columns.items()]
    return DynamicTable(name=name, description=description, columns=data)


def _packed(values: Any) -> Any:
    return list(values) if isinstance(values[0], str) else H5DataIO(np.asarray(values), compression="gzip")


def embedding_series(embedding: xr.Dataset, training: xr.Dataset, bin_width: float) -> TimeSeries:
    """Return the latents (time, latent) of the first seed in the valid bins.

    Latents of two seeds differ by a linear map, so that their mean would mean nothing. Evenly spaced bins have a rate
    instead of timestamps, as nwbinspector recommends.

    Args:
        embedding: Content of embedding.nc.
        training: Content of training.nc.
        bin_width: Width of a bin in s.

    Raises:
        Failure: No bin has a latent.
    """
    seeds = members.seeds(embedding)
    values = embedding["embedding"][seeds[0]].values  # (time, latent)
    kept = np.isfinite(values).all(axis=1)
    if not kept.any():
        raise Failure("embedding.nc: no bin has a latent", "run the session again from train")
    times = embedding["time"].values[kept]
    even = len(times) > 2 and np.unique(np.diff(times).round(9)).size == 1
    clock = {"starting_time": float(times[0]), "rate": 1 / bin_width} if even else {"timestamps": _packed(times)}
    return TimeSeries(
        name="xcebra_embedding",
        data=_packed(values[kept]),
        unit="a.u.",
        description=f"latents (time, latent) of the first of {len(seeds)} seeds (member {seeds[0]}) at the centres of "
        f"the valid bins of {bin_width:g} s; {_blocks(training)}; a block is identified up to a linear map only",
        **clock,
    )


def _blocks(training: xr.Dataset) -> str:
    names, first, last = (training[name].values for name in ("objective", "first_latent", "last_latent"))
    blocks = [f"{name} {start} to {stop - 1}" for name, start, stop in zip(names, first, last, strict=True)]
    return f"latents by objective: {', '.join(blocks)}"


def unit_table(attribution: xr.Dataset, neural_source: str, named: bool = True) -> DynamicTable:
    """Return a table of the units, for activity outside the units table at the root.

    Args:
        attribution: Content of attribution.nc.
        neural_source: Path of the activity in the source file.
        named: Whether to name units as in the source; otherwise their rows name them, because their names may stand in
            a file that is not exported.
    """
    rows = attribution["row"].values
    columns = {
        "unit_id": [str(unit) for unit in (attribution["unit_id"].values if named else rows)],
        "source": [neural_source] * len(rows),
        "row": rows.astype(
            np.min_scalar_type(int(rows.max()))
        ),  # nwbinspector takes integers 0 and 1 of a wide type for truth values
    }
    return table("xcebra_units", "the units of the attributions", columns, UNITS)


def attribution_table(attribution: xr.Dataset, units: DynamicTable, rows: np.ndarray) -> DynamicTable:
    """Return a table with a row per method, label and unit.

    A statistic that could not be computed has no column; the description says why.

    Args:
        attribution: Content of attribution.nc.
        units: The table of the units.
        rows: Row of each unit in that table, shape (unit,).
    """
    shape = attribution["attribution"].shape  # (map_method, label, unit)
    columns = _attribution_columns(attribution, *np.indices(shape).reshape(3, -1))
    absent = [name for name, v in columns.items() if not isinstance(v, list) and np.isnan(v).all()]
    reasons = [f"; no {name}: {_reason(attribution, name)}" for name in absent]
    shown = {name: values for name, values in columns.items() if name not in absent}
    text = f"attribution of every label to every unit; z, p and q test {attribution['map_method'].values[0]}"
    made = table("xcebra_attribution", text + "".join(reasons), shown, ATTRIBUTION)
    pointers = rows[np.indices(shape)[2].reshape(-1)]
    made.add_column(name="unit", description="the unit", data=pointers, table=units, col_cls=DynamicTableRegion)
    return made


def _attribution_columns(
    attribution: xr.Dataset, methods: np.ndarray, labels: np.ndarray, units: np.ndarray
) -> dict[str, Any]:
    shape = attribution["attribution"].shape
    tested = {}
    for name, variable in TESTED.items():
        values = np.full(shape, np.nan)
        values[0] = attribution[variable].values  # the first method is the one that is tested
        tested[name] = values.reshape(-1)
    return {
        "label": [str(name) for name in attribution["label"].values[labels]],
        "method": [str(name) for name in attribution["map_method"].values[methods]],
        "attribution": attribution["attribution"].values.reshape(-1),
        **{name: attribution[variable].values.reshape(-1) for name, variable in SPREAD.items()},
        **tested,
        **_told_columns(attribution, labels, units),
        "latent_map": attribution["latent_map"].values[0, methods, :, units],  # (row, latent)
    }


def _told_columns(attribution: xr.Dataset, labels: np.ndarray, units: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of the information, (row,) each."""
    told = information_of(attribution)
    columns = {name: told[name].values[labels, units] for name in INFORMATION}
    measured = bool(np.isfinite(columns["information_q"]).any())
    return columns | ({"carries": carriers(attribution).values[labels, units]} if measured else {})


def _reason(attribution: xr.Dataset, column: str) -> str:
    variable = (SPREAD | TESTED).get(column, column)
    return str(attribution.attrs.get(f"{variable}_reason", "")) or "not known"


def runs_table(training: xr.Dataset, config: Mapping[str, Any]) -> DynamicTable:
    """Return a table with a row per encoder and its losses.

    Seeds were trained on the true labels, nulls with one shuffled label.

    Args:
        training: Content of training.nc.
        config: The sections of the config on which the results depend.
    """
    roles, broken, numbers = ([str(v) for v in training[name].values] for name in ("role", "broken", "number"))
    columns: dict[str, Any] = {
        "run": [" ".join(filter(None, parts)) for parts in zip(roles, broken, numbers, strict=True)],
        "role": roles,
        "broken": [label or "none" for label in broken],
        "null_kind": [str(kind) or "none" for kind in training["null_kind"].values],
        "shift": training["shift"].values,
    }
    losses = dict(_losses(training))
    units = training["loss"].attrs["units"]
    described = RUNS | {name: f"{name.replace('_', ' ')}, {units}" for name in losses}
    columns |= losses | {"config": [json.dumps(list(flat(config)))] * len(roles)}
    return table("xcebra_runs", "the encoders that were trained", columns, described)


def _losses(training: xr.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a column per loss and objective, shape (member,), if it is known."""
    for name, losses in (("last_loss", training["loss"][..., -1]), ("held_out_loss", training["held_out_loss"])):
        for objective in training["objective"].values:
            values = losses.sel(objective=objective).values
            if not np.isnan(values).all():
                yield f"{name}_{objective}", values


def flat(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested content as pairs of dotted key and value.

    nwbinspector accepts no dictionary in a table.

    >>> list(flat({"training": {"steps": 100}, "labels": "auto"}))
    [('training.steps', 100), ('labels', 'auto')]
    """
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from flat(value, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list) and any(isinstance(item, Mapping) for item in content):
        for index, item in enumerate(content):
            yield from flat(item, f"{key}.{index}")
    else:
        yield key, content


def lineage_table(lineage: Mapping[str, str]) -> DynamicTable:
    """Return a table with a row per key of the lineage."""
    columns = {"key": list(lineage), "value": list(lineage.values())}
    described = {"key": "what is said", "value": "what it is, as text"}
    return table("xcebra_lineage", "where the results come from, and the verdict on every label", columns, described)
