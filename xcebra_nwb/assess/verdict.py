"""The verdict on a label, by written rules (docs/reference/verdicts.md), in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xcebra_nwb.assess.conditions import Condition, Verdict, broken

READABLE = frozenset({"supported", "weak"})  # verdicts under which single units may be said to carry the label

LEAST_SCORE = 0.05  # held-out decoding below this is no code worth mapping
LEAST_EXCESS = 0.1  # by which it must beat the best null (or chance); a null's score below 0 is worth 0
LEAST_NULLS = 3
LEAST_CONSISTENCY = 0.5  # Spearman's correlation of the null-corrected maps of two seeds

LEAST_GAIN = 0.01  # share of its chance level by which the held-out loss lies below it
LEAST_NULL_GAIN = 0.0  # the same share, below the best null's loss
LEAST_GENERALISATION = 0.25  # share of the training loss's way below chance that held-out bins go too
MOST_FALLING = 0.15  # share of that way which the loss went in the last fifth of the steps
MOST_LEAK = 0.9  # R2 of the block from the other latents
MOST_MIXED = 0.8  # R2 of what the other latents do on their own, from the block
LEAST_RANK = 0.5  # directions of the block that survive the rank-aware inverse
LEAST_RANK_SHARE = 0.5  # the same over the label's dimensions
MOST_IDLE = 1.25  # the same over the directions along which the block varies
LEAST_USABLE = 0.5  # share of the bins whose Jacobian is not zero
MOST_SATURATED = 0.25  # share of the block's outputs at the clip
LEAST_SHARED = 0.5  # share of what the units have in common that follows from the latents
MOST_ALIASED = 0.2  # share of held-out bins whose neighbours hold two values of the label far apart
MOST_LOST = 0.3  # by which the activity itself decodes the label better than its block does
LEAST_AGREEMENT = 0.5  # Spearman's correlation over units of the tested map and the neuron gradient's
MOST_STEP = 0.7  # a step by which positives are drawn over the label's standard deviation
MOST_ANISOTROPY = 25.0  # largest over smallest variance of the steps over all directions
MOST_LEAPS = 0.5  # share of the steps' variance that comes in leaps
MOST_BY_PLACE = 0.5  # R2 of a step's length from where it was taken
LEAST_INDEPENDENT = 10.0  # independent samples that the label's course is worth
LEAST_VISITS = 3  # to the class visited least
LEAST_CLASS = 0.02  # share of the bins in the rarest class
LEAST_COVERED = 0.9  # share of held-out bins whose label training saw the like of
LEAST_PENALTY = 1e-6  # weight of the Jacobian penalty at the end
MOST_PREDICTED = 0.5  # score of the label from another label, above which the two are confounded


@dataclass(frozen=True)
class Evidence:
    """What the verdict is made of beside the conditions; NaN where it cannot be known."""

    score: float  # held-out decoding, mean over seeds
    null_scores: tuple[float, ...]
    consistency: float  # of null-corrected maps
    significant: int
    units: int
    confounded: tuple[tuple[str, float], ...] = ()  # labels that predict this one, and how well
    without_null: str = ""  # why no null is left, where nulls were asked for


def verdict(evidence: Evidence, conditions: Sequence[Condition]) -> tuple[Verdict, str]:
    """Return the verdict and the reason for it, one sentence."""
    nulls = [score for score in evidence.null_scores if np.isfinite(score)]
    score = f"held-out decoding {evidence.score:.2f}"
    if not np.isfinite(evidence.score):
        return "not encoded", "the held-out stretches do not hold enough of the label to decode it"
    if evidence.score < LEAST_SCORE:
        return _at_chance(score, conditions)
    if evidence.without_null:
        return "not identifiable", f"{score}, but there is no null: {evidence.without_null}"
    if nulls and max(nulls) >= LEAST_EXCESS and evidence.score <= max(nulls):
        return "not identifiable", (
            f"{score}, but its nulls are decoded as well (up to {max(nulls):.2f}): the label repeats itself in "
            "time or drifts with the recording, so that it has no null"
        )
    if nulls and evidence.score <= max(nulls):
        return "not encoded", f"{score} does not exceed that of its nulls (up to {max(nulls):.2f})"
    fatal = broken(conditions, "not identifiable")
    if fatal:
        return "not identifiable", f"{score}, but {'; '.join(fatal)}"
    doubts = [*_doubts(evidence, nulls), *broken(conditions, "weak")]
    if doubts:
        return "weak", f"{score}, but {'; '.join(doubts)}"
    return "supported", (
        f"{score} against at most {max(nulls):.2f} for its nulls; seeds agree "
        f"({evidence.consistency:.2f}); {evidence.significant} of {evidence.units} units at q <= 0.05"
    )


def _at_chance(score: str, conditions: Sequence[Condition]) -> tuple[Verdict, str]:
    """A mean over neighbours decodes nothing where two values look the same, though the loss sees a code."""
    by_name = {condition.name: condition for condition in conditions}
    if by_name["aliasing"].holds is False and by_name["loss_gain_over_nulls"].value >= LEAST_GAIN:
        return "not identifiable", f"{score} is at chance (0), but the loss sees a code: {by_name['aliasing'].says}"
    return "not encoded", f"{score} is at chance (0)"


def _doubts(evidence: Evidence, nulls: list[float]) -> list[str]:
    doubts = []
    if len(nulls) < LEAST_NULLS:
        doubts.append(f"there are {len(nulls)} nulls (at least {LEAST_NULLS} are needed)")
    elif (excess := evidence.score - max(0.0, *nulls)) < LEAST_EXCESS:
        doubts.append(f"it beats its nulls only by {excess:.2f} (at least {LEAST_EXCESS})")
    if not evidence.consistency >= LEAST_CONSISTENCY:
        doubts.append(
            "one seed or too few nulls: consistency is unknown"
            if np.isnan(evidence.consistency)
            else f"the null-corrected maps of the seeds agree only by {evidence.consistency:.2f}"
        )
    doubts += [f"{partner} predicts it ({score:.2f})" for partner, score in evidence.confounded]
    return doubts
