"""Build the dataset of units.nc: the tuning of every unit to every label of a session, and its rate around events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.label_grid import Grid, label_grids
from xcebra_nwb.attribution.peri_event import Events, event_rate, label_events
from xcebra_nwb.attribution.tuning_curves import (
    LEAST_OCCUPANCY,
    LEAST_STRETCHES,
    STRETCHES,
    TOO_FEW_BINS,
    StretchSums,
    Tuning,
    add_recording,
    tuning,
)
from xcebra_nwb.core.activity import blocks
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import UNIT_COORDINATES, label_axes, label_values, labels

NO_SPIKES = "bits a spike need counts of spikes: compare units by tuning_reliability"
SILENT = "a unit without spikes in the visited bins has no information a spike"
UNVISITED = (
    f"no value is visited for {LEAST_OCCUPANCY:g} s and in at least two of {STRETCHES} stretches of the recording"
)
FLAT = "a unit with the same activity everywhere has no correlation"
STORED = np.float32  # type of the curves, which may be many


@dataclass(frozen=True)
class LabelTuning:
    """The tuning of every unit to a label: one grid, or one for each of three axes or more."""

    name: str
    label: xr.DataArray
    grids: list[Grid]
    tunings: list[Tuning]

    @property
    def apart(self) -> bool:
        """Whether each axis has curves of its own."""
        return len(self.grids) > 1

    def dims(self) -> tuple[str, ...]:
        """Return the dimensions of the bins."""
        if self.label.attrs["kind"] == "discrete":
            return (f"{self.name}_class",)
        if len(self.grids[0].shape) == 2:
            return (f"{self.name}_x", f"{self.name}_y")
        return (f"{self.name}_axis", f"{self.name}_bin") if self.apart else (f"{self.name}_bin",)

    def stacked(self, attribute: str) -> NDArray[np.float64]:
        """Return curves (unit, ...) with the bins in the shape of :meth:`dims`."""
        values = [getattr(each, attribute).T for each in self.tunings]
        return np.stack(values, axis=1) if self.apart else values[0].reshape(len(values[0]), *self.grids[0].shape)


def units_dataset(session: xr.Dataset, bins: NDArray[np.int64], config: Config) -> xr.Dataset:
    """Return the dataset of units.nc.

    The variables are described in docs/reference/results.md.

    Args:
        session: The session dataset; its activity is read block by block.
        bins: The usable bins of time, ascending, shape (sample,).
        config: The config, for the settings on which the usable bins depend.
    """
    spikes = session["activity"].attrs["kind"] == "spikes"
    tuned = label_tunings(session, bins)
    dataset = xr.Dataset(
        coords={"label": [each.name for each in tuned], **{name: session[name] for name in UNIT_COORDINATES}},
        attrs={
            "session": session.attrs["session"],
            "stretches": STRETCHES,
            "least_occupancy": LEAST_OCCUPANCY,
            "least_stretches": LEAST_STRETCHES,
            "config": json.dumps(config.model_dump(mode="json", include={"encoder"})),
            "software": json.dumps(software()),
        },
    )
    activity_units = "Hz" if spikes else str(session["activity"].attrs["units"])
    for each in tuned:
        dataset = dataset.assign_coords(_coordinates(each)).assign(_variables(each, activity_units))
    for attribute, units in (("information", "bit/spike"), ("reliability", "1")):
        values = [_largest(each, attribute) for each in tuned]
        dataset[f"tuning_{attribute}"] = (("label", "unit"), np.stack(values), {"units": units})
    for name, events in label_events(session).items():
        dataset = dataset.assign(_event_variables(session, name, events, activity_units))
    dataset.attrs |= _reasons(dataset, spikes)
    return dataset


def _event_variables(session: xr.Dataset, name: str, events: Events, activity_units: str) -> Mapping[str, Any]:
    """Return the rate around the events of a label, and how many events each group has."""
    group, lag = f"{name}_event_group", f"{name}_event_lag"
    attrs = {"units": activity_units, "event": "trial" if events.by_trial else "class"}
    rate = event_rate(session, events)
    curves = {"": rate.mean, "_low": rate.low, "_high": rate.high}
    variables: dict[str, Any] = {
        f"{name}_event_rate{suffix}": (("unit", group, lag), np.moveaxis(values, 2, 0).astype(STORED), attrs)
        for suffix, values in curves.items()
    }
    variables[f"{name}_events"] = (group, np.bincount(events.group, minlength=len(events.names)))
    variables[group] = (group, np.array(events.names, dtype=str))
    variables[lag] = (lag, events.centers(float(session.attrs["bin_width"])), {"units": "s"})
    return variables


def label_tunings(session: xr.Dataset, bins: NDArray[np.int64]) -> list[LabelTuning]:
    """Return the tuning of every unit to each label of a session.

    Args:
        session: The session dataset; its activity is read block by block.
        bins: The usable bins of time, ascending, shape (sample,).
    """
    grids = {name: _grids(session, name, label, bins) for name, label in labels(session).items()}
    sums = {name: [StretchSums(grid, session.sizes["unit"]) for grid in each] for name, each in grids.items()}
    every, width = [each for label in sums.values() for each in label], float(session.attrs["bin_width"])
    spikes = session["activity"].attrs["kind"] == "spikes"
    for number, samples in enumerate(np.array_split(np.arange(len(bins)), STRETCHES)):
        if len(samples):
            recorded = _recorded(session, bins, samples, 1.0 if spikes else width)
            add_recording(every, number, recorded, width)
    return [
        LabelTuning(name, label, grids[name], [tuning(each, spikes) for each in sums[name]])
        for name, label in labels(session).items()
    ]


def _grids(session: xr.Dataset, name: str, label: xr.DataArray, bins: NDArray[np.int64]) -> list[Grid]:
    kind = str(label.attrs["kind"])
    classes = len(decode_list(label.attrs["classes"])) if kind == "discrete" else 0
    return label_grids(label_values(session, name, bins), kind, classes)


def _recorded(
    session: xr.Dataset, bins: NDArray[np.int64], samples: NDArray[np.int64], factor: float
) -> Iterator[tuple[slice, NDArray]]:
    """Yield the samples of a stretch, block by block, and their activity (sample, unit) times a factor."""
    for rows in blocks(session):
        first, last = samples[0] + np.searchsorted(bins[samples], (rows.start, rows.stop))
        if last > first:
            start, stop = bins[first], bins[last - 1] + 1
            activity = session["activity"][start:stop].values[bins[first:last] - start]
            yield slice(first, last), activity if factor == 1 else factor * activity.astype(np.float64)


def _coordinates(tuned: LabelTuning) -> dict[str, Any]:
    """Return the coordinates of the bins of a label."""
    name, units = tuned.name, {"units": str(tuned.label.attrs["units"])}
    grid, dims = tuned.grids[0], tuned.dims()
    axis = f"{name}_axis"
    named = {axis: tuned.label[axis].values} if axis in tuned.label.coords else {}
    if tuned.label.attrs["kind"] == "discrete":
        return {dims[0]: decode_list(tuned.label.attrs["classes"])}
    if tuned.apart:
        return named | {f"{name}_bin_center": (dims, np.stack([each.centers[0] for each in tuned.grids]), units)}
    centers = {dim: (dim, each, units) for dim, each in zip(dims, grid.centers, strict=True)}
    return centers | (named if len(dims) == 2 else {})


def _variables(tuned: LabelTuning, activity_units: str) -> Mapping[str, Any]:
    """Return the curves of a label, their intervals, the occupancy and the preferred values."""
    name, dims = tuned.name, tuned.dims()
    attrs = {"units": activity_units, "kind": str(tuned.label.attrs["kind"])}
    curves = {"": "curve", "_low": "low", "_high": "high"}
    variables: dict[str, Any] = {
        f"{name}_tuning{suffix}": (("unit", *dims), tuned.stacked(attribute).astype(STORED), attrs)
        for suffix, attribute in curves.items()
    }
    occupancy = np.stack([each.occupancy for each in tuned.tunings])
    occupancy = occupancy if tuned.apart else occupancy[0].reshape(tuned.grids[0].shape)
    variables[f"{name}_occupancy"] = (dims, occupancy, {"units": "s"})
    variables[f"{name}_preferred"] = _preferred(tuned)
    return variables


def _preferred(tuned: LabelTuning) -> tuple[tuple[str, ...], NDArray, dict[str, str]]:
    """Return the value of the label at each unit's peak: NaN, or "" for classes, where there is none."""
    parts = []
    for grid, each in zip(tuned.grids, tuned.tunings, strict=True):
        parts.append(np.where(each.peak[:, None] >= 0, grid.points()[each.peak], np.nan))
    values = np.concatenate(parts, axis=1)  # (unit, axis)
    if tuned.label.attrs["kind"] == "discrete":
        classes = np.array([*decode_list(tuned.label.attrs["classes"]), ""], dtype=object)
        return ("unit",), classes[tuned.tunings[0].peak].astype(str), {}
    units = {"units": str(tuned.label.attrs["units"])}
    if label_axes(tuned.label) == 1:
        return ("unit",), values[:, 0], units
    return ("unit", f"{tuned.name}_axis"), values, units


def _largest(tuned: LabelTuning, attribute: str) -> NDArray[np.float64]:
    """Return a number of every unit, the largest over grids that is known, (unit,)."""
    return np.asarray(np.fmax.reduce([getattr(each, attribute) for each in tuned.tunings]))


def _reasons(dataset: xr.Dataset, spikes: bool) -> dict[str, str]:
    """Return the reasons for numbers that are NaN, as attributes."""
    reasons = {}
    if not spikes:
        reasons["tuning_information_reason"] = NO_SPIKES
    elif dataset["tuning_information"].isnull().any():
        reasons["tuning_information_reason"] = SILENT
    missing = dataset["tuning_reliability"].isnull()
    unknown = [str(label) for label in dataset["label"].values[missing.all("unit").values]]
    if unknown:
        reasons["tuning_reliability_reason"] = f"{', '.join(unknown)}: {TOO_FEW_BINS}"
    elif missing.any():
        reasons["tuning_reliability_reason"] = FLAT
    for label in map(str, dataset["label"].values):
        if dataset[f"{label}_tuning"].isnull().all():
            reasons[f"{label}_tuning_reason"] = UNVISITED
    return reasons
