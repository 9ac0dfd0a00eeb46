"""The support of a generator: which units depend on which latents.

The encoders stay as they are. A generator of the activity is fitted to the latents of each (:mod:`.generator`). The
contribution of a latent to a unit at a bin is the derivative of the generator's predictor in the whitened latent: the
mean in standard deviations, or the logarithm of the rate.
Shapes: M members, B bins, K latents, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xcebra_nwb.xcebra.inputs import EncoderInput, Rows
from xcebra_nwb.xcebra.maps import generator
from xcebra_nwb.xcebra.maps.generator import Generator, Options
from xcebra_nwb.xcebra.maps.likelihood import Gaussian, Likelihood, Poisson
from xcebra_nwb.xcebra.maps.model import Model, partition
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers

METHOD = "generator_support"
ELEMENTS = 4_000_000  # of the Jacobians held at once


@dataclass(frozen=True)
class Observed:
    """The activity that generators explain, and the bins of fit and test.

    Attributes:
        activity: Activity (time, D) as it was recorded, neither smoothed nor standardised.
        counts: Whether it is counts of spikes (Poisson); else it is Gaussian.
        train: Bins at which generators are fitted.
        held_out: Bins at which they are tested.
        generators: Random generator of each member.
        options: How to fit.
    """

    activity: EncoderInput
    counts: bool
    train: Integers
    held_out: Integers
    generators: Sequence[np.random.Generator]
    options: Options


@dataclass(frozen=True)
class Fitted:
    """The fitted generators of an ensemble.

    Attributes:
        model: The trained ensemble.
        generator: Its generators.
        deviance_explained: Share of the deviance explained at the held-out bins, shape (M, D); 0 is the mean rate and 1
            is perfect.
    """

    model: Model
    generator: Generator
    deviance_explained: Floats


def fit(
    model: Model,
    observed: Observed,
    generators: Sequence[np.random.Generator],
    progress: Callable[[int], None] = lambda bins: None,
) -> Fitted:
    """Fit a generator for every member.

    Args:
        model: The trained ensemble.
        observed: Activity to explain.
        generators: Random generator of each member.
        progress: Called with the number of bins done since its last call; :func:`work` in all.
    """
    train = torch.as_tensor(observed.train, device=observed.activity.device)
    activity, options = Rows(observed.activity, train), observed.options
    likelihood = Poisson.of(activity) if observed.counts else Gaussian.of(activity)
    fitted = generator.fit(
        model.embed(observed.train),
        activity,
        partition(model.labels, model.shape.outputs),
        likelihood,
        generators,
        options,
        lambda steps: progress(steps * options.batch_size),
    )
    return Fitted(model, fitted, _deviance_explained(model, fitted, likelihood, observed))


def work(options: Options) -> int:
    """Return the number of bins that :func:`fit` goes through."""
    return options.steps * options.batch_size


def values(fitted: Fitted, bins: Integers) -> Iterator[Tensor]:
    """Yield the derivatives (M, B, K, 1, D) of every unit's predictor, chunk by chunk."""
    model = fitted.model
    for chunk in _chunks(bins, model.members * model.shape.outputs * model.shape.units):
        with torch.no_grad():
            yield fitted.generator.jacobian(model.embed(chunk)).unsqueeze(3)


def _deviance_explained(model: Model, fitted: Generator, likelihood: Likelihood, observed: Observed) -> Floats:
    """The share of the mean-rate model's deviance that the generators explain at held-out bins."""
    left = torch.zeros(model.members, model.shape.units, dtype=torch.float64)
    whole = torch.zeros(model.shape.units, dtype=torch.float64)
    for chunk in _chunks(observed.held_out, model.members * model.shape.units):
        activity = observed.activity.index_select(0, torch.as_tensor(chunk, device=observed.activity.device))
        with torch.no_grad():
            predictor = fitted.predictor(model.embed(chunk))
        left += likelihood.deviance(predictor, activity).double().sum(dim=1).cpu()
        whole += likelihood.deviance(torch.zeros_like(activity), activity).double().sum(dim=0).cpu()
    explained: Floats = (1 - left / whole.where(whole > 0, torch.nan)).numpy()
    return explained


def _chunks(bins: Integers, elements_a_bin: int) -> Iterator[Integers]:
    size = max(1, ELEMENTS // elements_a_bin)
    for start in range(0, len(bins), size):
        yield bins[start : start + size]
