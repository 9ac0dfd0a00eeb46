"""The support of a generator as an attribution method: which units' activity depends on which of the learnt latents.

The encoders stay as they are; on the latents of each a generator of the activity is fitted (:mod:`.generator`). What a
unit owes to a latent at a bin is the derivative of the generator's predictor in the whitened latent: the mean in
standard deviations, or the logarithm of the rate. Shapes: M members, B bins, K latents, D units.
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
    """What the generators explain, where they are fitted and where they are tested."""

    activity: EncoderInput  # (time, D) as it was recorded: not smoothed, not standardised
    counts: bool  # of spikes, and so Poisson; else Gaussian
    train: Integers  # bins
    held_out: Integers  # bins
    generators: Sequence[np.random.Generator]  # by member of the stack
    options: Options


@dataclass(frozen=True)
class Fitted:
    """The generators of a stack."""

    model: Model
    generator: Generator
    deviance_explained: Floats  # (M, D) of the held-out bins; 0: no better than the mean rate, 1: perfect


def fit(
    model: Model,
    observed: Observed,
    generators: Sequence[np.random.Generator],
    progress: Callable[[int], None] = lambda bins: None,
) -> Fitted:
    """Fit a generator for every member of ``model``; ``progress`` is called with the bins done, :func:`work` in all."""
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
    """Return how many bins :func:`fit` goes through."""
    return options.steps * options.batch_size


def values(fitted: Fitted, bins: Integers) -> Iterator[Tensor]:
    """Yield the derivatives (M, B, K, 1, D) of every unit's predictor at ``bins``, chunk by chunk."""
    model = fitted.model
    for chunk in _chunks(bins, model.members * model.shape.outputs * model.shape.units):
        with torch.no_grad():
            yield fitted.generator.jacobian(model.embed(chunk)).unsqueeze(3)


def _deviance_explained(model: Model, fitted: Generator, likelihood: Likelihood, observed: Observed) -> Floats:
    """The share of the mean-rate model's deviance that the generators explain, in bins that fitted nothing."""
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
