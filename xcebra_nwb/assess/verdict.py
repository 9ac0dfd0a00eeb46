"""The verdict on a label in words, by the written rules of docs/reference/verdicts.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xcebra_nwb.assess.conditions import Condition, Shown, Verdict, violations
from xcebra_nwb.assess.evidence import STEADY
from xcebra_nwb.attribution.null_test import LEAST_NULLS
from xcebra_nwb.core.carriers import LEVEL

READABLE = frozenset({"supported", "weak"})  # verdicts under which the shares of units may be read

LEAST_SCORE = 0.05  # held-out decoding below this is no code worth mapping
LEAST_EXCESS = 0.1  # by which it must beat the best null (or chance); a null's score below 0 is worth 0
MOST_PREDICTED = 0.5  # score of the label from another label, above which the two are confounded


@dataclass(frozen=True)
class Evidence:
    """The numbers of a verdict beside the conditions; NaN where one cannot be known.

    Attributes:
        score: held-out decoding, mean over seeds.
        null_scores: the same of every null.
        consistency: agreement of the mean null-corrected map with that of as many other seeds.
        seeds_needed: number of seeds with which it would be steady; None if no number would do.
        carriers: number of units that carry the label.
        units: number of units that were tested.
        confounded: labels that predict this one, and how well.
        most_predicted: how well the best of all other labels predicts this one.
        without_null: the reason why no null is left, where nulls were asked for.
    """

    score: float
    null_scores: tuple[float, ...]
    consistency: float
    carriers: int
    units: int
    confounded: tuple[tuple[str, float], ...] = ()
    most_predicted: float = float("nan")
    seeds_needed: int | None = None
    without_null: str = ""


def verdict(evidence: Evidence, conditions: Sequence[Condition]) -> tuple[Verdict, str]:
    """Return the verdict and the reason for it, one sentence.

    Args:
        evidence: decoding, consistency and confounded labels.
        conditions: the conditions of the label.
    """
    nulls = [score for score in evidence.null_scores if np.isfinite(score)]
    score = f"held-out decoding {Shown(evidence.score):.2f}"
    if not np.isfinite(evidence.score):
        return "not encoded", "the held-out stretches do not hold enough of the label to decode it"
    if evidence.score < LEAST_SCORE:
        return _at_chance(score, conditions)
    if evidence.without_null:
        return "not identifiable", f"{score}, but there is no null: {evidence.without_null}"
    if nulls and max(nulls) >= LEAST_EXCESS and evidence.score <= max(nulls):
        return "not identifiable", (
            f"{score}, but its nulls are decoded as well (up to {Shown(max(nulls)):.2f}): the label repeats itself in "
            "time or drifts with the recording, so that it has no null"
        )
    if nulls and evidence.score <= max(nulls):
        return "not encoded", f"{score} does not exceed that of its nulls (up to {Shown(max(nulls)):.2f})"
    fatal = violations(conditions, "not identifiable")
    if fatal:
        return "not identifiable", f"{score}, but {'; '.join(fatal)}"
    doubts = [*_doubts(evidence, nulls), *violations(conditions, "weak")]
    if doubts:
        return "weak", f"{score}, but {'; '.join(doubts)}"
    return "supported", (
        f"{score} against at most {Shown(max(nulls)):.2f} for its nulls; other seeds would give the same map "
        f"({Shown(evidence.consistency):.2f}); {_carriers(evidence)}"
    )


def _carriers(evidence: Evidence) -> str:
    """How many units carry the label; the verdict does not rest on it."""
    verb = "carries" if evidence.carriers == 1 else "carry"
    units = "unit" if evidence.units == 1 else "units"
    return f"{evidence.carriers} of {evidence.units} {units} {verb} it (q of at most {LEVEL})"


def _at_chance(score: str, conditions: Sequence[Condition]) -> tuple[Verdict, str]:
    """A mean over neighbours decodes nothing where two values look the same, though the loss sees a code."""
    by_name = {condition.name: condition for condition in conditions}
    least_gain = by_name["loss_gain"].threshold
    if by_name["aliasing"].holds is False and by_name["loss_gain_over_nulls"].value >= least_gain:
        return "not identifiable", f"{score} is at chance (0), but the loss sees a code: {by_name['aliasing'].says}"
    return "not encoded", f"{score} is at chance (0)"


def _doubts(evidence: Evidence, nulls: list[float]) -> list[str]:
    doubts = []
    if len(nulls) < LEAST_NULLS:
        doubts.append(f"{_count(len(nulls))} (at least {LEAST_NULLS} are needed)")
    elif (excess := evidence.score - max(0.0, *nulls)) < LEAST_EXCESS:
        doubts.append(f"it beats its nulls only by {Shown(excess):.2f} (at least {LEAST_EXCESS})")
    if not evidence.consistency >= STEADY:
        doubts.append(_inconsistency(evidence))
    doubts += [f"{partner} predicts it ({Shown(score):.2f})" for partner, score in evidence.confounded]
    return doubts


def _count(nulls: int) -> str:
    return "there is 1 null" if nulls == 1 else f"there are {nulls or 'no'} nulls"


def _inconsistency(evidence: Evidence) -> str:
    if np.isnan(evidence.consistency):
        return "one seed or too few nulls: consistency is unknown"
    doubt = f"other seeds would give a map that agrees only by {Shown(evidence.consistency):.2f}"
    return f"{doubt} ({evidence.seeds_needed} seeds would do)" if evidence.seeds_needed else doubt
