"""The likelihood of activity: Gaussian for rates, Poisson for spike counts.

The Gaussian is for fluorescence too. A generator gives one number for each unit and bin, the *predictor*: the mean in
standard deviations, or the logarithm of the rate over the mean rate. A predictor of 0 is the mean-rate model.
Shapes: M members, B bins, D units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from xcebra_nwb.xcebra.inputs import Rows

ROWS = 4096  # of the activity that are summed together


class Likelihood(Protocol):
    """The likelihood by which a generator is fitted."""

    @property
    def noise(self) -> Tensor:
        """The standard deviation (D,) of the loss's slope at a predictor of 0."""

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return minus the log-likelihood in nats, up to a constant.

        Args:
            predictor: Predictor, shape (M, B, D).
            activity: Activity, shape (M, B, D).
        """

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return the deviance: twice the log-likelihood missing to a perfect model.

        Args:
            predictor: Predictor, shape (M, B, D).
            activity: Activity, shape (M, B, D).
        """


@dataclass(frozen=True)
class Gaussian:
    """Activity with a mean (D,) and a standard deviation (D,)."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, activity: Tensor | Rows) -> Gaussian:
        """Return the mean-rate model of ``activity`` (bin, D).

        A unit without variance gets a standard deviation of 1.

        >>> Gaussian.of(torch.tensor([[1.0], [3.0]]))
        Gaussian(mean=tensor([2.]), deviation=tensor([1.]))
        """
        mean = _mean(activity)
        squares = [(part - mean).square().sum(dim=0) for part in activity.split(ROWS)]
        deviation = (torch.stack(squares).sum(dim=0) / len(activity)).sqrt()
        return cls(mean, deviation.where(deviation > 0, 1.0))

    @property
    def noise(self) -> Tensor:
        """The standard deviation (D,) of the loss's slope: 1 for every unit."""
        return torch.ones_like(self.deviation)

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return minus the log-likelihood (M, B, D) in nats, up to a constant."""
        return 0.5 * self.deviance(predictor, activity)

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return the squared error (M, B, D) in standard deviations."""
        return ((activity - self.mean) / self.deviation - predictor).square()


@dataclass(frozen=True)
class Poisson:
    """Counts with a mean (D,) in each bin; the rate is the mean times exp(predictor)."""

    mean: Tensor

    @classmethod
    def of(cls, counts: Tensor | Rows) -> Poisson:
        """Return the mean-rate model of ``counts`` (bin, D).

        A unit that never fired gets half a spike in all.
        """
        return cls(_mean(counts).clamp_min(0.5 / len(counts)))

    @property
    def noise(self) -> Tensor:
        """The standard deviation (D,) of the loss's slope: the root of the mean count."""
        return self.mean.sqrt()

    def loss(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return minus the log-likelihood (M, B, D) in nats, up to a constant."""
        return self.mean * predictor.exp() - activity * predictor

    def deviance(self, predictor: Tensor, activity: Tensor) -> Tensor:
        """Return the deviance (M, B, D) of the counts."""
        rate = self.mean * predictor.exp()
        surprise: Tensor = torch.special.xlogy(activity, activity / rate)
        return 2 * (surprise - activity + rate)


def _mean(activity: Tensor | Rows) -> Tensor:
    """The mean (D,) over bins."""
    return torch.stack([part.sum(dim=0) for part in activity.split(ROWS)]).sum(dim=0) / len(activity)
