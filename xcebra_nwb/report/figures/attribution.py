"""Figures of a label's maps: units in order, beside the band of their own nulls, and all methods as colours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.report.hover import bar_spots, point_spots
from xcebra_nwb.report.style import (
    BAND,
    FORWARD,
    INK,
    MUTED,
    NULL,
    SEED,
    SEQUENCE,
    Spot,
    figure,
    label_ticks,
    number,
    percent,
    write_message,
)
from xcebra_nwb.report.unit_address import unit_address
from xcebra_nwb.report.unit_map import UnitMap, method_name

MOST_BARS = 60
LEFT_MARGIN, RIGHT_MARGIN, TOP_MARGIN, BOTTOM_MARGIN = 0.72, 0.15, 0.4, 1.1  # inches around the panels
BETWEEN, ASIDE = 0.55, 1.0  # inches between panels below and beside each other
COMPARED, CARRYING = "two methods", "share of units that carry it"  # titles of the panels beside the bars
MOST_REGIONS = 12
MOST_MARKS = 300  # that an SVG holds one by one
DRAWN = (2, 98)  # percentiles of the maps between which colours change
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # multiples of the median unit's
DARK_TEXT = 0.2  # correlation from which numbers are black
Units = NDArray[np.int64]


def map_figure(shown: UnitMap) -> Figure:
    """Return the figure of a label's maps.

    Below each other: the information, the map that was compared with nulls, the map of the method that it is compared
    with, all methods as colours where there are more than two, and z. Beside them: the regions, the two methods against
    each other, and the methods' correlations.

    Args:
        shown: the maps of the label.
    """
    units = shown.foremost(MOST_BARS)
    partner, many = shown.partner, len(shown.methods) > 2
    heights = [1.9, 1.9, *([1.9] if partner else []), *([0.9 + 0.22 * len(shown.methods)] if many else []), 1.9]
    drawn = figure(11, 1.6 + sum(heights), fixed=not many)
    margins = {} if many else _margins(11, 1.6 + sum(heights), len(heights))
    grid = drawn.add_gridspec(len(heights), 2, width_ratios=[4.2, 1.25], height_ratios=heights, **margins)
    axes = [drawn.add_subplot(grid[0, 0])]
    axes += [drawn.add_subplot(grid[row, 0], sharex=axes[0]) for row in range(1, len(heights))]
    draw_information(axes[0], shown, units)
    draw_shares(axes[1], shown, units)
    if partner:
        _draw_bars(axes[2], shown, units, partner, FORWARD)
        axes[2].set_title(f"share: {method_name(shown.methods[partner])}, same units")
    if many:
        _draw_maps(axes[3], shown, units)
        _draw_correlations(drawn.add_subplot(grid[3, 1]), shown)
    draw_z(axes[-1], shown, units)
    for panel in axes[:-1]:
        panel.xaxis.set_visible(False)  # 60 ticks a panel are most of the time of drawing
    name_units(axes[-1], [shown.units[unit] for unit in units])
    draw_regions(drawn.add_subplot(grid[0, 1]), shown)
    draw_agreement(drawn.add_subplot(grid[1 : 3 if partner else 2, 1]), shown)
    return drawn


def _margins(width: float, height: float, rows: int) -> dict[str, float]:
    """Where the panels of a figure of bars are, in shares of its width and height or of a panel's."""
    panel = (height - TOP_MARGIN - BOTTOM_MARGIN - (rows - 1) * BETWEEN) / rows
    across = (width - LEFT_MARGIN - RIGHT_MARGIN - ASIDE) / 2
    return {
        "left": LEFT_MARGIN / width,
        "right": 1 - RIGHT_MARGIN / width,
        "top": 1 - TOP_MARGIN / height,
        "bottom": BOTTOM_MARGIN / height,
        "hspace": BETWEEN / panel,
        "wspace": ASIDE / across,
    }


def map_spots(drawn: Figure, shown: UnitMap) -> list[Spot]:
    """Return the parts of :func:`map_figure` that lead to units: a unit's bars, in all panels.

    Args:
        drawn: the figure, laid out.
        shown: the maps of the label.
    """
    panels = [axes for axes in drawn.axes if axes.get_shared_x_axes().joined(axes, drawn.axes[0])]
    boxes = [axes.get_position() for axes in panels]
    (first, last), box = panels[0].get_xlim(), boxes[0]
    bottom, top = min(each.y0 for each in boxes), max(each.y1 for each in boxes)
    width = 100 * box.width / (last - first)
    bars = [
        Spot(
            unit_address(shown.units[unit]),
            _said(shown, unit),
            round(100 * box.x0 + width * (place - 0.5 - first), 2),
            round(100 * (1 - top), 2),
            round(width, 2),
            round(100 * (top - bottom), 2),
        )
        for place, unit in enumerate(shown.foremost(MOST_BARS))
    ]
    return [*bars, *_spots_beside(drawn, shown)]


