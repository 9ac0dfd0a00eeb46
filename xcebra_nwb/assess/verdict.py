"""The verdict on a label, by written rules (docs/verdicts.md), in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Verdict = Literal["supported", "weak", "not encoded", "not identifiable"]
READABLE = frozenset({"supported", "weak"})  # verdicts under which single units may be said to carry the label

LEAST_SCORE = 0.05  # held-out decoding below this is no code worth mapping
LEAST_EXCESS = 0.1  # by which it must beat the best null (or chance); a null's score below 0 is worth 0
LEAST_NULLS = 3
LEAST_CONSISTENCY = 0.5  # Spearman's correlation of the null-corrected maps of two seeds
LEAST_RANK = 0.5  # directions of the block that survive the rank-aware inverse
LEAST_USABLE = 0.5  # share of the bins whose Jacobian is not zero
MOST_LEAK = 0.9  # R2 of the block from the other latents


@dataclass(frozen=True)
class Evidence:
    """What the verdict is made of; NaN where it cannot be known."""

    score: float  # held-out decoding, mean over seeds
    null_scores: tuple[float, ...]
    consistency: float  # of null-corrected maps
    effective_rank: float
    usable: float
    leak: float
    significant: int
    units: int
    inverse_tested: bool = True  # whether the tested map is made by the rank-aware inverse


def verdict(evidence: Evidence) -> tuple[Verdict, str]:
    """Return the verdict and the reason for it, one sentence."""
    nulls = [score for score in evidence.null_scores if np.isfinite(score)]
    score = f"held-out decoding {evidence.score:.2f}"
    if not np.isfinite(evidence.score):
        return "not encoded", "the held-out stretches do not hold enough of the label to decode it"
    if evidence.score < LEAST_SCORE:
        return "not encoded", f"{score} is at chance (0)"
    if nulls and max(nulls) >= LEAST_EXCESS and evidence.score <= max(nulls):
        return "not identifiable", (
            f"{score}, but its nulls are decoded as well (up to {max(nulls):.2f}): the label repeats itself in "
            "time or drifts with the recording, so that it has no null"
        )
    if nulls and evidence.score <= max(nulls):
        return "not encoded", f"{score} does not exceed that of its nulls (up to {max(nulls):.2f})"
    broken = _not_identifiable(evidence)
    if broken:
        return "not identifiable", f"{score}, but {broken}"
    doubts = _doubts(evidence, nulls)
    if doubts:
        return "weak", f"{score}, but {'; '.join(doubts)}"
    return "supported", (
        f"{score} against at most {max(nulls):.2f} for its nulls; seeds agree "
        f"({evidence.consistency:.2f}); {evidence.significant} of {evidence.units} units at q <= 0.05"
    )


def _not_identifiable(evidence: Evidence) -> str:
    if evidence.usable < LEAST_USABLE:
        return f"only {evidence.usable:.0%} of the bins have a gradient (saturated outputs)"
    if evidence.inverse_tested and evidence.effective_rank < LEAST_RANK:
        return f"the block keeps {evidence.effective_rank:.1f} directions: its map is made of what was cut off"
    return ""


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
    if evidence.leak > MOST_LEAK:
        doubts.append(f"the other latents carry the same (leak {evidence.leak:.2f})")
    return doubts
