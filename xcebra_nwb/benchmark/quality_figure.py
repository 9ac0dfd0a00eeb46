"""The figure of the benchmark ``quality``: scores over the CPU seconds of training, one panel a score and dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.benchmark.quality import QUALITIES, data_of
from xcebra_nwb.benchmark.table import TRAIN_SECONDS
from xcebra_nwb.report.style import CLASSES, figure, plain

PANELS_A_ROW = 3


def draw(table: pd.DataFrame) -> Figure:
    """Return the figure: a curve for each training, with the intervals of the scores.

    Args:
        table: of :func:`xcebra_nwb.benchmark.table.summary`.
    """
    table = table.assign(data=table["setting"].map(data_of))
    trainings = list(dict.fromkeys(table["training"]))
    panels = [
        (f"{data}, {label}", quality, rows[rows[quality].notna()])
        for (data, label), rows in table.groupby(["data", "label"], sort=False)
        for quality in QUALITIES
        if quality in rows and rows[quality].notna().any()
    ]
    columns = min(len(panels), PANELS_A_ROW)
    rows_of_panels = int(np.ceil(len(panels) / columns))
    made = figure(3.2 * columns + 1.4, 2.4 * rows_of_panels + 0.4)
    drawn = made.subplots(rows_of_panels, columns, squeeze=False).ravel()
    for axes in drawn[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, quality, rows) in zip(drawn, panels, strict=False):
        _panel(axes, rows, quality, trainings)
        axes.set_title(plain(title))
    handles = {label: line for axes in drawn for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    made.legend(list(handles.values()), list(handles), loc="outside right upper")
    return made


def _panel(axes: Axes, rows: pd.DataFrame, quality: str, trainings: list[str]) -> None:
    for training, part in rows.groupby("training", sort=False):
        ordered = part.sort_values(TRAIN_SECONDS)
        mean, low, high = (ordered[f"{quality}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        reach = np.nan_to_num(np.stack([mean - low, high - mean])).clip(min=0)
        color = CLASSES[trainings.index(str(training)) % len(CLASSES)]
        axes.errorbar(
            ordered[TRAIN_SECONDS], mean, reach, fmt="o-", markersize=3, color=color, label=plain(str(training))
        )
    axes.set_xscale("log")
    axes.set_xlabel("CPU seconds of training")
    axes.set_ylabel(quality.replace("_", " "))
