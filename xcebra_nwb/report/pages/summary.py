"""The page over all sessions of a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from xcebra_nwb.report.atlas import COLUMNS, TEXT
from xcebra_nwb.report.figures.across import space_figure
from xcebra_nwb.report.figures.summary import MOST_ROWS, summary_figure
from xcebra_nwb.report.outcome import Outcome, why
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.style import STATES, Picture, number, picture, verdict_style
from xcebra_nwb.report.unit_map import rounded

MOST_ATLAS_ROWS = 5000


def summary_page(results: Path, outcomes: list[Outcome], atlas: pd.DataFrame) -> str:
    """Return the HTML page over all sessions of a run.

    Args:
        results: folder of the results.
        outcomes: the outcome of every session.
        atlas: the atlas over all sessions.
    """
    counts = Counter(outcome.state for outcome in outcomes)
    verdicts = Counter((label, word) for outcome in outcomes for label, word in outcome.verdicts.items())
    alt = "; ".join(f"{label} {word} in {count}" for (label, word), count in verdicts.items())
    return render(
        "summary.html.j2",
        sentence=" ".join([_sentence(counts, verdicts), *_refusals(outcomes)]),
        counts=[{"state": state, "count": counts[state], "tone": STATES[state][0]} for state in STATES],
        sessions=[_session(results, outcome) for outcome in outcomes],
        failures=[outcome.status for outcome in outcomes if outcome.status is not None and outcome.state == "failed"],
        picture=picture(lambda: summary_figure(outcomes, atlas), f"Verdicts by session and label: {alt or 'none'}."),
        space=_space(outcomes),
        columns=COLUMNS,
        numbers=[name for name in COLUMNS if name not in TEXT],
        rows=_atlas_rows(atlas),
        total=len(atlas),
        most=MOST_ATLAS_ROWS,
    )


def _space(outcomes: list[Outcome]) -> Picture | None:
    """How sessions of a shared latent space read each other; None without such sessions, or with too many."""
    by_label: dict[str, dict[tuple[str, str], float]] = {}
    for outcome in outcomes:
        for label, scores in outcome.across.items():
            by_label.setdefault(label, {}).update(
                {(name, outcome.row.session): score for name, score in scores.items()}
            )
    if not by_label or sum(bool(outcome.across) for outcome in outcomes) > MOST_ROWS:
        return None
    between = {label: [score for (a, b), score in matrix.items() if a != b] for label, matrix in by_label.items()}
    ranges = "; ".join(
        f"{label} {number(min(scores), 2)} to {number(max(scores), 2)}" for label, scores in between.items() if scores
    )
    return picture(lambda: space_figure(by_label), f"Scores from session to session: {ranges}.")


def _sentence(counts: Counter[str], verdicts: Counter[tuple[str, str]]) -> str:
    run = counts.total() - counts["left out"]
    supported = [f"{label} in {count}" for (label, word), count in sorted(verdicts.items()) if word == "supported"]
    text = f"{counts['done']} of {run} sessions {'is' if counts['done'] == 1 else 'are'} done"
    return f"{text}; a code is supported for {', '.join(supported)}." if supported else f"{text}; no code is supported."


def _refusals(outcomes: list[Outcome]) -> list[str]:
    """How many sessions were refused for which reason, the commonest first; nothing where none was."""
    codes = Counter(outcome.status.code for outcome in outcomes if outcome.status is not None and outcome.status.code)
    return [f"Refused: {', '.join(f'{code} ({count})' for code, count in codes.most_common())}."] if codes else []


def _session(results: Path, outcome: Outcome) -> dict[str, Any]:
    name = outcome.row.session
    tone, sign = STATES[outcome.state]
    there = outcome.status is not None and outcome.state != "failed" and (results / name / "report.html").is_file()
    return {
        "name": name,
        "link": f"{quote(name, safe='')}/report.html" if there else "",
        "state": outcome.state,
        "tone": tone,
        "sign": sign,
        "verdicts": [(label, word, *verdict_style(word)) for label, word in outcome.verdicts.items()],
        "why": why(outcome),
        "found": outcome.row.found,
    }


def _atlas_rows(atlas: pd.DataFrame) -> list[list[Any]]:
    """The units that carry a label first, and those with most information among them, for the page."""
    first = atlas.sort_values(["carries", "information"], ascending=False, na_position="last", kind="stable")
    shown = first.head(MOST_ATLAS_ROWS).assign(carries=first["carries"].map({True: "yes", False: ""}))
    rows = shown.itertuples(index=False, name=None)
    return [[value if isinstance(value, str) else rounded(value) for value in row] for row in rows]
