"""The evidence of a verdict as a list: each number, its threshold, whether it is met, and what it costs if not.

The rules themselves are in :mod:`xcebra_nwb.assess.verdict`. A test compares the two.
"""

from __future__ import annotations

import math

import numpy as np

from xcebra_nwb.assess.conditions import Condition, Verdict
from xcebra_nwb.assess.evidence import STEADY
from xcebra_nwb.assess.verdict import LEAST_EXCESS, LEAST_SCORE, MOST_PREDICTED, Evidence
from xcebra_nwb.attribution.null_test import LEAST_NULLS


def grounds(evidence: Evidence) -> tuple[Condition, ...]:
    """Return the evidence of a verdict beside the conditions of the theory, in the order of the rules.

    Args:
        evidence: the numbers of the label.
    """
    nulls = [score for score in evidence.null_scores if np.isfinite(score)]
    return (
        _ground("score", "Is the label decoded on held-out stretches?", evidence.score, LEAST_SCORE, "not encoded"),
        _nulls(evidence, nulls),
        _excess(evidence, nulls),
        _ground("shown_map", "Would other seeds give the same map?", evidence.consistency, STEADY, "weak"),
        _predicted(evidence),
    )


def _ground(name: str, question: str, value: float, least: float, otherwise: Verdict) -> Condition:
    """A number that must be known, and at least a threshold."""
    holds = bool(value >= least)
    says = "holds" if holds else "is not known" if math.isnan(value) else f"is under {least:g}"
    return Condition(name, question, value, True, least, holds, otherwise, says)


def _nulls(evidence: Evidence, nulls: list[float]) -> Condition:
    otherwise: Verdict = "not identifiable" if evidence.without_null else "weak"
    return _ground("nulls", "Are there enough nulls to compare with?", len(nulls), LEAST_NULLS, otherwise)


def _excess(evidence: Evidence, nulls: list[float]) -> Condition:
    """By how much the score beats the best null; a null under 0 counts as chance, which is 0."""
    question, excess = "Is it decoded better than every null, and than chance?", evidence.score - max([0.0, *nulls])
    beaten = bool(nulls) and evidence.score <= max(nulls)
    if not beaten and (len(nulls) < LEAST_NULLS or math.isnan(excess)):
        says = "is not known: too few nulls" if len(nulls) < LEAST_NULLS else "is not known"
        return Condition("excess", question, excess, True, LEAST_EXCESS, None, "weak", says)
    otherwise: Verdict = "weak"
    if beaten:
        otherwise = "not identifiable" if max(nulls) >= LEAST_EXCESS else "not encoded"
    holds = bool(excess >= LEAST_EXCESS) and not beaten
    says = "holds" if holds else f"is under {LEAST_EXCESS:g}"
    return Condition("excess", question, excess, True, LEAST_EXCESS, holds, otherwise, says)


def _predicted(evidence: Evidence) -> Condition:
    """How well the best other label predicts this one; NaN where there is no other."""
    question, score = "Is it told apart from every other label?", evidence.most_predicted
    holds = None if math.isnan(score) else bool(score <= MOST_PREDICTED)
    says = {None: "does not apply: there is no other label", True: "holds"}.get(holds, f"is above {MOST_PREDICTED:g}")
    return Condition("predicted_by", question, score, False, MOST_PREDICTED, holds, "weak", says)
