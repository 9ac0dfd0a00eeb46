"""Figures of a shared latent space: a session read by decoders of others, and every session by every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xcebra_nwb.report.figures.decoding import clipped
from xcebra_nwb.report.style import FORWARD, INK, MUTED, NULL, SEED, figure, label_ticks, number, plain

SCORES = LinearSegmentedColormap.from_list("scores", ["#f1f5f9", SEED])
ACROSS = 3  # panels in a row
Matrix = Mapping[tuple[str, str], float]  # (fitted session, tested session): score


def across_figure(across: Mapping[str, Any], assessed: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Return the scores of a session's labels from decoders of other sessions.

    One row a label: all other sessions' decoder by seed, each other session's decoder, the session's own, and
    the nulls.

    Args:
        across: ``across_sessions`` of assessment.json.
        assessed: ``labels`` of assessment.json.
    """
    scored = across["labels"]
    drawn = figure(11, 1.4 + 0.6 * max(len(scored), 2))
    axes = drawn.subplots()
    for row, (label, result) in enumerate(scored.items()):
        own_score = (assessed.get(label, {}).get("decoding") or {}).get("score")
        _draw_row(axes, row, result, own_score)
    axes.set_yticks(range(len(scored)), [plain(label, 20) for label in scored], fontweight="bold")
    axes.set_ylim(len(scored) - 0.4, -0.75)
    axes.axvline(0, color=MUTED, lw=0.8, ls=":")
    axes.set(title="read by decoders of other sessions", xlabel="score (0: by chance, 1: perfect)")
    axes.grid(axis="y", color="#eceff2", lw=1)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    _add_key(drawn, axes)
    return drawn


def _draw_row(axes: Axes, row: int, result: Mapping[str, Any], own_score: float | None) -> None:
    nulls, single, seeds = (clipped(v) for v in (result["nulls"], result["by_session"].values(), result["seeds"]))
    axes.plot(nulls, np.full(len(nulls), row + 0.16), "o", mfc="white", mec=NULL, ms=5, ls="none")
    axes.plot(single, np.full(len(single), row - 0.16), "D", mfc=FORWARD, mec="white", ms=6, ls="none")
    axes.plot(seeds, np.full(len(seeds), row), "o", mfc=SEED, mec="white", ms=7.5, ls="none")
    if own_score is not None:
        axes.plot(clipped([own_score]), [row], "|", color=INK, ms=20, mew=1.6)


def _add_key(drawn: Figure, axes: Axes) -> None:
    handles = [
        *axes.plot([], [], "o", mfc=SEED, mec="white", ms=7.5, ls="none", label="all other sessions' decoder, by seed"),
        *axes.plot([], [], "D", mfc=FORWARD, mec="white", ms=6, ls="none", label="one other session's"),
        *axes.plot([], [], "|", color=INK, ms=10, mew=1.6, ls="none", label="the session's own"),
        *axes.plot([], [], "o", mfc="white", mec=NULL, ms=5, ls="none", label="nulls (null label)"),
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=4, handletextpad=0.2, columnspacing=1.4)


def space_figure(by_label: Mapping[str, Matrix]) -> Figure:
    """Return for every label a matrix of sessions: decoder by row, read by column.

    Args:
        by_label: by label, the score of every pair (session of the decoder, session that it reads).
    """
    sessions = list(dict.fromkeys(name for matrix in by_label.values() for pair in matrix for name in pair))
    down, width = -(-len(by_label) // ACROSS), min(len(by_label), ACROSS)
    side = 1.6 + 0.36 * len(sessions)
    drawn = figure(min(11, 1.5 + side * width), side * down)
    grid = drawn.subplots(down, width, squeeze=False)
    for axes, (label, matrix) in zip(grid.flat, by_label.items(), strict=False):
        _draw_matrix(axes, label, matrix, sessions)
    for axes in grid.flat[len(by_label) :]:
        axes.set_axis_off()
    return drawn


def _draw_matrix(axes: Axes, label: str, matrix: Matrix, sessions: list[str]) -> None:
    scores = np.array([[matrix.get((fitted, tested), np.nan) for tested in sessions] for fitted in sessions])
    axes.imshow(scores, cmap=SCORES, vmin=0, vmax=1, aspect="auto")
    _write_scores(axes, scores)
    label_ticks(axes, sessions, rotation=30, ha="right")
    label_ticks(axes, sessions, axis="y")
    axes.set(title=plain(label), xlabel="read in", ylabel="decoder of")
    axes.tick_params(length=0)


def _write_scores(axes: Axes, scores: NDArray[np.float64]) -> None:
    for row, column in zip(*np.nonzero(np.isfinite(scores)), strict=True):
        color = "white" if scores[row, column] > 0.45 else INK
        axes.text(column, row, number(float(scores[row, column]), 2), ha="center", va="center", color=color, fontsize=8)
