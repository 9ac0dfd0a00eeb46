"""The session dataset: neural activity and labels on one bin grid, the contract between extraction and the rest.

Dimensions: ``time`` (bin centres, s from the session's start), ``unit``, and ``<label>_axis`` for a vector label.

- ``activity(time, unit)``, counts in the smallest type that holds them: attrs ``units`` (count, Hz, dF/F, ...),
  ``kind`` (spikes, rates or calcium), and how the encoder is to see it: ``smoothing`` (s, standard
  deviation of a Gaussian) and ``standardize`` (0 or 1).
- one variable per label, attrs ``role="label"``, ``kind``, ``units``, ``source``, ``reference_frame``:
  continuous ``(time)`` or ``(time, <label>_axis)``, NaN where missing; circular ``(time)`` in rad, NaN where missing;
  discrete ``(time)`` codes 0, 1, ... with attr ``classes`` (their names), -1 where missing.
- ``<label>_trial(time)`` for a label that is constant within trials: the number of the trial, -1 outside of any.
- ``valid(time)``: observed and every label present. ``segment(time)``: equal for bins that follow each other without a
  gap or a trial border, -1 where not valid.
- ``masked_by(time)``: the number of the reason, among those of ``masks``, that took a bin out; -1 where valid.
- coordinates on unit: ``unit_id``, ``row`` (row in the NWB table, or column of the series), ``region``, ``n_spikes``.
- attrs: ``session``, ``subject``, ``species``, ``bin_width`` (s), ``source``, ``neural_source``, ``asset_id``,
  ``sha256``, ``nwb_identifier``, ``session_start_time``, ``software`` (JSON), ``choices`` (JSON list: what was picked
  and why) and ``masks`` (JSON: bins taken out, by reason).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter1d

from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import atomic, check_file, make_room
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.hdf5.scan import check_self_contained
from xcebra_nwb.core.moments import Moments
from xcebra_nwb.core.outputs import maker
from xcebra_nwb.core.scratch import Rows

KINDS = ("continuous", "circular", "discrete")
UNIT_COORDINATES = ("unit_id", "row", "region", "n_spikes")
ATTRIBUTES = (
    "session",
    "subject",
    "species",
    "bin_width",
    "source",
    "neural_source",
    "asset_id",
    "sha256",
    "nwb_identifier",
    "session_start_time",
    "software",
    "choices",
    "masks",
)
ON_DISK = "on disk"  # the role of a variable that may not fit the memory
BLOCK = 2**22  # values of the activity that are handled at once: memory beyond the result does not grow
CHUNK = 2**17  # values that are compressed together: less than what HDF5 keeps open
NOT_FINITE = "activity is not finite in valid bins"
SMOOTHING_REACH = 4.0  # standard deviations after which the Gaussian is cut off


def labels(session: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the labels of a session by name, in the order of the file."""
    return {str(name): v for name, v in session.data_vars.items() if v.attrs.get("role") == "label"}


def trial_numbers(session: xr.Dataset, label: str) -> np.ndarray | None:
    """Return the trial that ``label`` belongs to in every bin, (time,), -1 outside; None if it has no trials."""
    name = f"{label}_trial"
    return session[name].values.astype(np.int64) if name in session else None


def label_axes(label: xr.DataArray) -> int:
    """Return the label's intrinsic dimension: 1 for a scalar, an angle or a class, the number of axes of a vector."""
    return int(label.shape[1]) if label.ndim == 2 else 1


def check(session: xr.Dataset) -> None:
    """Raise :class:`Failure` naming the first point on which ``session`` breaks the contract of this module."""
    _check(_problems(session))
    _check(_problems_of_activity(session))


def _check(problems: Iterable[str]) -> None:
    for problem in problems:
        raise Failure(f"session dataset breaks its contract: {problem}", "please report this with the file's name")


def _problems(session: xr.Dataset) -> Iterator[str]:
    missing = [name for name in ("activity", "valid", "segment") if name not in session]
    missing += [name for name in UNIT_COORDINATES if name not in session.coords]
    missing += [name for name in ATTRIBUTES if name not in session.attrs]
    if missing:
        yield f"missing {', '.join(missing)}"
        return
    activity, valid, segment = session["activity"], session["valid"], session["segment"]
    if activity.dims != ("time", "unit"):
        yield f"activity has dims {activity.dims}, not (time, unit)"
    if valid.dtype != bool:
        yield f"valid is {valid.dtype}, not bool"
    if not np.all(np.diff(session["time"].values) > 0):
        yield "time does not increase"
    if not np.array_equal(segment.values >= 0, valid.values):
        yield "segment is not -1 exactly where valid is false"
    for attribute in ("units", "kind", "smoothing", "standardize"):
        if attribute not in activity.attrs:
            yield f"activity has no attr {attribute}"
    for name, label in labels(session).items():
        yield from _label_problems(name, label, valid.values)
        yield from _trial_problems(session, name)


