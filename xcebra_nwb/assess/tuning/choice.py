"""The written rule that chooses a setting by held-out loss, leak and consistency (docs/how-to/tuning.md).

No rule reads the decoding of a label, its nulls' p-values or a number of significant units: a setting that is chosen
because it finds more would find more on labels that mean nothing, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEAST_SHARE = 0.8  # of what the best setting's held-out loss falls short of chance
SEPARATE_LEAK = 0.5  # R2: from here on the other latents know most of the block
TIE = 0.05  # agreements of maps, of Spearman's correlation, that are taken for equal


@dataclass(frozen=True)
class Measured:
    """The numbers of one setting on one session, for one label."""

    session: str
    label: str
    losses: tuple[float, ...]  # of the seeds, held out, as a share of the loss of an encoder without information
    leak: float | None  # R2 of the label's block from the other latents; None where there are none
    consistency: float | None  # Spearman's correlation of the seeds' null-corrected maps; None: cannot be compared
    decoding: float | None  # held out; shown, no rule reads it
    verdict: str  # shown; no rule reads it


@dataclass(frozen=True)
class Trial:
    """A setting and its numbers over all sessions and labels."""

    outputs: int
    weight: float
    measured: tuple[Measured, ...]

    @property
    def loss(self) -> float:
        """The mean held-out loss over sessions, labels and seeds, as a share of chance."""
        return float(np.mean([np.mean(label.losses) for label in self.measured]))

    @property
    def leak(self) -> float:
        """The mean leak of the blocks; 0 where there are no other latents to leak into."""
        return float(np.mean([max(0.0, label.leak or 0.0) for label in self.measured]))

    @property
    def consistency(self) -> float:
        """The mean agreement of the seeds' maps; maps that cannot be compared agree by 0."""
        return float(np.mean([label.consistency or 0.0 for label in self.measured]))

    @property
    def decoding(self) -> float:
        """The mean held-out decoding."""
        return float(np.mean([label.decoding or 0.0 for label in self.measured]))


@dataclass(frozen=True)
class Choice:
    """The chosen setting, and the steps of the rule that led to it."""

    trial: Trial
    because: tuple[str, ...]  # one sentence a step of the rule


def choose(trials: Iterable[Trial]) -> Choice:
    """Return the setting that the rule chooses, and why.

    Of the settings whose held-out loss is nearly that of the best, those with separate blocks are kept; of these, those
    whose seeds agree as well as the best; of these, the one with the fewest latents and the largest weight.
    """
    left = list(trials)
    best, error = min(trial.loss for trial in left), standard_error(left)
    near = [trial for trial in left if trial.loss <= near_enough(best) + error]
    separate, apart = _separate(near)
    most = max(trial.consistency for trial in separate)
    stable = [trial for trial in separate if trial.consistency >= most - TIE]
    because = (
        f"{len(near)} of {len(left)} settings reach at least {LEAST_SHARE:.0%} of the best setting's drop of the "
        f"held-out loss (from chance to {best:.3f} of it), or miss that by at most one standard error ({error:.3f})",
        apart,
        f"{len(stable)} of those agree between seeds as well as the best ({most:.2f}), up to {TIE}; of them the fewest "
        "latents, then the largest weight",
    )
    return Choice(min(stable, key=lambda trial: (trial.outputs, -trial.weight)), because)


def near_enough(best: float) -> float:
    """Return the largest loss that counts as near the best one.

    Args:
        best: the smallest held-out loss, as a share of chance.

    >>> round(near_enough(0.5), 6)
    0.6
    """
    return 1 - LEAST_SHARE * (1 - best)


def _separate(near: list[Trial]) -> tuple[list[Trial], str]:
    """The settings whose blocks stay apart, or the one that comes nearest, and a sentence about it."""
    separate = [trial for trial in near if trial.leak < SEPARATE_LEAK]
    if separate:
        return separate, f"{len(separate)} of them keep the blocks separate (leak under {SEPARATE_LEAK})"
    least = min(near, key=lambda trial: trial.leak)
    why = f"none of them keeps the blocks separate (leak under {SEPARATE_LEAK}); the least leak is {least.leak:.2f}"
    return [least], why


def standard_error(trials: list[Trial]) -> float:
    """Return the standard error of a trial's loss.

    It is estimated from the spread between seeds, pooled over all trials and labels.
    """
    groups = [label.losses for trial in trials for label in trial.measured]
    deviations = [np.asarray(losses) - np.mean(losses) for losses in groups]
    freedom = sum(len(losses) - 1 for losses in groups)
    variance = sum(float(np.sum(d**2)) for d in deviations) / freedom
    encoders = sum(len(label.losses) for label in trials[0].measured)
    return float(np.sqrt(variance / encoders))


def as_record(trial: Trial) -> dict[str, Any]:
    """Return a trial as tune.json holds it."""
    return {
        "outputs": trial.outputs,
        "regularizer_weight": trial.weight,
        "held_out_loss": trial.loss,
        "leak": trial.leak,
        "consistency": trial.consistency,
        "decoding": trial.decoding,
        "measured": [asdict(label) for label in trial.measured],
    }


def from_record(record: dict[str, Any]) -> Trial:
    """Return the trial that :func:`as_record` wrote."""
    measured = [Measured(**(label | {"losses": tuple(label["losses"])})) for label in record["measured"]]
    return Trial(record["outputs"], record["regularizer_weight"], tuple(measured))
