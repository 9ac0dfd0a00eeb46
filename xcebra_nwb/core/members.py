"""Who is who in a stack: the members' coordinates in training.nc and embedding.nc, and the labels that they saw."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Key = tuple[str, str, int]  # role, broken label, number: what makes a member the same in another session's stack


def keys(stack: xr.Dataset) -> list[Key]:
    """Return what each member is, (member,)."""
    roles, broken = (stack[name].values.astype(str).tolist() for name in ("role", "broken"))
    return list(zip(roles, broken, stack["number"].values.tolist(), strict=True))


def seeds(stack: xr.Dataset) -> list[int]:
    """Return the members that were trained on the true labels."""
    return [int(member) for member in np.flatnonzero(stack["role"].values.astype(str) == "seed")]


def nulls(stack: xr.Dataset, label: str) -> list[int]:
    """Return the members for which ``label`` was broken, all others being true."""
    return [int(member) for member in np.flatnonzero(stack["broken"].values.astype(str) == label)]


def seen_label(session: xr.Dataset, training: xr.Dataset, label: str, member: int) -> NDArray:
    """Return ``label`` (time,) or (time, axis) as ``member`` saw it; as recorded in bins that were not usable."""
    values: NDArray = session[label].values.copy()
    if str(training["broken"].values[member]) == label:
        source = training["null_bin"].values[member]
        values[source >= 0] = values[source[source >= 0]]
    return values
