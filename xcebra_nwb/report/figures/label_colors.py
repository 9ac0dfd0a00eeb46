"""How a label is shown by colour: one colour a bin, and a key that says what the colours mean."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.report.style import CLASSES, CYCLE, SEQUENCE, corner_colors, plain

MOST_CLASSES = len(CLASSES)
TILES = 8  # of the key to two axes: colours that a small palette can hold
Colors = NDArray[np.float64]


def colors_of(label: xr.DataArray) -> Colors:
    """Return a colour (time, 3) for each bin; bins without the label are grey."""
    values = label.values
    if label.attrs["kind"] == "discrete":
        colors = np.asarray([to_rgb(CLASSES[code % MOST_CLASSES]) for code in range(int(values.max(initial=0)) + 1)])
        return np.where((values >= 0)[:, None], colors[np.maximum(values, 0).astype(int)], 0.7)
    if label.attrs["kind"] == "circular":
        shares = np.mod(np.nan_to_num(values), 2 * np.pi) / (2 * np.pi)
        return np.where(np.isfinite(values)[:, None], CYCLE(shares)[:, :3], 0.7)
    columns = values.reshape(len(values), -1)
    shares = np.nan_to_num(np.column_stack([_share(column) for column in columns.T]))
    colors = corner_colors(shares[:, 0], shares[:, 1]) if shares.shape[1] > 1 else SEQUENCE(shares[:, 0])[:, :3]
    return np.where(np.isfinite(columns).all(1)[:, None], colors, 0.7)


def limits(values: NDArray[Any]) -> tuple[float, float]:
    """Return the range that colours span, without the outermost percent.

    >>> limits(np.linspace(0.0, 100.0, 101))
    (1.0, 99.0)
    >>> limits(np.full(3, 2.0))
    (2.0, 3.0)
    """
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [1, 99]) if known.size else (0.0, 1.0)
    return float(low), float(high) if high > low else float(low) + 1.0


def axis_names(label: xr.DataArray) -> list[str]:
    """Return the names of a vector label's axes."""
    if label.dims[1] in label.coords:
        return [str(name) for name in label[label.dims[1]].values]
    return [f"axis {axis}" for axis in range(label.shape[1])]


def _share(values: NDArray[Any]) -> Colors:
    low, high = limits(values)
    return np.clip((values - low) / (high - low), 0, 1)


def draw_key(axes: Axes, label: xr.DataArray) -> None:
    """Draw the meaning of the colours of :func:`colors_of`."""
    kind = label.attrs["kind"]
    if kind == "discrete":
        _classes_key(axes, decode_list(label.attrs["classes"]))
    elif kind == "circular":
        _ring_key(axes)
    elif label.ndim == 2 and label.shape[1] > 1:
        _square_key(axes, label)
    else:
        _bar_key(axes, label)


def _classes_key(axes: Axes, classes: list[str]) -> None:
    axes.set_axis_off()
    for code, name in enumerate(classes[: 2 * MOST_CLASSES]):
        axes.plot([], [], "o", color=CLASSES[code % MOST_CLASSES], label=plain(name, 18) or "(empty)")
    more = len(classes) - 2 * MOST_CLASSES
    if more > 0:
        axes.plot([], [], ls="none", label=f"and {more} more")
    axes.legend(loc="center", handletextpad=0.1)


def _ring_key(axes: Axes) -> None:
    angle = np.linspace(0, 2 * np.pi, 181)
    axes.pcolormesh(
        *(np.outer([0.62, 1.0], part(angle)) for part in (np.cos, np.sin)),
        ((angle[:-1] + angle[1:]) / 4 / np.pi)[None, :], cmap=CYCLE, vmin=0, vmax=1, shading="flat",
    )  # fmt: skip
    for degrees, (x, y) in {"0°": (1.25, 0), "90°": (0, 1.22), "180°": (-1.3, 0), "270°": (0, -1.22)}.items():
        axes.text(x, y, degrees, ha="center", va="center", fontsize=7.5)
    axes.set(xlim=(-1.7, 1.7), ylim=(-1.6, 1.6), aspect="equal")
    axes.set_axis_off()


def _square_key(axes: Axes, label: xr.DataArray) -> None:
    grid = np.linspace(0, 1, TILES)
    (left, right), (low, high) = (limits(label.values[:, axis]) for axis in (0, 1))
    axes.imshow(corner_colors(*np.meshgrid(grid, grid)), origin="lower", extent=(left, right, low, high), aspect="auto")
    if label.shape[1] > 2:
        axes.set_title("two of its axes", fontsize=7.5, fontweight="normal")
    axes.set_box_aspect(min(max((high - low) / (right - left), 0.4), 1.6))
    units = f" ({plain(label.attrs['units'], 10)})" if label.attrs["units"] else ""
    names = axis_names(label)
    axes.set_xlabel(plain(names[0], 10) + units, fontsize=7.5)
    axes.set_ylabel(plain(names[1], 10) + units, fontsize=7.5)
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=3)


def _bar_key(axes: Axes, label: xr.DataArray) -> None:
    mapped = mpl.cm.ScalarMappable(mpl.colors.Normalize(*limits(label.values)), SEQUENCE)
    assert axes.figure is not None
    axes.set_axis_off()
    bar = axes.figure.colorbar(mapped, ax=axes, fraction=0.5, aspect=14, location="left")
    bar.set_label(f"{plain(label.name, 18)} ({plain(label.attrs['units'] or 'no unit', 12)})", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
