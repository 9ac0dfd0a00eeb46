"""The table and the figure of the speed benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from xcebra_nwb.benchmark.case import PEER
from xcebra_nwb.core.files import atomic
from xcebra_nwb.report.style import CLASSES, DOTS_PER_INCH, figure, number, plain, styled

MEGABYTE = 1e6


def markdown(rows: pd.DataFrame, methods: pd.DataFrame, machine: str) -> str:
    """Return both tables as Markdown.

    Args:
        rows: a row for each piece of work; rates are member-steps, or bins, a second.
        methods: a row for each attribution method.
        machine: the machine in words.
    """
    head = [
        "work",
        "bins",
        "units",
        "outputs",
        "ours, 1/s",
        f"{PEER}, 1/s",
        "ratio (quartiles)",
        "ratio of CPU time",
        "of the ceiling",
        "MB",
    ]
    lines = [f"## Benchmark speed\n\n{machine}.\n", _line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row)) for row in rows.to_dict("records")]
    lines += ["", _line(["method", "bins", "seconds", "row auROC", "error"]), _line(["---"] * 5)]
    for row in methods.to_dict("records"):
        numbers = [number(row[name]) for name in ("bins", "seconds", "row_auroc", "error")]
        lines.append(_line([row["method"].replace("_", " "), *numbers]))
    return "\n".join(lines) + "\n"


def _cells(row: dict) -> list[str]:
    share = row.get("ceiling_share", np.nan)
    return [
        str(row["name"]),
        *(number(row[name]) for name in ("bins", "units", "outputs")),
        number(row["rate"]),
        number(row.get("peer_rate", np.nan)),
        _ratio(row, "ratio"),
        _ratio(row, "processor_ratio"),
        f"{100 * share:.0f} %" if np.isfinite(share) else "–",
        number(row["memory"] / MEGABYTE),
    ]


def _ratio(row: dict, name: str) -> str:
    if not np.isfinite(row.get(name, np.nan)):
        return "–"
    return f"{number(row[name])} ({number(row[f'{name}_low'])}–{number(row[f'{name}_high'])})"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def save_figure(rows: pd.DataFrame, methods: pd.DataFrame, path: Path) -> None:
    """Draw the growth of time and memory, and the cost of quality, into a PNG file.

    Args:
        rows: a row for each piece of work.
        methods: a row for each attribution method.
        path: of the file.
    """
    with styled(), atomic(path) as temporary:
        made = figure(11, 6)
        top, bottom = made.subplots(2, 3)
        for axes, kind, along in (
            (top[0], "training", "bins"),
            (top[1], "attribution", "bins"),
            (top[2], "attribution", "units"),
        ):
            _growth(axes, rows, kind, along, ("rate", "peer_rate"), "a second")
        _growth(bottom[0], rows, "training", "bins", ("memory",), "bytes")
        _growth(bottom[1], rows, "attribution", "units", ("memory",), "bytes")
        _cost(bottom[2], methods)
        made.savefig(temporary, dpi=DOTS_PER_INCH)


def _growth(axes: Axes, rows: pd.DataFrame, kind: str, along: str, columns: tuple[str, ...], unit: str) -> None:
    """Over one axis of the work, everything else being that of the first of its kind."""
    first = rows[rows["kind"] == kind].iloc[0]
    same = ["kind", "units", "bins", "outputs", "batch", "members", "architecture", "hidden", "method"]
    same.remove(along)
    line = rows[(rows[same] == first[same]).all(axis=1)].sort_values(along)
    for column, color in zip(columns, CLASSES, strict=False):
        if column in line:
            label = PEER if column == "peer_rate" else "ours"
            axes.plot(line[along], line[column], "o-", color=color, markersize=4, label=label)
    axes.set(xscale="log", yscale="log", xlabel=along)
    axes.minorticks_off()
    axes.set_xticks(line[along], [number(value) for value in line[along]])
    axes.set_title(plain(f"{kind}: {'memory' if columns == ('memory',) else 'speed'}, {unit}"))
    axes.legend()


def _cost(axes: Axes, methods: pd.DataFrame) -> None:
    for row, color in zip(methods.to_dict("records"), CLASSES * 2, strict=False):
        axes.plot(row["seconds"], row["row_auroc"], "o", color=color, label=plain(row["method"].replace("_", " ")))
    axes.set(xscale="log", xlabel="seconds", ylabel="row auROC")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.minorticks_off()
    axes.set_title("attribution methods: cost and quality")
    axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
