"""Whether to believe a map: what a verdict rests on, where decoding fails, seeds side by side, and maps over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xcebra_nwb.assess.conditions import NOTED
from xcebra_nwb.core.results import Results
from xcebra_nwb.report.glossary import reasons
from xcebra_nwb.report.held_out import held_out_view
from xcebra_nwb.report.over_time import over_time, seeds_chart
from xcebra_nwb.report.style import number, verdict_style
from xcebra_nwb.report.unit_map import UnitMap

SIGNS = {True: "✔", False: "✖", None: "–"}
TONES = {True: "holds", False: "fails", None: "blank"}
READ_ALOUD = {True: "holds", False: "does not hold", None: "does not apply, or is not known"}
Assessed = Mapping[str, Mapping[str, Any]]


def grounds_of(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the verdict on a label rests on: evidence, then conditions; none of it in a file of an old version.

    Args:
        result: the label in assessment.json.
    """
    return [*(result.get("grounds") or []), *(result.get("conditions") or [])]


def grounds_table(assessed: Assessed) -> dict[str, Any]:
    """Return the table of what the verdicts rest on: a row for each ground, a column for each label.

    The evidence comes first, then conditions that do not hold for some label, then the others.

    Args:
        assessed: ``labels`` of assessment.json.
    """
    by_label = {label: {ground["name"]: ground for ground in grounds_of(result)} for label, result in assessed.items()}
    first = {ground["name"]: ground for label in by_label.values() for ground in label.values()}
    evidence = {g["name"] for result in assessed.values() for g in result.get("grounds") or []}

    def rank(name: str) -> tuple[bool, bool]:
        broken = any(grounds[name]["holds"] is False for grounds in by_label.values() if name in grounds)
        return name not in evidence, name not in evidence and not broken

    return {
        "labels": [
            {"label": label, "verdict": verdict, "tone": color, "sign": sign}
            for label, result in assessed.items()
            for verdict in [str(result.get("verdict", "not known"))]
            for color, sign in [verdict_style(verdict)]
        ],
        "rows": [_row(first[name], by_label, name) for name in sorted(first, key=rank)],
        "counts": {label: _count(result) for label, result in assessed.items()},
    }


def _row(ground: Mapping[str, Any], by_label: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    cells = [_cell(grounds.get(name)) for grounds in by_label.values()]
    costs = list(dict.fromkeys(g["otherwise"] or NOTED for grounds in by_label.values() if (g := grounds.get(name))))
    return {
        "address": entry.address if (entry := reasons().get(name)) else "",
        "question": ground["question"],
        "needed": f"{'at least' if ground['least'] else 'at most'} {_threshold(ground['threshold'])}",
        "cells": cells,
        "costs": " or ".join(costs),
    }


def _threshold(value: float) -> str:
    """A threshold for reading, without an exponent."""
    return f"{value:f}".rstrip("0").rstrip(".") if value else "0"


def _cell(ground: Mapping[str, Any] | None) -> dict[str, str]:
    if ground is None:
        return {"tone": "blank", "sign": "–", "value": "", "said": "not in this file"}
    holds, value = ground["holds"], ground["value"]
    shown = "" if value is None else number(value if abs(value) < 1000 else round(value), 3)
    return {"tone": TONES[holds], "sign": SIGNS[holds], "value": shown, "said": READ_ALOUD[holds]}


def _count(result: Mapping[str, Any]) -> str:
    """How many grounds hold, in a sentence."""
    known = [ground for ground in grounds_of(result) if ground["holds"] is not None]
    broken = sum(not ground["holds"] for ground in known)
    if not known:
        return ""
    kept = "All" if not broken else f"{len(known) - broken} of"
    verb = "holds" if len(known) == 1 else "hold"
    return f"{kept} {len(known)} grounds {verb}"


def held_out_views(results: Results) -> list[dict[str, Any]]:
    """Return for each label where it is decoded; empty in results without decoded.nc.

    Args:
        results: the files of the session.
    """
    views = [(label, held_out_view(results, label)) for label in results.labels]
    return [
        {"label": label, "traces": view.traces, "panels": view.panels, "words": view.words}
        for label, view in views
        if view is not None
    ]


def seeds_and_time(results: Results, directory: Path, shown: UnitMap) -> dict[str, Any]:
    """Return the seeds of a label side by side, and its map over time where it was computed.

    Args:
        results: the files of the session.
        directory: folder of the session.
        shown: the maps of the label.
    """
    seeds, scale = seeds_chart(results.attribution, shown)
    course = over_time(directory / "attribution.nc", results.session, shown)
    return {
        "seeds": seeds,
        "scale": scale,
        "over_time": course.charts if course else [],
        "words": course.words if course else "",
    }
