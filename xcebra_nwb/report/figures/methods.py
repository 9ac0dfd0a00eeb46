"""Figures of many methods at once: a row of colours a method, and how far each two of them agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from xcebra_nwb.report.style import MUTED, SEQUENCE, label_ticks, number
from xcebra_nwb.report.unit_map import UnitMap, method_name

DRAWN = (2, 98)  # percentiles of the maps between which colours change
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # multiples of the median unit's
DARK_TEXT = 0.2  # correlation from which numbers are black


def draw_maps(axes: Axes, shown: UnitMap, units: NDArray[np.int64]) -> None:
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


def draw_correlations(axes: Axes, shown: UnitMap) -> None:
    """Draw Spearman's correlation over units between each two methods, rows as in :func:`draw_maps`."""
    found = pd.DataFrame(shown.mean.T).corr("spearman").to_numpy()
    below = np.tri(len(found), k=-1, dtype=bool)
    axes.imshow(np.where(below, found, np.nan), aspect="auto", cmap=SEQUENCE, vmin=-1, vmax=1)
    for row, column in zip(*np.nonzero(below), strict=True):
        value = found[row, column]
        color = "black" if value > DARK_TEXT else "white"
        axes.text(column, row, number(value, 2), ha="center", va="center", fontsize=6.5, color=color)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title("Spearman's ρ between rows", fontsize=8.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
