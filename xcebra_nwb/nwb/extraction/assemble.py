"""Assemble the session dataset from its parts on one grid.

:mod:`xcebra_nwb.core.session` describes the dataset.
"""

from __future__ import annotations

import json
import math

import numpy as np
import xarray as xr

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.session import UNIT_FACT
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.bins.masks import segments
from xcebra_nwb.nwb.extraction.recording import Recording
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.neural.activity import Activity
from xcebra_nwb.nwb.neural.unit_facts import fact_variables
from xcebra_nwb.nwb.neural.unit_selection import isi_variability, isi_violations

LEAST, MOST = 0.1, 0.5  # s, standard deviation of the Gaussian
SPIKES_SEEN = 10.0  # spikes of the population under the Gaussian, on average


def assemble(
    recording: Recording, grid: Grid, activity: Activity, columns: list[np.ndarray], valid: np.ndarray, config: Config
) -> xr.Dataset:
    """Return the session dataset, except for the attrs that name its source.

    Args:
        recording: The contents that were read from the file.
        grid: The bins.
        activity: The activity of the units to keep.
        columns: The values of each label in the bins, in the order of the recording's labels.
        valid: True for bins in use, shape (time,).
        config: The config; it decides how activity is smoothed.
    """
    n_spikes = activity.spike_counts(valid)
    smoothing = config.neural.smoothing
    if smoothing == "auto":
        rate = float(n_spikes.sum()) / max(valid.sum() * grid.width, grid.width)
        smoothing = automatic_smoothing(activity.kind, config.encoder.architecture, rate)
    dataset = xr.Dataset(coords={"time": ("time", grid.centres, {"units": "s"})})
    dataset["activity"] = activity.matrix()
    dataset["activity"].attrs |= {
        "units": activity.units,
        "kind": activity.kind,
        "smoothing": float(smoothing),
        "standardize": int(config.neural.standardize),
    }
    for label, values in zip(recording.labels, columns, strict=True):
        dataset[label.name] = _variable(label, values)
        if dataset[label.name].ndim == 2 and len(label.axes) == values.shape[1]:
            dataset.coords[f"{label.name}_axis"] = list(label.axes)
        if (trial := label.trials(grid)) is not None:
            dataset[f"{label.name}_trial"] = ("time", trial)
    if activity.spikes is not None:
        dataset["isi_violations"] = ("unit", isi_violations(activity), {"role": UNIT_FACT, "name": "ISI under 1.5 ms"})
        dataset["isi_cv2"] = ("unit", isi_variability(activity), {"role": UNIT_FACT, "name": "CV2 of ISI"})
    dataset = dataset.assign(fact_variables(activity.table, set(map(str, dataset.variables))))
    dataset["valid"] = ("time", valid)
    dataset["segment"] = ("time", segments(grid, valid, recording.borders))
    return dataset.assign_coords(
        unit=("unit", activity.table["unit_id"].to_numpy(dtype=str)),
        unit_id=("unit", activity.table["unit_id"].to_numpy(dtype=str)),
        row=("unit", activity.table["row"].to_numpy(dtype=np.int64)),
        region=("unit", activity.table["region"].to_numpy(dtype=str)),
        n_spikes=("unit", n_spikes),
    )


def _variable(label: Label, values: np.ndarray) -> xr.DataArray:
    vector = values.ndim == 2 and values.shape[1] > 1
    attrs = {
        "role": "label",
        "kind": label.kind,
        "units": label.units,
        "source": label.source,
        "reference_frame": label.reference_frame,
    }
    if label.kind == "discrete":
        attrs["classes"] = json.dumps(list(label.classes), ensure_ascii=False)
    dims = ("time", f"{label.name}_axis") if vector else ("time",)
    return xr.DataArray(values if vector else values.reshape(-1), dims=dims, attrs=attrs)


def automatic_smoothing(kind: str, architecture: str, population_rate: float) -> float:
    """Return the standard deviation in s of the Gaussian that smooths activity.

    Only spike counts for an ``mlp`` encoder are smoothed. The Gaussian then covers ten spikes of the whole population
    on average, and its standard deviation is kept between 0.1 and 0.5 s.

    Args:
        kind: Kind of the activity.
        architecture: Architecture of the encoder.
        population_rate: Spikes of all units together in Hz.

    >>> automatic_smoothing("spikes", "mlp", 20.0), automatic_smoothing("calcium", "mlp", 20.0)
    (0.14, 0.0)
    """
    if kind != "spikes" or architecture != "mlp":
        return 0.0
    wanted = SPIKES_SEEN / (2 * math.sqrt(math.pi) * max(population_rate, 1e-9))
    return round(min(max(wanted, LEAST), MOST), 2)
