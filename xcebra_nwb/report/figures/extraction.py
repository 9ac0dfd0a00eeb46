"""Figures of what was extracted: which bins are used, the activity, the labels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from xcebra_nwb.core.activity import blocks
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.session import labels
from xcebra_nwb.report.figures.label_colors import axis_names, colors_of, limits
from xcebra_nwb.report.hover import bar_spots, count_spots
from xcebra_nwb.report.style import CLASSES, MUTED, SEED, SEQUENCE, Spot, figure, label_ticks, number, percent, plain

COLUMNS = 1200  # of a strip over time
MOST_CLASSES = 16
MOST_NAMES = 8  # classes named on the axis of a trace
MOST_POINTS = 6000
MOST_REGIONS = 20
PARTS = {"not used (masked)": "#ffffff", "guard, not used": "#e8c37a", "training": "#8db8dc", "held out": "#0b4f8a"}


def coverage_figure(session: xr.Dataset, training: xr.Dataset) -> Figure:
    """Return the use of every bin, and the activity of all units over time.

    Args:
        session: session.nc.
        training: training.nc, for the split.
    """
    drawn = figure(11, 3.9)
    strip, raster = drawn.subplots(2, 1, sharex=True, height_ratios=[0.22, 1])
    time = session["time"].values
    _draw_parts(strip, session, training)
    rows = _averaged(session, 400)
    deviation = np.nanstd(rows, axis=0)
    scaled = np.divide(rows - np.nanmean(rows, axis=0), deviation, out=np.zeros_like(rows), where=deviation > 0)
    order = np.argsort(session["region"].values.astype(str), kind="stable")
    shown = np.ma.masked_invalid(scaled[:, order].T)
    extent = (time[0], time[-1], session.sizes["unit"] - 0.5, -0.5)
    image = raster.imshow(shown, aspect="auto", extent=extent, cmap="magma", vmin=-1, vmax=3, interpolation="nearest")
    raster.set_xlabel("time (s)")
    _name_regions(raster, session["region"].values.astype(str)[order])
    raster.set_facecolor("#e9ecef")
    raster.set_title("activity, z-scored per unit")
    drawn.colorbar(image, ax=raster, pad=0.01, aspect=18, label="z", extend="both")
    return drawn


def _name_regions(axes: Axes, regions: NDArray[np.str_]) -> None:
    """Name the groups of rows, which come in the order of their regions."""
    names, first, counts = np.unique(regions, return_index=True, return_counts=True)
    if not 1 < len(names) <= MOST_REGIONS:
        axes.set_ylabel("unit (n-th, from 0)")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return
    axes.set_yticks(first + counts / 2 - 0.5, [plain(name, 14) or "unknown" for name in names], fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    for border in first[first > 0]:
        axes.axhline(border - 0.5, color="white", lw=1.2)


def _draw_parts(axes: Axes, session: xr.Dataset, training: xr.Dataset) -> None:
    parts = np.where(session["valid"].values, 1, 0)
    parts = np.where(training["split"].values >= 0, training["split"].values + 2, parts)
    columns = np.array_split(parts, min(COLUMNS, len(parts)))
    strip = np.asarray([np.bincount(column, minlength=4).argmax() for column in columns])
    time = session["time"].values
    colors = ListedColormap(list(PARTS.values()))
    axes.imshow(
        strip[None, :], aspect="auto", extent=(time[0], time[-1], 0, 1), cmap=colors,
        norm=BoundaryNorm(np.arange(-0.5, 4), 4), interpolation="nearest",
    )  # fmt: skip
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(True)
    keys = [
        Patch(facecolor=color, edgecolor=MUTED, label=f"{name} ({percent(np.mean(parts == part))})")
        for part, (name, color) in enumerate(PARTS.items())
    ]
    axes.legend(handles=keys, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
    axes.set_title("bins")


def _averaged(session: xr.Dataset, columns: int) -> NDArray[np.float64]:
    """Activity (time, unit) in at most ``columns`` rows; NaN where none of the bins is valid."""
    bins, valid = session.sizes["time"], session["valid"].values
    row = np.arange(bins) * min(columns, bins) // bins
    count, total = np.bincount(row[valid], minlength=row[-1] + 1), np.zeros((row[-1] + 1, session.sizes["unit"]))
    for part in blocks(session):
        first = np.flatnonzero(np.diff(row[part], prepend=-1))
        values = np.where(valid[part, None], session["activity"][part].values, 0.0)
        total[row[part][first]] += np.add.reduceat(values, first)
    return np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)


def rates_figure(session: xr.Dataset) -> Figure:
    """Return the distribution of mean activity over units."""
    activity = session["activity"]
    mean = np.nanmean(_averaged(session, 1), axis=0)
    counts = activity.attrs["units"] == "count"
    if counts:
        mean = mean / float(session.attrs["bin_width"])
    drawn = figure(5.2, 2.6)
    axes = drawn.subplots()
    positive = mean[mean > 0]
    spread = counts and positive.size > 1 and positive.max() > 20 * positive.min()
    edges = np.geomspace(positive.min(), positive.max(), 25).tolist() if spread else 24
    axes.hist(positive if spread else mean, edges, color=SEED, edgecolor="white", lw=0.6)
    if spread:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=7))
        axes.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.ticklabel_format(axis="x", scilimits=(-3, 4))
    units = "spikes per s" if counts else _unit_of_measurement(activity, 16) or "no unit"
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=f"mean activity in valid bins ({units})", ylabel="units")
    return drawn


def rates_spots(drawn: Figure) -> list[Spot]:
    """Return what the bars of :func:`rates_figure` say."""
    axes = drawn.axes[0]
    return count_spots(drawn, axes, "units", axes.get_xlabel().partition("(")[2].rstrip(")"))


def label_spots(drawn: Figure, label: xr.DataArray) -> list[Spot]:
    """Return what the bars of the occupancy of :func:`label_figure` say; none for a map of two axes.

    Args:
        drawn: the figure, laid out.
        label: the label.
    """
    if label.attrs["kind"] != "discrete":
        return count_spots(drawn, drawn.axes[1], "bins", str(label.attrs["units"]))
    classes = decode_list(label.attrs["classes"])
    return bar_spots(drawn, drawn.axes[1], lambda code, bar: f"{classes[code]}: {number(round(bar.get_width()))} bins")


def _unit_of_measurement(values: xr.DataArray, longest: int) -> str:
    """The unit of ``values``; empty where the file says that there is none."""
    units = plain(values.attrs["units"], longest)
    return "" if units.lower() == "none" else units


def label_figure(session: xr.Dataset, name: str) -> Figure:
    """Return a label over time, and how often each value was visited.

    Args:
        session: session.nc.
        name: name of the label.
    """
    label = labels(session)[name]
    vector = label.ndim == 2 and label.shape[1] > 1
    circular = label.attrs["kind"] == "circular"
    drawn = figure(11, 2.3)
    grid = drawn.add_gridspec(1, 2, width_ratios=[3.6, 1])
    _draw_trace(drawn.add_subplot(grid[0, 0]), session, label)
    occupancy = drawn.add_subplot(grid[0, 1], projection="polar" if circular else None)
    valid = label.values[session["valid"].values]
    if label.attrs["kind"] == "discrete":
        _draw_classes(occupancy, valid, decode_list(label.attrs["classes"]))
    elif vector:
        (x, y) = (np.linspace(*limits(valid[:, axis]), 33) for axis in (0, 1))
        visits = np.histogram2d(valid[:, 0], valid[:, 1], (x, y))[0].T
        occupancy.pcolormesh(x, y, np.ma.masked_equal(visits, 0), cmap=SEQUENCE, norm=LogNorm())
        occupancy.set_aspect("equal", adjustable="box")
        _name_axes(occupancy, label)
    else:
        span = (0, 2 * np.pi) if circular else limits(valid)
        visits, edges = np.histogram(np.mod(valid, 2 * np.pi) if circular else valid, 24, span)
        occupancy.bar(edges[:-1], visits, np.diff(edges), align="edge", color=SEED, edgecolor="white", lw=0.4)
        occupancy.set_yticks([])
        if not circular:
            occupancy.set_xlabel(_unit_of_measurement(label, 16), fontsize=7.5)
    occupancy.set_title("occupancy")
    occupancy.tick_params(labelsize=7)
    return drawn


def _name_axes(axes: Axes, label: xr.DataArray) -> None:
    """Name the two axes of a vector label's occupancy, with their unit."""
    units = _unit_of_measurement(label, 10)
    x, y = (f"{plain(name, 10)} ({units})" if units else plain(name, 10) for name in axis_names(label)[:2])
    axes.set_xlabel(x, fontsize=7.5)
    axes.set_ylabel(y, fontsize=7.5)
    axes.locator_params(nbins=4)


