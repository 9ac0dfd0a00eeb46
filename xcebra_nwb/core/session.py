"""The session dataset: neural activity and labels on one bin grid, the contract of extraction with later commands.

Dimensions: ``time`` (bin centres, s from the session's start), ``unit``, and ``<label>_axis`` for a vector label.

- ``activity(time, unit)``, counts in the smallest type that holds them: attrs ``units`` (count, Hz, dF/F, ...),
  ``kind`` (spikes, rates or calcium), and its treatment for the encoder: ``smoothing`` (s, standard
  deviation of a Gaussian) and ``standardize`` (0 or 1).
- one variable per label, attrs ``role="label"``, ``kind``, ``units``, ``source``, ``reference_frame``:
  continuous ``(time)`` or ``(time, <label>_axis)``, NaN where missing; circular ``(time)`` in rad, NaN where missing;
  discrete ``(time)`` codes 0, 1, ... with attr ``classes`` (their names), -1 where missing.
- ``<label>_trial(time)`` for a label that is constant within trials: the number of the trial, -1 outside of any.
- ``valid(time)``: observed and every label present. ``segment(time)``: equal for bins that follow each other without a
  gap or a trial border, -1 where not valid.
- ``masked_by(time)``: the number of the reason, among those of ``masks``, that took a bin out; -1 where valid.
- ``observed(time)``: the activity of every unit is known, whatever the labels are. Older files lack it.
- coordinates on unit: ``unit_id``, ``unit`` (the same, as an index; older files lack it), ``row`` (row in the NWB
  table, or column of the series), ``region``, ``n_spikes``,
  and ``true_type`` in a recording of our own simulator (:mod:`xcebra_nwb.core.ground_truth`).
- variables on unit of the role ``unit fact``: what the file and the spike times say of each unit, for its card;
  the attr ``name`` is the title.
- attrs: ``session``, ``subject``, ``species``, ``bin_width`` (s), ``source``, ``neural_source``, ``asset_id``,
  ``sha256``, ``nwb_identifier``, ``session_start_time``, ``software`` and ``config`` (JSON), ``choices`` (JSON list:
  the choices and their reasons) and ``masks`` (JSON: bins taken out, by reason).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.activity import NOT_FINITE, blocks, contract_failure, is_finite
from xcebra_nwb.core.files import atomic, check_disk_space
from xcebra_nwb.core.netcdf import add_dataset, load_dataset, new_variable

KINDS = ("continuous", "circular", "discrete")
UNIT_COORDINATES = ("unit_id", "row", "region", "n_spikes")
UNIT_FACT = "unit fact"  # role of a variable on unit that only cards show; its attr ``name`` is the title
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


def labels(session: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the labels of a session by name, in the order of the file."""
    return {str(name): v for name, v in session.data_vars.items() if v.attrs.get("role") == "label"}


def trial_numbers(session: xr.Dataset, label: str) -> np.ndarray | None:
    """Return the trial of every bin, (time,); None for a label without trials.

    Bins outside of trials have the number -1.
    """
    name = f"{label}_trial"
    return session[name].values.astype(np.int64) if name in session else None


def label_axes(label: xr.DataArray) -> int:
    """Return the dimension of a label: the axes of a vector, else 1.

    >>> label_axes(xr.DataArray(np.zeros((100, 2)))), label_axes(xr.DataArray(np.zeros(100)))
    (2, 1)
    """
    return int(label.shape[1]) if label.ndim == 2 else 1


def check(session: xr.Dataset) -> None:
    """Check that a session dataset keeps the contract of this module.

    Raises:
        Failure: It breaks the contract; the line names the first problem.
    """
    _check(_problems(session))
    _check(_problems_of_activity(session))


def _check(problems: Iterable[str]) -> None:
    for problem in problems:
        raise contract_failure(problem)


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
    """Yield the problems that only reading the whole activity shows."""
    activity, valid = session["activity"], session["valid"].values
    if activity.dtype.kind == "f" and not all(is_finite(activity[r].values[valid[r]]) for r in blocks(session)):
        yield NOT_FINITE


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
    """Check ``session`` and write it to ``path``, whole or not at all.

    The file is netCDF4, compressed.

    Raises:
        Failure: The session breaks the contract.
    """
    check(session)
    with atomic(path) as temporary:
        _write_activity(session, temporary)
        add_dataset(session.drop_vars("activity"), temporary)


def _write_activity(session: xr.Dataset, path: Path) -> None:
    """Write the activity to the new file ``path`` block by block; it may not fit the memory."""
    activity = session["activity"]
    bins, units = activity.shape
    check_disk_space(path.parent, activity.nbytes)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": bins, "unit": units}
        stored = new_variable(file, "activity", ("time", "unit"), activity.dtype)
        stored.attrs.update(activity.attrs)
        for rows in blocks(session):
            stored[rows] = activity[rows].values


def load(path: Path | str) -> xr.Dataset:
    """Return the session dataset of ``path``, checked.

    Its activity stays in the file and is read on demand.

    Raises:
        UsageError: There is no such file, or it is not netCDF4.
        Failure: The session breaks the contract.
    """
    session = load_dataset(path, ("activity",))
    _check(_problems(session))
    return session


def label_values(
    session: xr.Dataset, name: str, bins: NDArray[np.int64], order: NDArray[np.int64] | None = None
) -> NDArray:
    """Return the values of a label at some bins.

    Args:
        session: The session dataset.
        name: Name of the label.
        bins: Time bins, (sample,).
        order: Permutation of the samples in which the label is read, (sample,); None: unchanged.

    Returns:
        Values (sample, axis), or class codes (sample,) of a discrete label.
    """
    values = labels(session)[name].values[bins if order is None else bins[order]]
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return values.astype(np.float64).reshape(len(bins), -1)


def class_codes(label: xr.DataArray) -> NDArray:
    """Return the codes of the classes of a discrete label, (class,), ascending.

    >>> class_codes(xr.DataArray([2, -1, 0, 2])).tolist()
    [0, 2]
    """
    return np.unique(label.values[label.values >= 0])


def label_features(values: NDArray, kind: str) -> NDArray[np.float64]:
    """Return the values of a label as features of similar size, for a decoder.

    Args:
        values: Label (sample,) or (sample, axis); rad for a circular label; codes for a discrete one.
        kind: Continuous, circular or discrete.

    Returns:
        Features (sample, feature): one per class, cosine and sine, or z-scored columns.

    >>> label_features(np.array([0, 2, 2]), "discrete").tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    """
    if kind == "discrete":
        return (values[:, None] == np.unique(values)).astype(np.float64)
    columns = values.reshape(len(values), -1).astype(np.float64)
    if kind == "circular":
        return np.hstack([np.cos(columns), np.sin(columns)])
    return (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-12)
