"""Neural activity as a user gives it in Python: a matrix on even bins, or spike times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.api.given import Given, even_period, given, pynapple_type
from xcebra_nwb.core.activity import count_type
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.neural.population import ActivityKind, Population
from xcebra_nwb.nwb.neural.readers.matrix import COUNT_UNITS, RATE_UNITS
from xcebra_nwb.nwb.neural.unit_facts import FACT
from xcebra_nwb.nwb.reading.series import Samples

UNKNOWN = {"a.u.", "au", "arbitrary units"}
REGIONS = ("region", "location", "brain_area", "area")  # metadata that say where a unit is


@dataclass(frozen=True)
class UserActivity:
    """Activity as it was given, with its kind settled.

    Attributes:
        form: Name of its type.
        table: A row for each unit: ``unit_id``, ``row``, ``region``, and what else was given of it.
        kind: ``spikes``, ``rates`` or ``calcium``.
        units: Unit of the values, such as ``count``.
        matrix: Values, shape (sample, unit); None for spike times.
        times: Time of each sample in s, shape (sample,); None if there are none.
        period: Step of the samples in s; None without times, or if they are not even.
        spikes: Spike times of each unit in s, sorted; None for a matrix.
        support: Start and stop of each epoch that was observed in s, shape (epoch, 2); None if it is not known.
    """

    form: str
    table: pd.DataFrame
    kind: ActivityKind
    units: str
    matrix: NDArray[Any] | None = None
    times: NDArray[np.float64] | None = None
    period: float | None = None
    spikes: list[NDArray[np.float64]] | None = None
    support: NDArray[np.float64] | None = None

    def population(self) -> Population:
        """Return the activity as extraction from a file would have it."""
        known = self.support if self.spikes is not None else None
        observed = None if known is None else [known] * len(self.table)
        samples = None
        if self.matrix is not None:
            assert self.times is not None
            samples = Samples(self.times, self.matrix)
        return Population(
            path=self.form, kind=self.kind, units=self.units, table=self.table, spikes=self.spikes, samples=samples,
            observed=observed,
        )  # fmt: skip


def user_activity(activity: Any, units: str | None = None) -> UserActivity:
    """Return neural activity in one form.

    Args:
        activity: Array, pandas or xarray object (time, unit); or a pynapple ``TsGroup``, ``TsdFrame`` or ``Tsd``.
        units: Unit of the values: count, Hz, dF/F; None: whole numbers from 0 are counts, all else is rates.

    Raises:
        UsageError: It is of another kind, names of units occur twice, or values and unit do not fit.

    >>> found = user_activity(np.array([[0, 1], [2, 0]]))
    >>> found.kind, found.units, found.table["unit_id"].tolist()
    ('spikes', 'count', ['0', '1'])
    """
    form = pynapple_type(activity)
    if form == "TsGroup":
        return _of_spikes(activity, units)
    if form in ("Ts", "IntervalSet"):
        raise UsageError(f"activity: a {form} is not the activity of units", "give a TsGroup, TsdFrame or array")
    found = given(activity, "activity")
    values = found.values
    assert values is not None
    if values.dtype.kind not in "iufb":
        raise UsageError(f"activity: values of type {values.dtype}", "give numbers (time, unit)")
    matrix = values.reshape(len(values), -1)
    matrix, kind, unit = _settled(matrix.astype(np.uint8) if matrix.dtype.kind == "b" else matrix, units, found)
    period = None if found.times is None else even_period(found.times)
    table = _table(found, activity, matrix.shape[1])
    support = found.support if found.support is not None and len(found.support) > 1 else None
    return UserActivity(found.form, table, kind, unit, matrix, found.times, period, support=support)


def _settled(matrix: NDArray[Any], units: str | None, found: Given) -> tuple[NDArray[Any], ActivityKind, str]:
    """Return the values in their stored type, their kind and unit."""
    units = units or (found.attrs or {}).get("units") or None
    finite = matrix if matrix.dtype.kind in "iu" else matrix[np.isfinite(matrix)]
    whole = bool(
        finite.size and finite.min() >= 0 and (matrix.dtype.kind in "iu" or np.all(finite == np.round(finite)))
    )
    kind = (found.attrs or {}).get("kind")
    counts = whole if units is None else units.lower() in COUNT_UNITS and kind in (None, "spikes")
    if counts and not whole:
        raise UsageError("activity: counts are whole numbers from 0, and these are not", 'give units="Hz" for rates')
    if counts and finite.size == matrix.size:
        return matrix.astype(count_type(int(finite.max()))), "spikes", "count"
    if counts:
        return matrix.astype(np.float32), "spikes", "count"
    if units is None or units.lower() in RATE_UNITS | COUNT_UNITS | UNKNOWN:
        return matrix.astype(np.float32), "rates", units or "a.u."
    return matrix.astype(np.float32), cast(ActivityKind, kind or "calcium"), units


def _table(found: Given, activity: Any, count: int) -> pd.DataFrame:
    names: list[str] = list(found.columns) or [str(unit) for unit in range(count)]
    table = pd.DataFrame({"unit_id": names, "row": np.arange(count), "region": [""] * count})
    if isinstance(activity, xr.DataArray) and activity.ndim == 2:
        across = next(dim for dim in activity.dims if dim != "time") if "time" in activity.dims else activity.dims[1]
        coords = {str(name): c.values for name, c in activity.coords.items() if c.dims == (across,)}
        if "unit_id" in coords and across not in coords:
            table["unit_id"] = [str(name) for name in coords["unit_id"]]
        table = table.assign(**{name: coords[name] for name in ("row", "region") if name in coords})
    metadata = getattr(activity, "metadata", None)
    return _checked(_with_metadata(table, metadata) if isinstance(metadata, pd.DataFrame) else table)


def _of_spikes(group: Any, units: str | None) -> UserActivity:
    if units is not None and units.lower() not in COUNT_UNITS:
        raise UsageError(f"activity: a TsGroup has spike times, not {units}", "leave units out")
    names = [str(name) for name in group.keys()]  # noqa: SIM118  (a TsGroup is no mapping to iterate over)
    spikes = [np.sort(np.asarray(group[name].t, dtype=float)) for name in group.keys()]  # noqa: SIM118
    table = pd.DataFrame({"unit_id": names, "row": np.arange(len(names)), "region": [""] * len(names)})
    table = _checked(_with_metadata(table, group.metadata))
    support = np.asarray(group.time_support.values, dtype=float)
    ends = [(float(train[0]), float(train[-1])) for train in spikes if len(train)]
    # pynapple's own choice where nobody gave a support: from the first spike to the last. It says nothing.
    own = bool(ends) and len(support) == 1
    own = own and (support[0, 0], support[0, 1]) == (min(start for start, _ in ends), max(stop for _, stop in ends))
    return UserActivity("TsGroup", table, "spikes", "count", spikes=spikes, support=None if own else support)


def _with_metadata(table: pd.DataFrame, metadata: pd.DataFrame) -> pd.DataFrame:
    """Return the units with what pynapple has of them: where they are, and facts for their cards."""
    place = next((name for name in REGIONS if name in metadata.columns), None)
    if place is not None:
        table = table.assign(region=[str(value) for value in metadata[place]])
    facts = {f"{FACT}{name}": metadata[name].to_numpy() for name in metadata.columns if name not in ("rate", place)}
    return pd.concat([table, pd.DataFrame(facts, index=table.index)], axis=1)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    names = table["unit_id"]
    twice = names[names.duplicated()]
    if len(twice):
        raise UsageError(f"activity: two units are called {twice.iloc[0]}", "give each unit a name of its own")
    return table


def only(activity: UserActivity, kept: NDArray[np.bool_]) -> UserActivity:
    """Return the activity of the units where ``kept`` (unit,) is true; of a matrix."""
    assert activity.matrix is not None
    return replace(activity, table=activity.table[kept].reset_index(drop=True), matrix=activity.matrix[:, kept])