def _draw_trace(axes: Axes, session: xr.Dataset, label: xr.DataArray) -> None:
    """One dot a bin: a line would bridge gaps and the turn of an angle."""
    bins = np.linspace(0, len(label) - 1, min(len(label), MOST_POINTS)).astype(int)
    bins = bins[session["valid"].values[bins]]
    time, values = session["time"].values[bins], label.values.reshape(len(label), -1)[bins]
    markers = "os^Dv"
    for axis in range(values.shape[1]):
        color = colors_of(label)[bins] if values.shape[1] == 1 else CLASSES[axis % len(CLASSES)]
        named = plain(axis_names(label)[axis], 16) if label.ndim == 2 else ""
        axes.scatter(time, values[:, axis], s=3, c=color, lw=0, marker=markers[axis % len(markers)], label=named)
    if values.shape[1] > 1:
        axes.legend(ncols=5, loc="lower right", bbox_to_anchor=(1, 1), markerscale=3, borderaxespad=0.1)
    if label.attrs["kind"] == "discrete":
        classes = decode_list(label.attrs["classes"])
        if len(classes) <= MOST_NAMES:
            label_ticks(axes, classes, axis="y", longest=14)
    axes.set_title(plain(label.name))
    axes.set(xlabel="time (s)", xlim=(session["time"].values[0], session["time"].values[-1]))
    axes.set_ylabel(_unit_of_measurement(label, 16))


def _draw_classes(axes: Axes, codes: NDArray[np.int64], classes: list[str]) -> None:
    counts = np.bincount(codes.astype(int), minlength=len(classes))[:MOST_CLASSES]
    axes.barh(range(len(counts)), counts, color=[CLASSES[code % len(CLASSES)] for code in range(len(counts))])
    label_ticks(axes, classes[:MOST_CLASSES], axis="y", longest=14)
    axes.set_xlabel("bins" if len(classes) <= MOST_CLASSES else f"bins; {len(classes) - MOST_CLASSES} more", fontsize=8)
