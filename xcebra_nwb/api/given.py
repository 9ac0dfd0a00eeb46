"""What a user hands over in Python: arrays, pandas, xarray and pynapple objects, with their times if they have any."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.reading.times import sample_period

UNEVEN = 0.01  # of a bin; times of bins may differ by so much from an even grid
LAST_AXIS = 2


@dataclass(frozen=True)
class Given:
    """Values with what is known of them.

    Attributes:
        form: Name of the type, for messages.
        values: Values, shape (sample,) or (sample, column); None for times or intervals alone.
        times: Time of each sample in s, shape (sample,); None if the object has no times.
        intervals: Start and stop of each interval in s, shape (interval, 2), for an object of intervals.
        support: Start and stop of each epoch in which the samples were taken in s, shape (epoch, 2), if it is known.
        columns: Names of the columns of ``values``; empty if they have none.
        attrs: Attributes of an xarray object.
    """

    form: str
    values: NDArray[Any] | None = None
    times: NDArray[np.float64] | None = None
    intervals: NDArray[np.float64] | None = None
    support: NDArray[np.float64] | None = None
    columns: tuple[str, ...] = ()
    attrs: Mapping[str, Any] | None = None


def pynapple_type(value: object) -> str:
    """Return the name of a pynapple type, "" for any other object; pynapple is not loaded for it.

    >>> pynapple_type(np.zeros(3))
    ''
    """
    module = sys.modules.get("pynapple")
    names = ("Ts", "Tsd", "TsdFrame", "TsGroup", "IntervalSet", "TsdTensor")
    kinds = {name: getattr(module, name, None) for name in names} if module is not None else {}
    return next((name for name, kind in kinds.items() if kind is not None and isinstance(value, kind)), "")


def given(value: Any, name: str) -> Given:
    """Return an object of a user as plain arrays.

    Args:
        value: Array, list, pandas, xarray or pynapple object; not a ``TsGroup``.
        name: Name of the argument, for messages.

    Raises:
        UsageError: It is of another kind, or has more than two dimensions.

    >>> given([[1, 2], [3, 4]], "activity").values.shape
    (2, 2)
    >>> trace = xr.DataArray([1.0, 2.0], dims="time", coords={"time": [0.1, 0.2]})
    >>> given(trace, "speed").times.tolist()
    [0.1, 0.2]
    """
    form = pynapple_type(value)
    if form:
        return _of_pynapple(value, form, name)
    if isinstance(value, xr.DataArray):
        return _of_xarray(value, name)
    if hasattr(value, "to_numpy"):  # pandas, polars
        columns = tuple(str(column) for column in getattr(value, "columns", ()))
        return _checked(Given(type(value).__name__, np.asarray(value.to_numpy()), columns=columns), name)
    if isinstance(value, str | bytes | Mapping) or value is None:
        raise UsageError(f"{name}: values are needed, got {type(value).__name__}", "give an array (time,)")
    return _checked(Given(type(value).__name__, np.asarray(value)), name)


def _of_pynapple(value: Any, form: str, name: str) -> Given:
    if form == "IntervalSet":
        intervals = np.stack([np.asarray(value.start, dtype=float), np.asarray(value.end, dtype=float)], axis=1)
        return Given(form, intervals=intervals)
    if form in ("TsGroup", "TsdTensor"):
        raise UsageError(f"{name}: a {form} has no value for each time", "give a Tsd, TsdFrame, Ts or IntervalSet")
    support = np.asarray(value.time_support.values, dtype=float)
    times = np.asarray(value.t, dtype=float)
    if form == "Ts":
        return Given(form, times=times, support=support)
    columns = tuple(str(column) for column in getattr(value, "columns", ()))
    return _checked(Given(form, np.asarray(value.values), times, support=support, columns=columns), name)


def _of_xarray(value: xr.DataArray, name: str) -> Given:
    if value.ndim and "time" in value.dims and value.dims[0] != "time":
        value = value.transpose("time", ...)
    times = np.asarray(value["time"].values) if "time" in value.coords and value["time"].ndim == 1 else None
    if times is not None and times.dtype.kind not in "iuf":
        raise UsageError(f"{name}: its times are {times.dtype}, not seconds", "give times in s as numbers")
    other = value.dims[1] if value.ndim == LAST_AXIS else None
    columns = tuple(map(str, value[other].values)) if other is not None and other in value.coords else ()
    found = Given("DataArray", value.values, None if times is None else times.astype(float), columns=columns)
    return _checked(Given(found.form, found.values, found.times, columns=columns, attrs=dict(value.attrs)), name)


def _checked(found: Given, name: str) -> Given:
    values = found.values
    assert values is not None
    if not 1 <= values.ndim <= LAST_AXIS:
        raise UsageError(f"{name}: {values.ndim} dimensions", "give values (time,) or (time, column)")
    if not len(values):
        raise UsageError(f"{name}: no values", "give at least one value for each bin")
    if found.times is not None and (np.any(np.diff(found.times) <= 0) or not np.isfinite(found.times).all()):
        raise UsageError(f"{name}: its times do not increase", "sort the samples, and leave out those at the same time")
    return found


def even_period(times: NDArray[np.float64]) -> float | None:
    """Return the step of times that lie on an even grid in s, with gaps or without; None if they do not.

    >>> even_period(np.array([0.5, 1.5, 2.5, 7.5])), even_period(np.array([0.0, 1.0, 2.4]))
    (1.0, None)
    """
    period = sample_period(times)
    if period is None or period <= 0:
        return None
    places = (times - times[0]) / period
    return period if np.abs(places - np.round(places)).max() < UNEVEN else None
