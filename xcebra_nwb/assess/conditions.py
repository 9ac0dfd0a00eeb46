"""A condition that the theory needs, judged: a number, its threshold, whether it holds, and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Verdict = Literal["supported", "weak", "not encoded", "not identifiable"]


@dataclass(frozen=True)
class Rule:
    """What is asked of a number, and what becomes of a label for which it does not hold.

    Attributes:
        name: of the condition, in assessment.json.
        question: what it asks, in plain words.
        least: whether the number must be at least the threshold, or at most.
        threshold: see ``least``.
        otherwise: the best verdict that is left when it does not hold; None where no verdict depends on it.
        broken: what to say then; ``{value}`` stands for the number.
    """

    name: str
    question: str
    least: bool
    threshold: float
    otherwise: Verdict | None
    broken: str


@dataclass(frozen=True)
class Condition:
    """A rule applied to a number; ``holds`` is None where the number does not apply or cannot be known."""

    name: str
    question: str
    value: float
    least: bool
    threshold: float
    holds: bool | None
    otherwise: Verdict | None
    says: str


def judge(rules: Iterable[Rule], numbers: Mapping[str, float]) -> tuple[Condition, ...]:
    """Return the condition of every rule; ``numbers`` holds its number by name, NaN where it does not apply."""
    return tuple(_judged(rule, float(numbers[rule.name])) for rule in rules)


def _judged(rule: Rule, value: float) -> Condition:
    holds = None if np.isnan(value) else value >= rule.threshold if rule.least else value <= rule.threshold
    says = {None: "does not apply, or is not known", True: "holds"}.get(holds, rule.broken.format(value=value))
    return Condition(rule.name, rule.question, value, rule.least, rule.threshold, holds, rule.otherwise, says)


def broken(conditions: Iterable[Condition], otherwise: Verdict | None) -> list[str]:
    """Return what is said of the conditions that do not hold and leave at best ``otherwise``."""
    return [c.says for c in conditions if c.holds is False and c.otherwise == otherwise]
