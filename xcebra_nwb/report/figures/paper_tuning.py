"""A unit's tuning for a paper: a curve, a polar plot, a rate map, or dots of classes, each with its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import SubplotSpec
from matplotlib.projections.polar import PolarAxes

from xcebra_nwb.report.style import CLASSES, INK, SEED, SEQUENCE, label_ticks, plain
from xcebra_nwb.report.unit_tuning import is_apart, is_map, short

INTERVAL: Any = {"color": SEED, "alpha": 0.25, "lw": 0}


def draw_tuning(
    part: Figure | SubFigure, place: SubplotSpec, units: xr.Dataset, label: str, unit: int, first: bool
) -> None:
    """Draw the tuning of a unit to a label.

    Args:
        part: where to draw.
        place: in a grid of it.
        units: units.nc.
        label: name of the label.
        unit: number of the unit.
        first: whether it stands first, and names the axes for all.
    """
    axes = part.add_subplot(place, projection="polar" if is_polar(units, label) else None)
    draw_tuning_on(axes, units, label, unit, first)


def is_polar(units: xr.Dataset, label: str) -> bool:
    """Return whether the tuning to a label is drawn around a circle.

    Args:
        units: units.nc.
        label: name of the label.
    """
    curves = units[f"{label}_tuning"]
    return bool(curves.attrs["kind"] == "circular" and curves.ndim == 2)


def draw_tuning_on(axes: Axes, units: xr.Dataset, label: str, unit: int, first: bool = True) -> None:
    """Draw the tuning of a unit to a label on axes, which are polar if :func:`is_polar` says so, or plain.

    Args:
        axes: where to draw.
        units: units.nc.
        label: name of the label.
        unit: number of the unit.
        first: whether to name the axes.
    """
    curves = units[f"{label}_tuning"]
    curve = curves.isel(unit=unit)
    low, high = (units[f"{label}_tuning_{end}"].isel(unit=unit).values for end in ("low", "high"))
    polar = isinstance(axes, PolarAxes) and is_polar(units, label)
    rate = str(curves.attrs.get("units", ""))
    name = plain(str(units["unit_id"].values[unit]), 14)
    preferred = str(units[f"{label}_preferred"].attrs.get("units", ""))
    if is_map(curves):
        _draw_rate_map(axes, curve)
    if is_map(curves) or polar:
        axes.set_title(f"{name}: {short(float(np.nanmax(np.r_[curve.values.ravel(), 0.0])), 2)} {rate}")
    else:
        axes.set_title(name)
    if is_map(curves):
        return
    if curves.attrs["kind"] == "discrete":
        _draw_classes(axes, curve, low, high)
    elif polar and isinstance(axes, PolarAxes):
        _draw_polar(axes, curve, low, high)
    elif is_apart(curves):
        _draw_axes_apart(axes, curve)
    else:
        x = curve[curve.dims[0]].values
        axes.fill_between(x, low, high, **INTERVAL)
        axes.plot(x, curve.values, color=SEED)
    if not polar:
        axes.set_ylim(bottom=min(0.0, float(np.nanmin(np.r_[curve.values.ravel(), 0.0]))))
        axes.locator_params(axis="y", nbins=3)
        if first:
            axes.set_ylabel(rate)
            axes.set_xlabel("" if curves.attrs["kind"] == "discrete" else f"{plain(label, 16)} ({preferred or 'a.u.'})")


def _draw_rate_map(axes: Axes, curve: xr.DataArray) -> None:
    x, y = (curve[dim].values for dim in curve.dims)
    half = [np.diff(edge).mean() / 2 if len(edge) > 1 else 0.5 for edge in (x, y)]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    low = min(0.0, float(np.nanmin(curve.values)))
    axes.imshow(curve.values.T, origin="lower", extent=extent, cmap=SEQUENCE, vmin=low, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_polar(axes: PolarAxes, curve: xr.DataArray, low: np.ndarray, high: np.ndarray) -> None:
    angle = np.r_[curve[curve.dims[0]].values, curve[curve.dims[0]].values[0] + 2 * np.pi]
    closed = [np.r_[values, values[:1]] for values in (curve.values, low, high)]
    axes.fill_between(angle, np.maximum(closed[1], 0), closed[2], **INTERVAL)
    axes.plot(angle, closed[0], color=SEED)
    top = float(np.nanmax(np.r_[curve.values, 1e-9]))
    axes.set_rticks([top], [""])
    axes.set_thetagrids([0, 90, 180, 270], ["0°", "90°", "180°", "270°"])
    axes.tick_params(pad=-3)
    axes.grid(lw=0.3)
    axes.spines["polar"].set_linewidth(0.3)


def _draw_classes(axes: Axes, curve: xr.DataArray, low: np.ndarray, high: np.ndarray) -> None:
    x = np.arange(curve.size)
    axes.vlines(x, low, high, color=INK, lw=0.5)
    axes.scatter(x, curve.values, s=8, c=[CLASSES[place % len(CLASSES)] for place in x], zorder=3)
    label_ticks(axes, [str(name) for name in curve[curve.dims[0]].values], longest=8, rotation=90)
    axes.set_xlim(-0.6, curve.size - 0.4)


def _draw_axes_apart(axes: Axes, curve: xr.DataArray) -> None:
    """A line for each axis of the label, over the share of its range."""
    x = np.linspace(0, 1, curve.shape[1])
    for place, values in enumerate(curve.values):
        axes.plot(x, values, color=CLASSES[place % len(CLASSES)])
