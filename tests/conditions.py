"""Conditions of a label for which all is well, but for what a test changes."""

from __future__ import annotations

from xcebra_nwb.assess.conditions import RULES, Condition, judge


def conditions(**numbers: float) -> tuple[Condition, ...]:
    """Return the conditions of a label whose every number is exactly at its threshold, but for ``numbers``."""
    return judge(RULES, {rule.name: rule.threshold for rule in RULES} | numbers)
