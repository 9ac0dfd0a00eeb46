"""The page of tuning: every setting that was tried, the chosen one, and the reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.assess.tuning.choice import SEPARATE_LEAK, Choice, Measured, Trial, near_enough, standard_error
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.style import FORWARD, INK, SEQUENCE, figure, picture

COLUMNS = ("latents", "weight", "held-out loss", "leak", "consistency", "decoding")
LABEL_COLUMNS = ("session", "label", "held-out loss", "leak", "consistency", "decoding", "verdict")
Measure = Callable[[Trial], float]
PANELS: tuple[tuple[str, Measure], ...] = (
    ("held-out loss (share of chance)", lambda trial: trial.loss),
    ("leak between blocks (R²)", lambda trial: trial.leak),
    ("agreement of seeds (Spearman)", lambda trial: trial.consistency),
)


def tune_page(sessions: Sequence[str], trials: Sequence[Trial], choice: Choice, snippet: str) -> str:
    """Return the HTML page of a study.

    Args:
        sessions: names of the sessions.
        trials: every setting that was tried.
        choice: the chosen setting, and why.
        snippet: YAML of the chosen setting, to merge into the config.
    """
    chosen = choice.trial
    alt = f"Loss, leak and agreement of {len(trials)} settings; chosen: {chosen.outputs} latents, {chosen.weight:g}."
    return render(
        "tune.html.j2",
        sessions=list(sessions),
        chosen=chosen,
        because=choice.because,
        snippet=snippet,
        picture=picture(lambda: _figure(trials, chosen), alt),
        columns=COLUMNS,
        rows=[_row(trial) for trial in sorted(trials, key=lambda trial: trial.loss)],
        label_columns=LABEL_COLUMNS,
        label_rows=[_label_row(measured) for measured in chosen.measured],
    )


def _row(trial: Trial) -> list[Any]:
    return [trial.outputs, trial.weight, trial.loss, trial.leak, trial.consistency, trial.decoding]


def _label_row(measured: Measured) -> list[Any]:
    loss = sum(measured.losses) / len(measured.losses)
    numbers = [loss, measured.leak, measured.consistency, measured.decoding]
    return [measured.session, measured.label, *numbers, measured.verdict]


def _figure(trials: Sequence[Trial], chosen: Trial) -> Figure:
    """Return three panels over the number of latents, a line for every weight."""
    drawn = figure(11, 3.6)
    panels = drawn.subplots(1, len(PANELS))
    for axes, (title, measure) in zip(panels, PANELS, strict=True):
        _draw_lines(axes, trials, measure)
        axes.plot(chosen.outputs, measure(chosen), "o", ms=13, mfc="none", mec=FORWARD, mew=2)
        axes.set_title(title, fontsize=8.5)
        axes.set_xlabel("latents")
    best = min(trial.loss for trial in trials)
    panels[0].axhspan(best, near_enough(best) + standard_error(list(trials)), color=INK, alpha=0.12, lw=0)
    panels[1].axhline(SEPARATE_LEAK, color=FORWARD, ls="--", lw=1)
    handles, names = panels[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside upper center", ncols=len(names), title="weight of the regulariser")
    return drawn


def _draw_lines(axes: Axes, trials: Sequence[Trial], measure: Measure) -> None:
    weights = sorted({trial.weight for trial in trials})
    for number, weight in enumerate(weights):
        line = sorted((trial for trial in trials if trial.weight == weight), key=lambda trial: trial.outputs)
        color = SEQUENCE(0.9 * number / max(1, len(weights) - 1))
        axes.plot([t.outputs for t in line], [measure(t) for t in line], ".-", color=color, lw=1.3, label=f"{weight:g}")
    axes.set_xticks(sorted({trial.outputs for trial in trials}))
    axes.tick_params(labelsize=7.5)
