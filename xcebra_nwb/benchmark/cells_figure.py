"""The figure of the benchmark ``cells``: a row for each recording and label, a panel for each score."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.benchmark.cells import INFORMATION, LABELS
from xcebra_nwb.report.style import CLASSES, FAINT, INK, figure, plain

PANELS = {
    "found": "share of\nthe units found",
    "classical_power": "share of\nthe tuned units found",
    "classical_auroc": "auROC against\ntuned units",
    "classical_rank": "rank correlation\nwith tuning",
}
CHANCE = {"classical_auroc": 0.5, "classical_rank": 0.0}
CONTROL = "information, shifted labels"


def draw(table: pd.DataFrame) -> Figure:
    """Return the figure: one marker for each method, with its 95 % interval.

    Args:
        table: of :func:`xcebra_nwb.benchmark.table.summary`.
    """
    shown = table[table["method"] != "none"]
    shown = shown.assign(row=shown["setting"] + ", " + shown["label"])
    rows = list(dict.fromkeys(shown["row"]))
    true = shown[shown["training"] == LABELS[0]]
    control = shown[(shown["training"] == LABELS[1]) & (shown["method"] == INFORMATION)].assign(method=CONTROL)
    drawn = pd.concat([true, control[["row", "method", "found", "found_low", "found_high"]]])
    methods = list(dict.fromkeys(drawn["method"]))
    made = figure(10, 1.2 + (0.18 + 0.06 * len(methods)) * len(rows))
    panels = made.subplots(1, len(PANELS), sharey=True)
    for axes, metric in zip(panels, PANELS, strict=True):
        _panel(axes, drawn, rows, methods, metric)
    panels[0].set_yticks(np.arange(len(rows)), [plain(row.replace("_", " ")) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return made


def _panel(axes: Axes, drawn: pd.DataFrame, rows: list[str], methods: list[str], metric: str) -> None:
    if metric in CHANCE:
        axes.axvline(CHANCE[metric], color=FAINT, linewidth=0.8)
    for number, method in enumerate(methods):
        scores = drawn[drawn["method"] == method].set_index("row").reindex(rows)
        mean, low, high = (scores[f"{metric}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        reach = np.nan_to_num(np.stack([mean - low, high - mean])).clip(min=0)
        y = np.arange(len(rows)) + 0.7 * ((number + 0.5) / len(methods) - 0.5)
        color = FAINT if method == CONTROL else CLASSES[number % len(CLASSES)]
        axes.errorbar(mean, y, xerr=reach, fmt="o", markersize=3, color=color, label=plain(method.replace("_", " ")))
    axes.set_title(PANELS[metric], color=INK)
    axes.set_xlim(-1.05 if metric == "classical_rank" else -0.05, 1.05)
