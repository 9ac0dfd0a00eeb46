"""The session dataset of activity whose samples are the bins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.api.activity import UserActivity, only
from xcebra_nwb.api.given import given
from xcebra_nwb.api.intervals import given_within, user_intervals
from xcebra_nwb.api.labels import Column, UserLabel, on_bins
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.bins.masks import Masks, inside
from xcebra_nwb.nwb.bins.masks import segments as numbered
from xcebra_nwb.nwb.extraction.assemble import automatic_smoothing
from xcebra_nwb.nwb.neural.activity import NOT_COUNTED
from xcebra_nwb.nwb.neural.unit_facts import fact_variables
from xcebra_nwb.nwb.neural.unit_selection import FEWEST_UNITS

SECTIONS = {"neural", "time", "labels"}
IN_FILES = {"source": "auto", "where": "", "rows": ""}  # keys of ``neural`` that name parts of a file
MOST_NAMED = 10


def session_on_bins(activity: UserActivity, labels: Sequence[UserLabel], segments: Any, config: Config) -> xr.Dataset:
    """Return the session dataset of activity on its own bins, except for the attrs that name its source.

    Args:
        activity: The activity, a matrix with even times or without.
        labels: The labels.
        segments: Number of the segment of each bin, -1 where it is not used, shape (time,); intervals in s; or None.
        config: The config.

    Raises:
        UsageError: Sizes do not fit, or the config names parts of a file.
        Refusal: No bin is left, a label is constant, or fewer than two units are active.
    """
    for key, empty in IN_FILES.items():
        if getattr(config.neural, key) != empty:
            raise UsageError(f"neural.{key}: there is no file", "leave it out, and give the units that you want")
    grid, rows = _grid(activity, config)
    columns = [on_bins(label, grid, activity.times, rows, config.time) for label in labels]
    used = Masks(grid.count)
    borders = _borders(used, grid, rows, segments, config)
    for column in columns:
        used.take_out(f"{column.label.name} missing", ~column.present)
    activity, left_out = _selected(activity, rows, used, config)
    known = np.zeros(grid.count, dtype=bool)
    known[rows] = _finite(activity).all(axis=1)
    used.take_out("neural data missing", ~known)
    _check_left(used, columns)
    borders += [column.borders for column in columns]
    borders += [_changes(column.trials, grid) for column in columns if column.trials is not None]
    dataset = _assembled(activity, grid, rows, columns, used, config)
    dataset["segment"] = ("time", numbered(grid, used.valid, np.concatenate([*borders, np.empty(0)])))
    dataset["observed"] = ("time", known)
    notes = [note for column in columns for note in column.notes]
    dataset.attrs["choices"] = json.dumps(notes + left_out, ensure_ascii=False)
    return dataset


def _grid(activity: UserActivity, config: Config) -> tuple[Grid, NDArray[np.int64]]:
    """Return the bins, and the bin of each sample."""
    assert activity.matrix is not None
    count = len(activity.matrix)
    if activity.times is None or activity.period is None:
        assert not isinstance(config.time.bin_width, str)
        return Grid(0.0, config.time.bin_width, count), np.arange(count)
    rows = np.round((activity.times - activity.times[0]) / activity.period).astype(np.int64)
    start = float(activity.times[0]) - activity.period / 2
    return Grid(start, activity.period, int(rows[-1]) + 1), rows


def _borders(
    used: Masks, grid: Grid, rows: NDArray[np.int64], segments: Any, config: Config
) -> list[NDArray[np.float64]]:
    """Take out bins outside of the segments, and return the times that no window crosses."""
    within = given_within(config)
    if within is not None:
        used.take_out("outside time.within", ~inside(grid, within))
    if segments is None:
        return []
    intervals = user_intervals(segments)
    if intervals is not None:
        used.take_out("outside segments", ~inside(grid, intervals))
        return [intervals.reshape(-1)]
    values = given(segments, "segments").values
    if values is None or values.dtype.kind not in "iub" or len(values) != len(rows):
        found = "no numbers" if values is None else f"{len(values):,} values of type {values.dtype}"
        raise UsageError(
            f"segments: {found} for {len(rows):,} bins", "give a whole number for each bin, -1 where it is not used"
        )
    numbers = np.full(grid.count, -1, dtype=np.int64)
    numbers[rows] = np.where(values, 0, -1) if values.dtype.kind == "b" else values
    used.take_out("outside segments", numbers < 0)
    return [_changes(numbers, grid)]


def _changes(numbers: NDArray[np.int64], grid: Grid) -> NDArray[np.float64]:
    """Return the times at which the number of the bins changes in s."""
    edges: NDArray[np.float64] = grid.edges[1:-1][numbers[1:] != numbers[:-1]]
    return edges


def _finite(activity: UserActivity) -> NDArray[np.bool_]:
    assert activity.matrix is not None
    return np.isfinite(activity.matrix)


def _selected(
    activity: UserActivity, rows: NDArray[np.int64], used: Masks, config: Config
) -> tuple[UserActivity, list[str]]:
    """Return the activity of the units that are used, and a line for each reason to leave out others."""
    assert activity.matrix is not None
    total, notes = activity.matrix.shape[1], list[str]()
    least, valid = config.neural.min_coverage, used.valid[rows]
    covered = _finite(activity)[valid].mean(axis=0) if valid.any() else np.ones(total)
    activity = _without(activity, covered >= least, notes, f"observed for less than {least:.0%} of the time")
    assert activity.matrix is not None
    values = activity.matrix[valid & _finite(activity).all(axis=1)]
    if activity.kind == "spikes":
        active = values.sum(axis=0, dtype=np.float64) >= config.neural.min_spikes
        activity = _without(activity, active, notes, f"fewer than {config.neural.min_spikes} spikes in the valid bins")
    elif len(values):
        activity = _without(activity, np.any(values != values[:1], axis=0), notes, "constant in the valid bins")
    kept = len(activity.table)
    if kept < FEWEST_UNITS:
        raise Refusal(
            Code.TOO_FEW_UNITS,
            f"{kept} of {total} units left, at least {FEWEST_UNITS} are needed; {'; '.join(notes)}",
            "lower neural.min_spikes or neural.min_coverage, or give more units",
        )
    return activity, notes


def _without(activity: UserActivity, keep: NDArray[np.bool_], notes: list[str], reason: str) -> UserActivity:
    if keep.all():
        return activity
    gone = activity.table["unit_id"][~keep].tolist()
    shown = ", ".join(gone[:MOST_NAMED]) + (", ..." if len(gone) > MOST_NAMED else "")
    notes.append(f"{len(gone)} units left out ({reason}): {shown}")
    return only(activity, keep)


def _check_left(used: Masks, columns: Sequence[Column]) -> None:
    if not used.valid.any():
        why = ", ".join(f"{reason} ({bins} bins)" for reason, bins in used.reasons.items())
        raise Refusal(Code.NO_USABLE_BIN, f"no usable bin: {why}", "check the values and the segments")
    for column in columns:
        values = column.values[used.valid].reshape(int(used.valid.sum()), -1)
        flat = np.flatnonzero(np.all(values == values[:1], axis=0))
        if len(flat):
            which = f": column {flat[0]}" if values.shape[1] > 1 else ""
            raise Refusal(
                Code.LABEL_CONSTANT, f"label {column.label.name}{which} is constant in the bins in use", "leave it out"
            )


def _assembled(
    activity: UserActivity,
    grid: Grid,
    rows: NDArray[np.int64],
    columns: Sequence[Column],
    used: Masks,
    config: Config,
) -> xr.Dataset:
    matrix = activity.matrix
    assert matrix is not None
    values = np.zeros((grid.count, matrix.shape[1]), dtype=matrix.dtype)
    values[rows] = matrix
    spikes = values[used.valid].sum(axis=0, dtype=np.int64) if activity.kind == "spikes" else None
    smoothing = config.neural.smoothing
    if smoothing == "auto":
        rate = float(NOT_COUNTED if spikes is None else spikes.sum()) / max(used.valid.sum() * grid.width, grid.width)
        smoothing = automatic_smoothing(activity.kind, config.encoder.architecture, rate)
    seen = {"units": activity.units, "kind": activity.kind, "smoothing": float(smoothing)}
    given_times = activity.times is not None and len(rows) == grid.count
    dataset = xr.Dataset(
        {"activity": (("time", "unit"), values, seen | {"standardize": int(config.neural.standardize)})},
        coords={"time": ("time", activity.times if given_times else grid.centres, {"units": "s"})},
    )
    for column in columns:
        dataset[column.label.name] = _variable(column)
        if column.values.ndim == 2 and len(column.axes) == column.values.shape[1]:
            dataset.coords[f"{column.label.name}_axis"] = list(column.axes)
        if column.trials is not None:
            dataset[f"{column.label.name}_trial"] = ("time", column.trials)
    table = activity.table
    dataset = dataset.assign(fact_variables(table, set(map(str, dataset.variables))))
    dataset["valid"] = ("time", used.valid)
    dataset["masked_by"] = ("time", used.masked_by)
    counted = np.full(len(table), NOT_COUNTED, dtype=np.int64) if spikes is None else spikes
    dataset = dataset.assign_coords(
        unit=("unit", table["unit_id"].to_numpy(dtype=str)),
        unit_id=("unit", table["unit_id"].to_numpy(dtype=str)),
        row=("unit", table["row"].to_numpy(dtype=np.int64)),
        region=("unit", table["region"].to_numpy(dtype=str)),
        n_spikes=("unit", counted),
    )
    dataset.attrs |= {
        **dict.fromkeys(("subject", "species", "nwb_identifier", "session_start_time"), ""),
        "bin_width": grid.width,
        "neural_source": activity.form,
        "config": json.dumps(config.model_dump(mode="json", include=SECTIONS)),
        "masks": json.dumps(used.reasons, ensure_ascii=False),
    }
    return dataset


def _variable(column: Column) -> xr.DataArray:
    attrs = {
        "role": "label",
        "kind": column.kind,
        "units": column.units,
        "source": column.label.source,
        "reference_frame": "",
    }
    if column.kind == "discrete":
        attrs["classes"] = json.dumps(list(column.classes), ensure_ascii=False)
    dims = ("time", f"{column.label.name}_axis") if column.values.ndim == 2 else ("time",)
    return xr.DataArray(column.values, dims=dims, attrs=attrs)
