"""The forest plot of a comparison for a paper: PDF, SVG with text that can be edited, or PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from xcebra_nwb.assess.over_sessions.comparison import Comparison
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.report.forest import NAMES, forest_rows, part_name, records
from xcebra_nwb.report.style import FAINT, INK, SEED, figure, plain, styled

SUFFIXES = (".pdf", ".png", ".svg")
MOST = 120  # lines of a figure


def check_suffix(path: Path) -> None:
    """Check that the name of a figure has an ending that can be drawn.

    Raises:
        UsageError: The ending is none of :data:`SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a figure ends in one of {', '.join(SUFFIXES)}", "rename it")


def save_forest(compared: Comparison, path: Path) -> int:
    """Draw the forest plot into a file and return the number of lines that it has no room for.

    Args:
        compared: of all sessions.
        path: its ending names the format.

    Raises:
        UsageError: The ending is none of :data:`SUFFIXES`, or there is nothing to draw.
    """
    check_suffix(path)
    rows = forest_rows(compared)
    if rows.empty:
        raise UsageError("no unit was tested, so there is nothing to draw", "run the sessions first")
    fonts: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "xcebra-nwb"}
    bare = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
    with styled(), mpl.rc_context(fonts), atomic(path) as temporary:
        drawn = forest_figure(compared, rows.head(MOST))
        drawn.savefig(temporary, format=path.suffix.lower()[1:], metadata=bare, dpi=300)
    return max(len(rows) - MOST, 0)


def forest_figure(compared: Comparison, rows: pd.DataFrame) -> Figure:
    """Return the figure: left the share of units that carry each label, right what it tells about a unit.

    Args:
        compared: of all sessions.
        rows: of :func:`xcebra_nwb.report.forest.forest_rows`.
    """
    drawn = figure(7.0, 0.9 + 0.19 * len(rows))
    shares, told = drawn.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    draw_forest(shares, told, compared, rows)
    return drawn


def draw_forest(shares: Axes, told: Axes, compared: Comparison, rows: pd.DataFrame) -> None:
    """Draw the share of units that carry each label, and what it tells about a unit.

    Args:
        shares: axes of the shares.
        told: axes of the information, with the same lines.
        compared: of all sessions.
        rows: of :func:`xcebra_nwb.report.forest.forest_rows`.
    """
    measure = str(compared.totals["measure"].iloc[0])
    believed = dict(zip(compared.totals["label"], compared.totals["believed"], strict=True))
    for line, row in enumerate(records(rows)):
        color = (INK if row.total else SEED) if believed[row.label] else FAINT
        _mark(shares, line, (row.share, row.share_low, row.share_high), color, row.total)
        if row.measure == measure:
            _mark(told, line, (row.information, row.information_low, row.information_high), color, row.total)
    names = [plain(f"{'' if row.total else '   '}{part_name(row, compared.by)}", 30) for row in records(rows)]
    shares.set_yticks(range(len(rows)), names)
    shares.set_ylim(len(rows) - 0.4, -0.6)
    for tick, row in zip(shares.get_yticklabels(), records(rows), strict=True):
        tick.set_fontweight("bold" if row.total else "normal")
    shares.set(xlabel="units that carry the label", xlim=(0, 1))
    shares.xaxis.set_major_formatter(PercentFormatter(1))
    told.axvline(0, color=FAINT, lw=0.8)
    told.set(xlabel=f"information ({plain(NAMES.get(measure, measure))})")
    for axes in (shares, told):
        axes.tick_params(axis="y", length=0)


def _mark(axes: Axes, line: int, values: tuple[Any, Any, Any], color: str, total: bool) -> None:
    middle, low, high = values
    if np.isfinite(low):
        axes.plot([low, high], [line, line], color=color, lw=1.4, solid_capstyle="butt")
    axes.plot([middle], [line], "D" if total else "o", color=color, ms=5 if total else 4, mew=0)