def _problems_of_activity(session: xr.Dataset) -> Iterator[str]:
    """Those that only reading all of it shows."""
    activity, valid = session["activity"], session["valid"].values
    if activity.dtype.kind == "f" and not all(_finite(activity[r].values[valid[r]]) for r in blocks(session)):
        yield NOT_FINITE


def _finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def _label_problems(name: str, label: xr.DataArray, valid: np.ndarray) -> Iterator[str]:
    missing = [a for a in ("kind", "units", "source", "reference_frame") if a not in label.attrs]
    if missing:
        yield f"label {name} has no attr {', '.join(missing)}"
        return
    kind = label.attrs["kind"]
    if kind not in KINDS:
        yield f"label {name} has the unknown kind {kind}"
    if label.dims not in {("time",), ("time", f"{name}_axis")}:
        yield f"label {name} has dims {label.dims}"
    present = label.values >= 0 if kind == "discrete" else np.isfinite(label.values)
    if not present[valid].all():
        yield f"label {name} is missing in valid bins"
    if kind == "discrete" and "classes" not in label.attrs:
        yield f"discrete label {name} has no attr classes"


def _trial_problems(session: xr.Dataset, name: str) -> Iterator[str]:
    trial = trial_numbers(session, name)
    if trial is not None and not (trial[session["valid"].values] >= 0).all():
        yield f"label {name} belongs to no trial in valid bins"


def save(session: xr.Dataset, path: Path | str) -> None:
    """Check ``session`` and write it to ``path`` (netCDF4, compressed), whole or not at all."""
    check(session)
    with atomic(path) as temporary:
        _write_activity(session, temporary)
        add_dataset(session.drop_vars("activity"), temporary)


def _write_activity(session: xr.Dataset, path: Path) -> None:
    """Write the activity to the new file ``path`` block by block: it may not fit the memory."""
    activity = session["activity"]
    rows, units = activity.shape
    make_room(path.parent, activity.nbytes)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": rows, "unit": units}
        stored = new_variable(file, "activity", ("time", "unit"), activity.dtype)
        stored.attrs.update(activity.attrs)
        for some in blocks(session):
            stored[some] = activity[some].values


def load(path: Path | str) -> xr.Dataset:
    """Return the session of ``path``, checked; its activity stays in the file until some of it is asked for."""
    session = load_dataset(path, ("activity",))
    _check(_problems(session))
    return session


