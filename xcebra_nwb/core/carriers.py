"""Which units carry which label: the one rule, read from attribution.nc by every later command."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Values = TypeVar("Values", xr.DataArray, NDArray[Any])
LEVEL = 0.05  # false discovery rate at which units are said to carry a label
INFORMATION = ("information", "information_low", "information_high", "information_p", "information_q")
DRAWS = "information_nulls"  # shuffled labels that a unit was compared with
SOME_DRAWS = 100  # shuffled labels that every unit is compared with; p is about 0.1 or more where DECIDED beat it
FIRST_DRAWS = 400  # shuffled labels that the other units are compared with
MOST_DRAWS = 10_000  # shuffled labels that a unit is compared with until it can pass the correction for all units
DECIDED = 10  # units that so many shuffled labels beat are not compared with more (Besag and Clifford 1991)
OLD_FILE = "attribution.nc was made by an earlier version"


def information_of(attribution: xr.Dataset) -> xr.Dataset:
    """Return what labels tell about units, (label, unit): the variables :data:`INFORMATION` and :data:`DRAWS`.

    They are NaN in a file of an earlier version.

    Args:
        attribution: attribution.nc, of one label or of all.
    """
    names = (*INFORMATION, DRAWS)
    if INFORMATION[0] in attribution:
        return attribution[[name for name in names if name in attribution]]
    return xr.Dataset(dict.fromkeys(names, xr.full_like(attribution["z"], np.nan, dtype=float)))


def carriers(attribution: xr.Dataset) -> xr.DataArray:
    """Return which units carry which label, (label, unit).

    A unit carries a label if the label tells something about its activity beyond all other labels: the information is
    above 0, with a false discovery rate of at most :data:`LEVEL` over units. A unit that was not tested does not.

    Args:
        attribution: attribution.nc, of one label or of all.

    >>> values = {"information": [0.2, 0.2, -0.1], "information_q": [0.01, np.nan, 0.01]}
    >>> carriers(xr.Dataset({name: ("unit", column) for name, column in values.items()})).values.tolist()
    [True, False, False]
    """
    known = information_of(attribution)
    return carried(known["information"], known["information_q"])


def carried(information: Values, q: Values) -> Values:
    """Return where a label is carried, by the information and its false discovery rate; see :func:`carriers`.

    >>> carried(np.array([0.2, 0.2, -0.1]), np.array([0.01, np.nan, 0.01])).tolist()
    [True, False, False]
    """
    return (q <= LEVEL) & (information > 0)


def tested(attribution: xr.Dataset) -> xr.DataArray:
    """Return which units were tested for which label, (label, unit)."""
    return information_of(attribution)["information_q"].notnull()


def resolution(attribution: xr.Dataset) -> str:
    """Return a sentence on the number of shuffled labels, and on the smallest q where they are too few.

    Args:
        attribution: attribution.nc of one label.

    >>> columns = {"information": [0.5, 0.5], "information_p": [0.4, 0.001], "information_q": [0.4, 0.002]}
    >>> columns["information_nulls"] = [400.0, 999.0]
    >>> resolution(xr.Dataset({name: ("unit", column) for name, column in columns.items()}))
    'units were compared with 400 to 999 shuffled labels'
    """
    known = information_of(attribution)
    draws, units = known[DRAWS].values, int(tested(attribution).sum())
    if not units:
        return str(attribution.attrs.get("information_q_reason", "")) or f"no unit was tested: {OLD_FILE}"
    least, most = int(np.nanmin(draws)), int(np.nanmax(draws))
    said = f"units were compared with {f'{least:,}' if least == most else f'{least:,} to {most:,}'} shuffled labels"
    above = np.rint(known["information_p"].values * (1 + draws)) - 1  # shuffled labels that beat the unit
    exhausted = most < SOME_DRAWS or bool(((above < DECIDED) & (draws < FIRST_DRAWS)).any())
    limited = bool(((above == 0) & (known["information_q"].values > LEVEL)).any())
    if not exhausted and not limited:
        return said
    alone = min(1.0, units / (1 + most))
    reason = "as there are no more" if exhausted else "and to no more"
    return f"{said}, {reason}; a unit that carries the label alone cannot have a q under {alone:.2g}"
