"""The figure of a label's tuning: a small panel for each unit that contributes most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xcebra_nwb.report.style import BAND, FORWARD, INK, MUTED, SEED, SEQUENCE, figure, label_ticks, plain
from xcebra_nwb.report.unit_tuning import is_apart, is_map, preferred_words, short, strength_words

MOST_UNITS = 12
COLUMNS = 4
MOST_AXES = 4  # of a label with a curve for each axis
MOST_NAMED = 6  # classes whose names are written at their ticks
BOX = (0.4, 1.6)  # least and largest height of a map over its width
Units = Sequence[int] | NDArray[np.int64]
Values = NDArray[np.float64]


def tuning_figure(units: xr.Dataset, label: str, chosen: Units) -> Figure:
    """Return small panels of the tuning of some units to a label.

    Args:
        units: units.nc.
        label: name of the label.
        chosen: numbers of the units, in order.
    """
    curves = units[f"{label}_tuning"]
    if is_apart(curves):
        return _axes_figure(units, label, chosen[:MOST_AXES])
    rows = -(-len(chosen) // COLUMNS)
    drawn = figure(11, 0.3 + (2.75 if is_map(curves) else 2.05) * rows)
    panels = drawn.subplots(rows, COLUMNS, squeeze=False).reshape(-1)
    for panel in panels[len(chosen) :]:
        panel.set_axis_off()
    for position, (panel, unit) in enumerate(zip(panels, chosen, strict=False)):
        _draw_unit(panel, units, label, unit)
        if position % COLUMNS == 0:
            panel.set_ylabel(_y_name(units, label))
        if position + COLUMNS >= len(chosen):
            panel.set_xlabel(_x_name(units, label))
    return drawn


def _draw_unit(axes: Axes, units: xr.Dataset, label: str, unit: int) -> None:
    """Draw the tuning of a unit, with its numbers in the title."""
    curves = units[f"{label}_tuning"]
    curve, low, high = (units[f"{label}_tuning{suffix}"].values[unit] for suffix in ("", "_low", "_high"))
    words = [preferred_words(units, label, unit), strength_words(units, label, unit)]
    if is_map(curves):
        _draw_map(axes, units, label, unit)
        words.append(_peak_words(curve, low, high, str(curves.attrs["units"])))
    elif curves.attrs["kind"] == "discrete":
        _draw_classes(axes, curve, low, high, [str(name) for name in units[f"{label}_class"].values])
    else:
        circular = curves.attrs["kind"] == "circular"
        turn = np.degrees if circular else np.asarray
        centers, preferred = turn(units[f"{label}_bin"].values), turn(units[f"{label}_preferred"].values[unit])
        _draw_curve(axes, centers, curve, low, high, preferred=float(preferred))
        if circular:
            axes.set(xlim=(0, 360), xticks=[0, 90, 180, 270, 360])
    _name_panel(axes, units, unit, words)


def _name_panel(axes: Axes, units: xr.Dataset, unit: int, words: Sequence[str]) -> None:
    name = plain(units["unit_id"].values[unit], 18)
    first, *rest = (plain(word, 32) for word in words if word) if any(words) else ("",)
    lines = [f"{name} · {first}" if first else name, " · ".join(rest)]
    axes.set_title("\n".join(line for line in lines if line), fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_curve(axes: Axes, centers: Values, curve: Values, low: Values, high: Values, *, preferred: float) -> None:
    axes.fill_between(centers, low, high, color=BAND, lw=0)
    axes.plot(centers, curve, color=SEED, lw=1.4, marker=".", ms=3)  # a dot alone shows a bin between two blank ones
    if np.isfinite(preferred):
        axes.axvline(preferred, color=FORWARD, lw=1, ls="--")
    _set_bottom(axes, low)


def _draw_classes(axes: Axes, curve: Values, low: Values, high: Values, names: Sequence[str]) -> None:
    x = np.arange(len(curve))
    axes.vlines(x, low, high, color=INK, lw=1.2)
    axes.plot(x, curve, "o", color=SEED, ms=4.5)
    axes.set_xlim(-0.6, len(curve) - 0.4)
    if len(names) <= MOST_NAMED:
        label_ticks(axes, [name or "(empty)" for name in names], longest=10)
    _set_bottom(axes, low)


def _set_bottom(axes: Axes, low: Values) -> None:
    """Start at zero where no activity is negative."""
    if not (low < 0).any():
        axes.set_ylim(bottom=0)


def _draw_map(axes: Axes, units: xr.Dataset, label: str, unit: int) -> None:
    curve = units[f"{label}_tuning"].values[unit]
    x, y = (units[f"{label}_{axis}"].values for axis in "xy")
    edges = [_edges(centers) for centers in (x, y)]
    axes.imshow(
        curve.T, origin="lower", extent=(*edges[0], *edges[1]), cmap=SEQUENCE, aspect="auto", interpolation="nearest"
    )
    preferred = units[f"{label}_preferred"].values[unit]
    if np.isfinite(preferred).all():
        axes.plot(*preferred, "x", color="white", ms=8, mew=3.2)
        axes.plot(*preferred, "x", color=INK, ms=7, mew=1.4)
    width, height = (last - first for first, last in edges)
    axes.set_box_aspect(float(np.clip(height / width, *BOX)))
    axes.set(xlim=edges[0], ylim=edges[1])
    axes.locator_params(nbins=4)


def _edges(centers: Values) -> tuple[float, float]:
    half = (centers[1] - centers[0]) / 2
    return float(centers[0] - half), float(centers[-1] + half)


def _peak_words(curve: Values, low: Values, high: Values, units: str) -> str:
    if not np.isfinite(curve).any():
        return "not visited"
    peak = np.nanargmax(curve)
    value, lowest, highest = (short(float(each.flat[peak]), 2) for each in (curve, low, high))
    return f"{value} {units} ({lowest} to {highest})"


def _axes_figure(units: xr.Dataset, label: str, chosen: Units) -> Figure:
    """Return a row for each unit with a panel for each axis of the label."""
    curve, low, high = (units[f"{label}_tuning{suffix}"].values for suffix in ("", "_low", "_high"))
    centers, preferred = units[f"{label}_bin_center"].values, units[f"{label}_preferred"].values
    names = units[f"{label}_axis"].values if f"{label}_axis" in units.coords else np.arange(len(centers)) + 1
    count = min(len(centers), MOST_AXES)
    drawn = figure(11, 0.3 + 2.05 * len(chosen))
    panels = drawn.subplots(len(chosen), count, squeeze=False, sharey="row")
    for row, unit in zip(panels, chosen, strict=True):
        for axis, panel in enumerate(row):
            values = (each[unit, axis] for each in (curve, low, high))
            _draw_curve(panel, centers[axis], *values, preferred=float(preferred[unit, axis]))
            panel.tick_params(labelsize=7)
        _name_panel(row[0], units, unit, [strength_words(units, label, unit)])
        row[0].set_ylabel(_y_name(units, label))
    for panel, name in zip(panels[-1], names, strict=False):
        panel.set_xlabel(f"{plain(label, 18)}, axis {plain(name, 12)}", color=MUTED)
    return drawn


def _x_name(units: xr.Dataset, label: str) -> str:
    curves = units[f"{label}_tuning"]
    if is_map(curves):
        return _with_units("x", units[f"{label}_x"])
    if curves.attrs["kind"] == "discrete":
        return plain(label, 24)
    return (
        f"{plain(label, 18)} (°)" if curves.attrs["kind"] == "circular" else _with_units(label, units[f"{label}_bin"])
    )


def _y_name(units: xr.Dataset, label: str) -> str:
    curves = units[f"{label}_tuning"]
    return _with_units("y", units[f"{label}_y"]) if is_map(curves) else plain(curves.attrs["units"] or "activity", 14)


def _with_units(name: str, values: xr.DataArray) -> str:
    units = str(values.attrs.get("units", ""))
    return f"{plain(name, 18)} ({plain(units, 12)})" if units else plain(name, 18)
