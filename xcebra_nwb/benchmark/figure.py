"""The figure of a benchmark: auROC of every method over the settings, one panel a training, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.benchmark.case import TRUE_INVERSE
from xcebra_nwb.core.files import atomic
from xcebra_nwb.report.style import CLASSES, DOTS_PER_INCH, FAINT, figure, label_ticks, plain, styled

SHOWN = ("row_auroc", "agreement", "agreed")  # the first that there is
PANELS_A_ROW = 3
SIGNS = "os^D"  # one set of colours each


def save_figure(make: Callable[[], Figure], path: Path) -> None:
    """Draw a figure in the project's style into a PNG file.

    Args:
        make: function that draws it.
        path: of the file.
    """
    with styled(), atomic(path) as temporary:
        make().savefig(temporary, dpi=DOTS_PER_INCH)


def draw(table: pd.DataFrame, panels: Sequence[str]) -> Figure:
    """Return the figure of a benchmark, one marker for each method.

    Args:
        table: of :func:`xcebra_nwb.benchmark.table.summary`.
        panels: columns; the figure has a panel for each of their values.
    """
    metric = next(m for m in SHOWN if m in table and table[m].notna().any())
    table = table[(table["training"] != TRUE_INVERSE) & table[metric].notna()]
    groups = list(table.groupby(list(panels), sort=False))
    settings, methods = list(dict.fromkeys(table["setting"])), list(dict.fromkeys(table["method"]))
    columns = min(len(groups), PANELS_A_ROW)
    rows = int(np.ceil(len(groups) / columns))
    made = figure(3.4 * columns + 1.6, 2.6 * rows + 0.6)
    drawn = made.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in drawn[len(groups) :]:
        axes.set_axis_off()
    for axes, (values, group) in zip(drawn, groups, strict=False):
        _panel(axes, group, settings, methods, metric)
        axes.set_title(plain(", ".join(_words(column, value) for column, value in zip(panels, values, strict=True))))
    for axes in drawn[: len(groups)][-columns:]:
        axes.tick_params(labelbottom=True)
    for axes in drawn[::columns]:
        axes.set_ylabel(metric.replace("_", " "))
    made.legend(*drawn[0].get_legend_handles_labels(), loc="outside right upper")
    return made


def _words(column: str, value: object) -> str:
    return f"λ = {value}" if column == "regularizer" else str(value)


def _panel(axes: Axes, group: pd.DataFrame, settings: list[str], methods: list[str], metric: str) -> None:
    axes.axhline(0.5, color=FAINT, linewidth=0.8)
    for number, method in enumerate(methods):
        rows = group[group["method"] == method].set_index("setting").reindex(settings)
        mean, low, high = (rows[f"{metric}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        reach = np.nan_to_num(np.stack([mean - low, high - mean])).clip(min=0)
        x = np.arange(len(settings)) + 0.08 * (number - (len(methods) - 1) / 2)
        color = CLASSES[number % len(CLASSES)]
        sign = SIGNS[number // len(CLASSES) % len(SIGNS)]
        axes.errorbar(x, mean, reach, fmt=sign, markersize=4, color=color, label=plain(method.replace("_", " ")))
    label_ticks(axes, settings, rotation=30 if len(settings) > 3 else 0, ha="right" if len(settings) > 3 else "center")
