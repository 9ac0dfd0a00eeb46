"""How likely the activity is under a generator: Gaussian for rates and fluorescence, Poisson for counts of spikes.

A generator says one number per unit and bin, the *predictor*: the mean in standard deviations, or the logarithm of the
rate over the mean rate. At 0 it is the mean-rate model. Shapes: M members, B bins, D units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from xcebra_nwb.xcebra.inputs import Rows

ROWS = 4096  # of the activity that are looked at together


class Likelihood(Protocol):
    """What a generator is fitted by."""

    @property
    def noise(self) -> Tensor:
        """The standard deviation (D,) of the loss's slope in the predictor, in a bin, where nothing is known."""

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return minus the log-likelihood (M, B, D) of ``activity`` (M, B, D), in nats, but for a constant."""

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return twice what is missing (M, B, D) to the log-likelihood of a model that says the activity itself."""


@dataclass(frozen=True)
class Gaussian:
    """Activity with a mean (D,) and standard deviation (D,)."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, activity: Tensor | Rows) -> Gaussian:
        """Return the mean-rate model of ``activity`` (bin, D); a unit without variance is left as it is."""
        mean = _mean(activity)
        squares = [(part - mean).square().sum(dim=0) for part in activity.split(ROWS)]
        deviation = (torch.stack(squares).sum(dim=0) / len(activity)).sqrt()
        return cls(mean, deviation.where(deviation > 0, 1.0))

    @property
    def noise(self) -> Tensor:
        """See :class:`Likelihood`."""
        return torch.ones_like(self.deviation)

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """See :class:`Likelihood`."""
        return 0.5 * self.deviance(predictor, activity)

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """See :class:`Likelihood`."""
        return ((activity - self.mean) / self.deviation - predictor).square()


@dataclass(frozen=True)
class Poisson:
    """Counts with a mean (D,) per bin; the rate is the mean times the exponential of the predictor."""

    mean: Tensor

    @classmethod
    def of(cls, counts: Tensor | Rows) -> Poisson:
        """Return the mean-rate model of ``counts`` (bin, D); a unit that never fired gets half a spike in all."""
        return cls(_mean(counts).clamp_min(0.5 / len(counts)))

    @property
    def noise(self) -> Tensor:
        """See :class:`Likelihood`."""
        return self.mean.sqrt()

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """See :class:`Likelihood`."""
        return self.mean * predictor.exp() - activity * predictor

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """See :class:`Likelihood`."""
        rate = self.mean * predictor.exp()
        surprise: Tensor = torch.special.xlogy(activity, activity / rate)
        return 2 * (surprise - activity + rate)


def _mean(activity: Tensor | Rows) -> Tensor:
    """The mean (D,) over bins."""
    return torch.stack([part.sum(dim=0) for part in activity.split(ROWS)]).sum(dim=0) / len(activity)
