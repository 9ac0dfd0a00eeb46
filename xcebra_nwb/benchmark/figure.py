"""The figure of a benchmark: every method's auROC over the settings, one panel a training, with its intervals."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.files import atomic
from xcebra_nwb.report.style import CLASSES, DOTS_PER_INCH, FAINT, SETTINGS, figure, label_ticks, plain

METRIC_ORDER = ("row_auroc", "label_auroc")
PANELS_A_ROW = 3


def save_figure(table: pd.DataFrame, path: Path) -> None:
    """Draw the :func:`xcebra_nwb.benchmark.table.summary` of a benchmark into a PNG file."""
    with mpl.rc_context(SETTINGS), atomic(path) as temporary:
        draw(table).savefig(temporary, dpi=DOTS_PER_INCH)


def draw(table: pd.DataFrame) -> Figure:
    """Return the figure: panels by training, regulariser and label; over the settings, one line a method."""
    metric = next(m for m in METRIC_ORDER if m in table and table[m].notna().any())
    groups = list(table.groupby(["training", "regularizer", "label"], sort=False))
    settings, methods = list(dict.fromkeys(table["setting"])), list(dict.fromkeys(table["method"]))
    columns = min(len(groups), PANELS_A_ROW)
    rows = int(np.ceil(len(groups) / columns))
    made = figure(3.4 * columns + 1.6, 2.6 * rows + 0.6)
    panels = made.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    for axes, ((training, weight, label), group) in zip(panels, groups, strict=False):
        _panel(axes, group, settings, methods, metric)
        axes.set_title(plain(f"{training}, λ = {weight}, {label}"))
    for axes in panels[::columns]:
        axes.set_ylabel(metric.replace("_", " "))
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    return made


def _panel(axes: Axes, group: pd.DataFrame, settings: list[str], methods: list[str], metric: str) -> None:
    axes.axhline(0.5, color=FAINT, linewidth=0.8)
    for number, method in enumerate(methods):
        rows = group[group["method"] == method].set_index("setting").reindex(settings)
        mean, low, high = (rows[f"{metric}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        reach = np.nan_to_num(np.stack([mean - low, high - mean])).clip(min=0)
        place = np.arange(len(settings)) + 0.08 * (number - (len(methods) - 1) / 2)
        color = CLASSES[number % len(CLASSES)]
        axes.errorbar(place, mean, reach, fmt="o", markersize=4, color=color, label=plain(method.replace("_", " ")))
    label_ticks(axes, settings, rotation=30 if len(settings) > 3 else 0, ha="right" if len(settings) > 3 else "center")
