"""The page of tuning: what was tried, what to take, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xcebra_nwb.assess.tuning.choice import Choice, Measured, Trial
from xcebra_nwb.report.figures.tuning import tune_figure
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.style import picture

COLUMNS = ("latents", "weight", "held-out loss", "leak", "consistency", "decoding")
LABEL_COLUMNS = ("session", "label", "held-out loss", "leak", "consistency", "decoding", "verdict")


def tune_page(sessions: Sequence[str], trials: Sequence[Trial], choice: Choice, snippet: str) -> str:
    """Return the HTML page of a study; ``snippet`` is the YAML to merge into the config."""
    chosen = choice.trial
    alt = f"Loss, leak and agreement of {len(trials)} settings; chosen: {chosen.outputs} latents, {chosen.weight:g}."
    return render(
        "tune.html.j2",
        sessions=list(sessions),
        chosen=chosen,
        because=choice.because,
        snippet=snippet,
        picture=picture(lambda: tune_figure(trials, chosen), alt),
        columns=COLUMNS,
        rows=[_row(trial) for trial in sorted(trials, key=lambda trial: trial.loss)],
        label_columns=LABEL_COLUMNS,
        label_rows=[_label_row(one) for one in chosen.measured],
    )


def _row(trial: Trial) -> list[Any]:
    return [trial.outputs, trial.weight, trial.loss, trial.leak, trial.consistency, trial.decoding]


def _label_row(one: Measured) -> list[Any]:
    loss = sum(one.losses) / len(one.losses)
    return [one.session, one.label, loss, one.leak, one.consistency, one.decoding, one.verdict]