def new_variable(
    file: h5netcdf.File, name: str, dims: tuple[str, ...], dtype: np.dtype | type, fill: float | None = None
) -> h5netcdf.Variable:
    """Return a new, compressed variable of an open netCDF4 file, written in stretches of its last dimension but one.

    What was never written is ``fill``.
    """
    rows, columns = (file.dimensions[dim].size for dim in dims[-2:])
    chunks = (*[1] * (len(dims) - 2), max(1, min(rows, CHUNK // columns)), columns)
    return file.create_variable(
        name, dims, dtype, chunks=chunks, compression="gzip", compression_opts=4, fillvalue=fill
    )


def save_dataset(dataset: xr.Dataset, path: Path | str) -> None:
    """Write any dataset to ``path`` (netCDF4, numeric variables compressed), whole or not at all."""
    with atomic(path) as temporary:
        add_dataset(dataset, temporary)


def add_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write any dataset to ``path`` (netCDF4, numeric variables compressed), beside what the file holds already."""
    encoding: dict[Any, dict[str, Any]] = {
        name: {"zlib": True, "complevel": 4}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "fiub" and variable.ndim
    }
    make_room(path.parent, dataset.nbytes)
    dataset.to_netcdf(path, mode="a", engine="h5netcdf", encoding=encoding)


def load_dataset(path: Path | str, lazily: Collection[str] = ()) -> xr.Dataset:
    """Return any dataset of ``path``, in memory, without the variables whose ``role`` is :data:`ON_DISK`.

    Variables named in ``lazily`` are read when they are asked for, slice by slice; ``.values`` would keep the whole.
    The file stays open as long as they are there.

    Raises:
        UsageError: there is no such file, or it is not netCDF4.
        Refusal: something in it leads into another file, or declares more than it holds.
    """
    if not Path(path).exists():
        raise UsageError(f"{path}: no such file", f"run {maker(path)} first")
    check_file(path)
    try:
        with h5py.File(path) as h5:  # what is no HDF5 file at all h5netcdf says in many lines
            check_self_contained(h5, str(path))  # results may be a stranger's
            for name, item in h5.items():
                if isinstance(item, h5py.Dataset) and name not in lazily and item.attrs.get("role") != ON_DISK:
                    check_size(item)
        stored = xr.open_dataset(path, engine="h5netcdf")
        found = stored.drop_vars([n for n, v in stored.data_vars.items() if v.attrs.get("role") == ON_DISK])
        for name, variable in found.variables.items():
            if name not in lazily:
                variable.load()
        if not lazily:
            stored.close()
        return found
    except (OSError, KeyError, RuntimeError, ValueError) as error:  # HDF5's, by where the damage is
        raise UsageError(f"{path}: not a netCDF4 file: {error}", f"delete it and run {maker(path)} again") from None


def encoder_input(session: xr.Dataset) -> np.ndarray:
    """Return what the encoder sees, (time, unit) float32, in memory: see :func:`fill_encoder_input`."""
    seen = np.empty(session["activity"].shape, dtype=np.float32)
    fill_encoder_input(session, seen)
    return seen


def fill_encoder_input(session: xr.Dataset, seen: Rows) -> None:
    """Fill ``seen`` (time, unit) with what the encoder sees: smoothed within segments, then standardised.

    Mean and variance are those of the valid bins; a unit without variance there becomes zero. Bins that are not valid
    are zero. It is done block by block, in float64, and kept in the type of ``seen``: float32, or that of raw counts
    (:mod:`.value_types`). The values do not depend on where.
    """
    valid, moments = session["valid"].values, Moments(session.sizes["unit"])
    for rows, values in _smoothed(session):
        seen[rows] = values
        moments.add(values[valid[rows]])
    if not _finite(moments.mean):
        _check([NOT_FINITE])
    if session["activity"].attrs["standardize"]:
        for rows in blocks(session):
            seen[rows] = np.where(valid[rows, None], moments.standardized(seen[rows]), 0.0)


def fill_recorded(session: xr.Dataset, seen: Rows) -> None:
    """Fill ``seen`` (time, unit) with the activity as it was recorded: not smoothed, not standardised."""
    for rows in blocks(session):
        seen[rows] = session["activity"][rows].values


def blocks(session: xr.Dataset) -> Iterator[slice]:
    """Yield the time bins of ``session`` in stretches whose activity takes little memory."""
    size = max(1, BLOCK // session.sizes["unit"], 8 * smoothing_reach(session))
    for start in range(0, session.sizes["time"], size):
        yield slice(start, min(start + size, session.sizes["time"]))


def _smoothed(session: xr.Dataset) -> Iterator[tuple[slice, np.ndarray]]:
    """The blocks of the activity (time, unit) smoothed within segments; 0 in bins that are not valid.

    A block is smoothed with as many bins around it as reach into it: the same to the bit as the whole at once.
    """
    activity, segment, reach = session["activity"], session["segment"].values, smoothing_reach(session)
    sigma = float(activity.attrs["smoothing"]) / float(session.attrs["bin_width"])
    for rows in blocks(session):
        around = slice(max(0, rows.start - reach), rows.stop + reach)
        values = np.where(segment[around, None] >= 0, activity[around].values, 0.0).astype(np.float64, copy=False)
        for run in _runs(segment[around]) if sigma > 0 else ():
            values[run] = gaussian_filter1d(values[run], sigma, axis=0, mode="reflect", truncate=SMOOTHING_REACH)
        yield rows, values[rows.start - around.start :][: rows.stop - rows.start]


def smoothing_reach(session: xr.Dataset) -> int:
    """Return how many bins away smoothing carries a spike."""
    sigma = float(session["activity"].attrs["smoothing"]) / float(session.attrs["bin_width"])
    return int(np.ceil(SMOOTHING_REACH * sigma))


def _runs(segment: np.ndarray) -> Iterator[slice]:
    """The slices of equal, non-negative values of ``segment``."""
    borders = np.flatnonzero(np.diff(segment)) + 1
    for start, stop in zip(np.r_[0, borders], np.r_[borders, len(segment)], strict=True):
        if stop > start and segment[start] >= 0:
            yield slice(int(start), int(stop))


def decode_list(text: str) -> list[str]:
    """Return the list of strings kept as JSON in an attr."""
    return [str(item) for item in json.loads(text)]
