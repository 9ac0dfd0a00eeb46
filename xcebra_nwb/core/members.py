"""Members and objectives of an ensemble: how training.nc and embedding.nc name them, and the labels they were given."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config

# Role, null label and number: equal for matching members of two sessions.
Key = tuple[str, str, int]


def keys(ensemble: xr.Dataset) -> list[Key]:
    """Return the role, null label and number of every member, (member,).

    >>> columns = {"role": ["seed", "null"], "broken": ["", "speed"], "number": [0, 3]}
    >>> keys(xr.Dataset({name: ("member", values) for name, values in columns.items()}))
    [('seed', '', 0), ('null', 'speed', 3)]
    """
    roles, null_labels = (ensemble[name].values.astype(str).tolist() for name in ("role", "broken"))
    return list(zip(roles, null_labels, ensemble["number"].values.tolist(), strict=True))


def seeds(ensemble: xr.Dataset) -> list[int]:
    """Return the members that were trained on the true labels.

    >>> seeds(xr.Dataset({"role": ("member", ["seed", "null", "seed"])}))
    [0, 2]
    """
    return [int(member) for member in np.flatnonzero(ensemble["role"].values.astype(str) == "seed")]


def nulls(ensemble: xr.Dataset, label: str) -> list[int]:
    """Return the members for which ``label``, and no other, was shuffled.

    >>> nulls(xr.Dataset({"broken": ("member", ["", "speed", "place"])}), "speed")
    [1]
    """
    return [int(member) for member in np.flatnonzero(ensemble["broken"].values.astype(str) == label)]


def blocks(training: xr.Dataset) -> dict[str, tuple[int, int]]:
    """Return the first latent of every label's block and the latent after it, by label.

    >>> columns = {"label": ["", "speed"], "first_latent": [0, 0], "last_latent": [4, 2]}
    >>> blocks(xr.Dataset({name: ("objective", values) for name, values in columns.items()}))
    {'speed': (0, 2)}
    """
    rows = zip(*(training[name].values.tolist() for name in ("label", "first_latent", "last_latent")), strict=True)
    return {str(label): (first, last) for label, first, last in rows if label}


def objective_of(training: xr.Dataset, label: str) -> int:
    """Return the index of the objective of a label.

    >>> objective_of(xr.Dataset({"label": ("objective", ["", "speed"])}), "speed")
    1
    """
    return int(np.flatnonzero(training["label"].values == label)[0])


def recorded_config(training: xr.Dataset) -> Config:
    """Return the config that training.nc was made with; sections that training does not read have their defaults."""
    recorded = json.loads(training.attrs["config"])
    # Up to 0.5.0 there was one optimiser, and no key for it.
    recorded.setdefault("training", {}).setdefault("optimizer", "adam")
    return Config.model_validate_json(json.dumps(recorded))


def seen_label(session: xr.Dataset, training: xr.Dataset, label: str, member: int) -> NDArray:
    """Return a label as a member was given it, (time,) or (time, axis).

    In bins that are not usable it is as recorded.

    Args:
        session: The session dataset.
        training: The content of training.nc.
        label: Name of the label.
        member: Index of the member in the ensemble.
    """
    values: NDArray = session[label].values.copy()
    if str(training["broken"].values[member]) == label:
        source = training["null_bin"].values[member]
        values[source >= 0] = values[source[source >= 0]]
    return values
