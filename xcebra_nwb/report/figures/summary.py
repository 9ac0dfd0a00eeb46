"""Figures over sessions: verdicts, and the share of units that carry a label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.report.outcome import Outcome
from xcebra_nwb.report.style import (
    INK,
    MUTED,
    SEED,
    STATES,
    UNKNOWN,
    VERDICTS,
    figure,
    label_ticks,
    verdict_style,
    write_message,
)

MOST_ROWS = 40
SHARES = LinearSegmentedColormap.from_list("shares", ["#f1f5f9", SEED])


def summary_figure(outcomes: list[Outcome], atlas: pd.DataFrame) -> Figure:
    """Return the verdicts of all sessions, and the units that carry each label, by region.

    Args:
        outcomes: the outcome of every session.
        atlas: the atlas over all sessions.
    """
    shown = [outcome for outcome in outcomes if outcome.state != "left out"]
    labels = list(dict.fromkeys(label for outcome in shown for label in outcome.verdicts))
    rows = min(len(shown), MOST_ROWS) if len(shown) <= MOST_ROWS else len(labels)
    drawn = figure(11, 1.7 + 0.36 * max(rows, 3, min(atlas["region"].nunique(), MOST_ROWS) if len(atlas) else 0))
    grid, shares = drawn.subplots(1, 2, width_ratios=[1.25, 1])
    if not labels:
        write_message(grid, "no session has a verdict yet")
    elif len(shown) <= MOST_ROWS:
        _draw_grid(grid, shown, labels)
    else:
        _draw_counts(grid, shown, labels)
    _draw_shares(shares, atlas)
    keys = [Patch(facecolor=color, label=f"{sign} {name}") for name, (color, sign) in VERDICTS.items()]
    drawn.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return drawn


def _draw_grid(axes: Axes, shown: list[Outcome], labels: list[str]) -> None:
    """A tile for every session and label, with the verdict's sign in it."""
    for row, outcome in enumerate(shown):
        if outcome.state != "done":
            color, sign = STATES.get(outcome.state, UNKNOWN)
            axes.text(-0.42, row, f"{sign} {outcome.state}", color=color, va="center", fontsize=8.5)
            continue
        for column, label in enumerate(labels):
            if label in outcome.verdicts:
                color, sign = verdict_style(outcome.verdicts[label])
                axes.add_patch(Rectangle((column - 0.45, row - 0.43), 0.9, 0.86, color=color, lw=0))
                axes.text(column, row, sign, color="white", ha="center", va="center", fontsize=11)
    axes.set(xlim=(-0.55, len(labels) - 0.45), ylim=(len(shown) - 0.4, -0.6), title="verdicts")
    label_ticks(axes, labels, rotation=30 if len(labels) > 4 else 0, ha="right" if len(labels) > 4 else "center")
    label_ticks(axes, [outcome.row.session for outcome in shown], axis="y", longest=30)
    _bare(axes)


def _draw_counts(axes: Axes, shown: list[Outcome], labels: list[str]) -> None:
    """How many sessions have which verdict on a label, where there are too many to show each."""
    left = np.zeros(len(labels))
    for verdict, (color, _) in VERDICTS.items():
        counts = np.asarray([sum(outcome.verdicts.get(label) == verdict for outcome in shown) for label in labels])
        axes.barh(range(len(labels)), counts, 0.7, left, color=color)
        for row in np.flatnonzero(counts):
            middle = left[row] + counts[row] / 2
            axes.text(middle, float(row), str(counts[row]), color="white", ha="center", va="center", fontsize=8)
        left += counts
    label_ticks(axes, labels, axis="y")
    axes.invert_yaxis()
    axes.set(xlabel="sessions", title="verdicts")


def _draw_shares(axes: Axes, atlas: pd.DataFrame) -> None:
    tested = atlas[atlas["information_q"].notna()].drop_duplicates(["session", "unit", "label"])
    if tested.empty:
        return write_message(axes, "no unit was tested")
    carried = tested.groupby(["region", "label"], sort=False)["carries"]
    share, count = carried.mean().unstack(), carried.agg(["sum", "size"])
    share = share.loc[tested["region"].value_counts().index.intersection(share.index, sort=False)[:MOST_ROWS]]
    axes.imshow(share.to_numpy(), cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    for row, region in enumerate(share.index):
        for column, label in enumerate(share.columns):
            if (region, label) in count.index:
                carriers, of = count.loc[(region, label)]
                color = "white" if share.loc[region, label] > 0.45 else INK
                axes.text(column, row, f"{carriers}/{of}", ha="center", va="center", color=color, fontsize=8)
    many = share.shape[1] > 4
    label_ticks(axes, list(share.columns), rotation=30 if many else 0, ha="right" if many else "center")
    label_ticks(axes, [region or "unknown" for region in share.index], axis="y")
    axes.set_title(f"units that carry the label (q ≤ {LEVEL}), by region")
    _bare(axes)
    return None


def _bare(axes: Axes) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=MUTED)
