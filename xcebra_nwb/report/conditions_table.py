"""The conditions that the theory needs, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xcebra_nwb.assess.conditions import NOTED
from xcebra_nwb.report.style import number

COLUMNS = ("label", "what is asked", "number", "needed", "holds", "without it")
HOLDS = {True: "✔ yes", False: "✖ no", None: "– does not apply"}

Conditions = Sequence[Mapping[str, Any]]


def condition_rows(assessed: Mapping[str, Mapping[str, Any]]) -> list[list[Any]]:
    """Return a row a label and condition: the columns of :data:`COLUMNS`; what is broken comes first."""
    found = [(label, condition) for label, result in assessed.items() for condition in conditions(result)]
    found.sort(key=lambda pair: pair[1]["holds"] is not False)
    return [_row(label, condition) for label, condition in found]


def _row(label: str, condition: Mapping[str, Any]) -> list[Any]:
    needed = f"{'at least' if condition['least'] else 'at most'} {number(condition['threshold'])}"
    without = condition["otherwise"] or NOTED
    return [label, condition["question"], condition["value"], needed, HOLDS[condition["holds"]], without]


def condition_sentences(assessed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return for every label how many of its conditions hold, and what is said of those that do not."""
    return [_sentence(label, conditions(result)) for label, result in assessed.items() if conditions(result)]


def _sentence(label: str, judged: Conditions) -> str:
    known = [condition for condition in judged if condition["holds"] is not None]
    broken = [str(condition["says"]) for condition in known if not condition["holds"]]
    count = f"{label}: {len(known) - len(broken)} of {len(known)} conditions hold"
    return f"{count}; {'; '.join(broken)}." if broken else f"{count}."


def conditions(result: Mapping[str, Any]) -> Conditions:
    """Return the conditions of a label's assessment; none where it was written by a version without them."""
    return result.get("conditions") or []
