"""The conditions of a label: each holds, apart from those that a test changes."""

from __future__ import annotations

from xcebra_nwb.assess.conditions import RULES, Condition, judge


def conditions(**numbers: float) -> tuple[Condition, ...]:
    """Return the conditions of a label: every number is at its threshold, apart from ``numbers``, by name of rule."""
    return judge(RULES, {rule.name: rule.threshold for rule in RULES} | numbers)
