"""Results as pynapple objects, with all measures of the units as their metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.api.parts import Parts
from xcebra_nwb.core import members
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.installation import is_installed
from xcebra_nwb.core.session import labels as labels_of
from xcebra_nwb.nwb.reading.source import opened
from xcebra_nwb.nwb.reading.values import numbers

RESERVED = {"rate", "rates"}  # names that a TsGroup has itself


def to_pynapple(results: Parts, table: pd.DataFrame, spikes: Any = None) -> dict[str, Any]:
    """Return results as pynapple objects; :meth:`xcebra_nwb.api.results.Results.to_pynapple` describes them.

    Args:
        results: The results.
        table: All measures of each unit.
        spikes: A `TsGroup` whose keys are the names of the units; None: spike times of the exported NWB file, or the
            activity on bins where there is none.

    Raises:
        UsageError: pynapple is not installed, or the results have neither spike times nor activity.
    """
    if not is_installed("pynapple"):
        raise UsageError("to_pynapple needs pynapple, which is not installed", "pip install 'xcebra-nwb[pynapple]'")
    exported = _exported(results)
    if spikes is None and exported is not None:
        spikes = _spikes(exported, results.dataset)
    made: dict[str, Any] = {}
    if spikes is not None:
        made["units"] = _with_measures(spikes, table)
    if results.has_files:
        made |= _of_session(results, table, "activity" if spikes is not None else "units")
    elif exported is not None:
        made |= _of_export(exported)
    if not made:
        raise UsageError(f"{results.path}: nothing for pynapple at an address", "download the file")
    return made


def _exported(results: Parts) -> Path | None:
    """Return the exported NWB file of the results, None without."""
    path = Path(results.path)
    if path.is_dir():
        path = path / f"{results.name}_desc-xcebra.nwb"
    return path if path.is_file() and path.suffix == ".nwb" else None


def _spikes(path: Path, dataset: xr.Dataset) -> Any:
    """Return the spike times of the units of the results by their names; None where the file has none."""
    import pynapple as nap

    with opened(path) as file:
        if "units/spike_times" not in file:
            return None
        times, last = numbers(file["units/spike_times"]), numbers(file["units/spike_times_index"]).astype(int)
        rows = dataset["row"].values.astype(int)
        first = np.r_[0, last[:-1]]
        trains = {name: times[first[row] : last[row]] for name, row in zip(_keys(dataset), rows, strict=True)}
    return nap.TsGroup({key: nap.Ts(t=np.sort(train)) for key, train in trains.items()})


def _keys(dataset: xr.Dataset) -> list[int]:
    """Return a whole number for each unit: its name if all names are such numbers, else its place."""
    names = [str(name) for name in dataset["unit"].values]
    return [int(name) for name in names] if all(name.isdecimal() for name in names) else list(range(len(names)))


def _with_measures(group: Any, table: pd.DataFrame) -> Any:
    """Return a TsGroup with the measures of its units; units without results have NaN."""
    keys = [str(key) for key in group.keys()]  # noqa: SIM118
    names = keys if set(keys) & set(table.index) else list(table.index)
    if len(names) != len(keys):
        raise UsageError("spikes: no key is the name of a unit", f"name them as in results.units: {names[0]}, ...")
    measures = table.reindex(names)
    measures = measures[[name for name in measures.columns if name not in RESERVED]].assign(unit_id=names)
    made = group[list(group.keys())]
    made.set_info(**{name: _plain(measures[name]) for name in measures.columns})
    return made


def _plain(column: pd.Series) -> NDArray[Any]:
    """Return a column of numbers, or of texts; truth values of units without results are none of either."""
    if column.dtype.kind in "ifb":
        return column.to_numpy()
    truths = column.dropna().map(lambda value: isinstance(value, bool | np.bool_)).all()
    return np.asarray(column.map(lambda value: value is True or value is np.True_) if truths else column.astype(str))


def _of_session(results: Parts, table: pd.DataFrame, name: str) -> dict[str, Any]:
    import pynapple as nap

    session, files = results.session, results.files
    time, valid = session["time"].values, session["valid"].values
    epochs = _epochs(session)
    measures = table[[column for column in table.columns if column not in RESERVED]].reset_index(drop=True)
    made: dict[str, Any] = {
        name: nap.TsdFrame(
            t=time[valid],
            d=session["activity"].values[valid].astype(float),
            time_support=epochs,
            columns=table.index.tolist(),
            metadata=measures.set_axis(table.index),
        ),
        "embedding": _embedding(files.embedding, time, epochs),
        "epochs": epochs,
    }
    for label, values in labels_of(session).items():
        data = values.values[valid]
        made[label] = (
            nap.TsdFrame(t=time[valid], d=data, time_support=epochs)
            if data.ndim == 2
            else nap.Tsd(t=time[valid], d=data, time_support=epochs)
        )
    return made


def _epochs(session: xr.Dataset) -> Any:
    """Return the segments of a session as intervals from the first to the last edge of their bins."""
    import pynapple as nap

    segment, time, half = session["segment"].values, session["time"].values, float(session.attrs["bin_width"]) / 2
    known = np.flatnonzero(segment >= 0)
    starts = known[np.r_[True, (np.diff(segment[known]) != 0) | (np.diff(known) > 1)]]
    stops = np.r_[known[np.searchsorted(known, starts[1:]) - 1], known[-1]]
    edge = np.r_[time[starts[1:]] - time[stops[:-1]] > 2.5 * half, True]  # segments that touch must not join
    return nap.IntervalSet(start=time[starts] - half, end=time[stops] + np.where(edge, half, 0.9 * half))


def _embedding(embedding: xr.Dataset, time: NDArray[np.float64], epochs: Any) -> Any:
    import pynapple as nap

    values = embedding["embedding"][members.seeds(embedding)[0]].values
    kept = np.isfinite(values).all(axis=1)
    return nap.TsdFrame(t=time[kept], d=values[kept], time_support=epochs)


def _of_export(path: Path) -> dict[str, Any]:
    import pynapple as nap

    with opened(path) as file:
        series = file["processing/misc/xcebra_embedding"]
        data = numbers(series["data"])
        if "timestamps" in series:
            time = numbers(series["timestamps"])
        else:
            start = series["starting_time"]
            time = float(start[()]) + np.arange(len(data)) / float(start.attrs["rate"])
    return {"embedding": nap.TsdFrame(t=time, d=data)}
