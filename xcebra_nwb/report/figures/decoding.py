"""The figure of decoding: held-out scores beside their nulls, consistency of maps, and leak."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.report.style import FORWARD, INK, MUTED, NULL, SEED, figure, number, plain, verdict_style
from xcebra_nwb.report.wording import score_words

LOWEST = -1.0  # scores under this are drawn at the edge
CONSISTENCY = {
    "maps": ("raw maps, seeds", "o", SEED, SEED),
    "null_maps": ("raw maps, nulls", "o", "white", NULL),
    "null_corrected_maps": ("null-corrected maps, seeds", "D", FORWARD, FORWARD),
}


def decoding_figure(assessed: dict[str, dict[str, Any]]) -> Figure:
    """Return one row a label: scores of seeds and nulls, consistency, leak.

    Args:
        assessed: ``labels`` of assessment.json.
    """
    drawn = figure(11, 1.5 + 0.62 * max(len(assessed), 2))
    scores, maps, leak = drawn.subplots(1, 3, sharey=True, width_ratios=[2.2, 1.5, 0.9])
    for row, label in enumerate(assessed):
        _draw_scores(scores, row, assessed[label].get("decoding") or {})
        _draw_consistency(maps, row, assessed[label].get("consistency") or {})
        _draw_leak(leak, row, assessed[label].get("leak") or {})
    styles = [verdict_style(str(result.get("verdict"))) for result in assessed.values()]
    names = [f"{sign} {plain(name, 20)}" for name, (_, sign) in zip(assessed, styles, strict=True)]
    scores.set_yticks(range(len(names)), names, fontweight="bold")
    for tick, (color, _) in zip(scores.get_yticklabels(), styles, strict=True):
        tick.set_color(color)
    scores.set_ylim(len(assessed) - 0.4, -0.75)
    scores.axvline(0, color=MUTED, lw=0.8, ls=":")
    left, right = scores.get_xlim()
    scores.set_xlim(left, right + 0.45 * (right - left))  # room for z and p
    scores.set(title="held-out decoding from the label's block", xlabel="score (0: by chance, 1: perfect)")
    maps.set(title="agreement of maps", xlabel="Spearman correlation", xlim=(-0.55, 1.08), xticks=(-0.5, 0, 0.5, 1))
    leak.set(title="leak", xlabel="R² from the other latents", xlim=(-0.05, 1.25), xticks=(0, 0.5, 1))
    for axes in (scores, maps, leak):
        axes.grid(axis="y", color="#eceff2", lw=1)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
    _add_key(drawn, scores)
    return drawn


def _draw_scores(axes: Axes, row: int, decoding: dict[str, Any]) -> None:
    nulls, seeds = (clipped(decoding.get(key)) for key in ("nulls", "seeds"))
    spread = 0.16 * np.resize([-1.0, 0.0, 1.0], len(nulls))
    axes.plot(nulls, row + spread, "o", mfc="white", mec=NULL, ms=5, ls="none")
    axes.plot(seeds, np.full(len(seeds), row), "o", mfc=SEED, mec="white", ms=7.5, ls="none")
    if decoding.get("score") is not None:
        axes.plot(clipped([decoding["score"]]), [row], "|", color=INK, ms=20, mew=1.6)
    said = score_words(decoding)
    axes.text(1, row, said, ha="right", va="center", fontsize=8, transform=axes.get_yaxis_transform())


def clipped(values: Any) -> np.ndarray:
    """Return the known scores; those under :data:`LOWEST` are drawn at the edge.

    >>> clipped([0.5, None, -3]).tolist()
    [0.5, -1.0]
    """
    known = [float(value) for value in values or [] if value is not None]
    return np.maximum(np.asarray(known, float), LOWEST)


def _draw_consistency(axes: Axes, row: int, consistency: dict[str, Any]) -> None:
    for key, (_, marker, face, edge) in CONSISTENCY.items():
        if consistency.get(key) is not None:
            axes.plot(consistency[key], row, marker, mfc=face, mec=edge, ms=7, clip_on=False)


def _draw_leak(axes: Axes, row: int, leak: dict[str, Any]) -> None:
    if leak.get("score") is None:
        axes.text(0, row, "not known", va="center", fontsize=7.5, color=MUTED)
        return
    score = max(float(leak["score"]), 0.0)
    axes.barh(row, score, 0.34, color=INK)
    axes.text(score + 0.03, row, number(leak["score"], 2), va="center", fontsize=7.5)


def _add_key(drawn: Figure, axes: Axes) -> None:
    handles = [
        *axes.plot([], [], "o", mfc=SEED, mec="white", ms=7.5, ls="none", label="seeds (true labels)"),
        *axes.plot([], [], "|", color=INK, ms=10, mew=1.6, ls="none", label="their mean"),
        *axes.plot([], [], "o", mfc="white", mec=NULL, ms=5, ls="none", label="nulls (null label)"),
    ]
    for name, marker, face, edge in CONSISTENCY.values():
        handles += axes.plot([], [], marker, mfc=face, mec=edge, ms=6, ls="none", label=name)
    drawn.legend(handles=handles, loc="outside lower center", ncols=6, handletextpad=0.2, columnspacing=1.4)