def _spots_beside(drawn: Figure, shown: UnitMap) -> Iterator[Spot]:
    """The bars of regions, and the points of units whose two methods are compared."""
    for axes in drawn.axes:
        if axes.get_title(loc="left").startswith(COMPARED) and shown.partner is not None:
            places = np.column_stack([shown.mean[0], shown.mean[shown.partner]])
            words = [_said(shown, unit) for unit in range(len(shown.units))]
            yield from point_spots(drawn, axes, places, words, [unit_address(name) for name in shown.units])
        elif axes.get_title(loc="left") == CARRYING:
            names = [text.get_text() for text in axes.get_yticklabels()]
            yield from bar_spots(drawn, axes, partial(_carrying, names))


def _carrying(names: list[str], row: int, bar: Rectangle) -> str:
    return f"{names[row]}: {percent(bar.get_width())} carry it"


def _said(shown: UnitMap, unit: int) -> str:
    """What is known of a unit and the label of the maps."""

    def between(low: float, high: float) -> str:
        return f" ({number(low, 2)} to {number(high, 2)})" if np.isfinite(low) else ""

    told, low, high = (values[unit] for values in (shown.information, shown.information_low, shown.information_high))
    mean = number(shown.mean[0, unit], 2)
    carries = " · carries it" if shown.carries[unit] else ""
    lines = [
        f"unit {shown.units[unit]} · {shown.regions[unit] or 'no region'}{carries}",
        f"information {number(told, 2)}{between(low, high)}, q {number(shown.information_q[unit], 2)}",
        f"share {mean} × the median unit{between(shown.low[0, unit], shown.high[0, unit])}",
        f"z {number(shown.z[unit], 2)}{between(shown.z_low[unit], shown.z_high[unit])}, q {number(shown.z_q[unit], 2)}",
    ]
    return "\n".join(lines)


def name_units(axes: Axes, names: list[str]) -> None:
    """Write the names of the units below their bars."""
    crowded = len(names) > 24 or max(map(len, names)) > 4
    label_ticks(axes, names, longest=14, rotation=90 if crowded else 0, fontsize=7 if crowded else 8)
    axes.set_xlabel("unit")


def draw_information(axes: Axes, shown: UnitMap, units: Units) -> None:
    """Draw what the label tells about each unit; carriers are filled and have a star."""
    x, told, carries = np.arange(len(units)), shown.information[units], shown.carries[units]
    if not np.isfinite(told).any():
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", color=MUTED, transform=axes.transAxes)
        axes.set_yticks([])
        return
    low, high = shown.information_low[units], shown.information_high[units]
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.bar(x, told, 0.62, color=np.where(carries, SEED, "#ffffff").tolist(), edgecolor=SEED, lw=0.9, zorder=2)
    axes.vlines(x, low, high, color=INK, lw=0.8, zorder=4)
    top, bottom = float(np.nanmax(np.r_[told, high])), float(np.nanmin(np.r_[told, low, 0.0]))
    for star in x[carries]:
        axes.text(star, top + 0.03 * (top - bottom), "★", ha="center", va="bottom", color=SEED, fontsize=8)
    axes.plot([], [], "*", color=SEED, ms=7, label=f"carries the label (q of at most {LEVEL})")
    axes.set_ylim(bottom, top + 0.18 * (top - bottom))
    axes.set_ylabel("bit a spike" if shown.information_units == "bit/spike" else "share of variance")
    axes.set_title("information beyond the other labels, and 95 % interval")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 1.22), handlelength=1.2)


def draw_shares(axes: Axes, shown: UnitMap, units: Units) -> None:
    """Draw the map that was compared with nulls, beside the band of each unit's nulls."""
    _draw_bars(axes, shown, units, 0, SEED)
    x, low, high = np.arange(len(units)), shown.null_low[units], shown.null_high[units]
    if np.isfinite(low).any():
        axes.bar(x, high - low, 0.96, low, color=BAND, edgecolor=NULL, lw=0.7, alpha=0.75, zorder=3)
        axes.plot([], [], lw=7, color=BAND, label="5–95 % of the unit's own nulls")
    top = np.nanmax(np.r_[shown.mean[0, units], shown.high[0, units], high, 1e-9])
    axes.set_ylim(0, 1.08 * top)
    axes.set_title(f"share of the code: {method_name(shown.methods[0])}, mean and 95 % interval over seeds")
    if np.isfinite(low).any():
        axes.legend(loc="upper right", bbox_to_anchor=(1, 1.22), handlelength=1.2)


def _draw_bars(axes: Axes, shown: UnitMap, units: Units, method: int, color: str) -> None:
    """Filled bars for units that carry the label, outlines for the others: never colour alone."""
    sure = shown.carries[units]
    faces = np.where(sure, color, "#ffffff")
    x, mean = np.arange(len(units)), shown.mean[method, units]
    axes.bar(x, mean, 0.62, color=faces.tolist(), edgecolor=color, lw=0.9, zorder=2)
    axes.vlines(x, shown.low[method, units], shown.high[method, units], color=INK, lw=0.8, zorder=4)
    axes.set_ylabel("× the median unit")
    axes.set_xlim(-0.8, len(units) - 0.2)
    axes.set_ylim(bottom=0)


def draw_z(axes: Axes, shown: UnitMap, units: Units) -> None:
    """Draw the share of each unit against its own nulls, and its interval over seeds."""
    z = shown.z[units]
    if not np.isfinite(z).any():
        axes.text(0.5, 0.5, "no z: too few nulls", ha="center", va="center", color=MUTED, transform=axes.transAxes)
        axes.set_yticks([])
        return
    x, sure = np.arange(len(units)), shown.carries[units]
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.vlines(x, 0, z, color=np.where(sure, SEED, NULL).tolist(), lw=1.4)
    axes.vlines(x, shown.z_low[units], shown.z_high[units], color=INK, lw=0.8, zorder=4)
    axes.plot(x[sure], z[sure], "o", color=SEED, ms=4.5)
    axes.plot(x[~sure], z[~sure], "o", mfc="white", mec=NULL, ms=4.5)
    axes.set_ylabel("z over nulls")
    axes.set_title("share against the unit's own nulls, and 95 % interval over seeds")


def draw_agreement(axes: Axes, shown: UnitMap) -> None:
    """Draw the shares of the units by the first method against those by its partner."""
    if shown.partner is None:
        return write_message(axes, "one method only")
    sure = shown.carries
    for chosen, face, edge in ((~sure, "white", NULL), (sure, SEED, "white")):
        axes.plot(
            shown.mean[0, chosen], shown.mean[shown.partner, chosen], "o", ms=5, mew=0.8, ls="none", mfc=face, mec=edge,
            rasterized=len(shown.units) > MOST_MARKS,
        )  # fmt: skip
    axes.set_xlabel(method_name(shown.methods[0]))
    axes.set_ylabel(method_name(shown.methods[shown.partner]))
    axes.set_box_aspect(1)
    axes.set_anchor("N")
    known = "not known" if np.isnan(shown.agreement) else f"ρ = {shown.agreement:.2f}"
    axes.set_title(f"{COMPARED}: {known}")
    return None


def draw_regions(axes: Axes, shown: UnitMap) -> None:
    """Share of the units that carry the label, by region."""
    regions = np.asarray(shown.regions)
    names, counts = np.unique(regions, return_counts=True)
    if len(names) < 2 or not np.isfinite(shown.information_q).any():
        axes.set_axis_off()  # 0 of so many units would be said of units that nobody counted
        return
    if len(names) > MOST_REGIONS:
        axes.set_xlabel(f"the {MOST_REGIONS} regions with most units, of {len(names)}", fontsize=7.5)
    names = names[np.argsort(-counts, kind="stable")][:MOST_REGIONS]
    shares = [shown.carries[regions == name].mean() for name in names]
    axes.barh(range(len(names)), shares, 0.6, color=SEED)
    for row, (name, share) in enumerate(zip(names, shares, strict=True)):
        total = int((regions == name).sum())
        axes.text(share, row, f" {round(share * total)}/{total}", va="center", fontsize=7.5)
    label_ticks(axes, [name or "unknown" for name in names], axis="y", longest=14, fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.5, 1])
    axes.set_title(CARRYING, fontsize=8.5)


def _draw_maps(axes: Axes, shown: UnitMap, units: Units) -> None:
    """Draw the maps of all methods over ``units``, as multiples of the median unit's."""
    values = shown.mean[:, units]
    known = values[np.isfinite(values) & (values > 0)]
    drawn = np.percentile(known, DRAWN) if len(known) else np.ones(2)
    low, high = min(float(drawn[0]), 0.5), max(float(drawn[1]), 2.0)
    scale = LogNorm(low, high, clip=True)
    image = axes.imshow(values, aspect="auto", cmap=SEQUENCE, norm=scale, interpolation="nearest")
    label_ticks(axes, [method_name(method) for method in shown.methods], axis="y", fontsize=7.5)
    axes.tick_params(length=0)
    axes.set_title("all methods, same units")
    bar = axes.figure.colorbar(image, ax=axes, location="bottom", fraction=0.08, pad=0.02, aspect=60)
    bar.outline.set_visible(False)
    bar.set_ticks([tick for tick in TICKS if low <= tick <= high])
    bar.ax.tick_params(labelsize=7, length=2)
    bar.ax.xaxis.set_major_formatter("{x:g}")
    bar.minorticks_off()
    bar.set_label("× the median unit", fontsize=7.5, color=MUTED)


def _draw_correlations(axes: Axes, shown: UnitMap) -> None:
    """Draw Spearman's correlation over units between each two methods, rows as in :func:`_draw_maps`."""
    correlations = pd.DataFrame(shown.mean.T).corr("spearman").to_numpy()
    below = np.tri(len(correlations), k=-1, dtype=bool)
    axes.imshow(np.where(below, correlations, np.nan), aspect="auto", cmap=SEQUENCE, vmin=-1, vmax=1)
    for row, column in zip(*np.nonzero(below), strict=True):
        value = correlations[row, column]
        color = "black" if value > DARK_TEXT else "white"
        axes.text(column, row, number(value, 2), ha="center", va="center", fontsize=6.5, color=color)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title("Spearman's ρ between rows", fontsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
