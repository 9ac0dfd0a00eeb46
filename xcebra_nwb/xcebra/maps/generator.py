"""A generator on the learnt latents, x = g(z), whose Jacobian is kept sparse: which unit depends on which latents.

That the support of a generator's Jacobian is identifiable when it is the sparsest that explains the data is the result
of Diverse Dictionary Learning (Zheng et al., ICLR 2026, arXiv 2604.17568). Latents inside a block are identified only
up to a linear map, so here a block counts as a whole: its latents are whitened, and the penalty is the root of the mean
square of a unit's derivatives over a block's latents and the bins (a group lasso over blocks and units), which no
rotation of the whitened block changes.
Shapes: M members, S samples, B samples of a batch, K latents, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.inputs import Rows
from xcebra_nwb.xcebra.maps.likelihood import Likelihood
from xcebra_nwb.xcebra.trainers import optimize
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.optimize import STEPS_A_DRAW
from xcebra_nwb.xcebra.trainers.stepper import Batch

PENALISED = 4  # one in so many samples of a batch has its Jacobian taken
SMALLEST_VARIANCE = 1e-6  # of a block's largest: a direction with less is not blown up further by whitening
SMALLEST_SLOPE = 1e-12  # added to a mean square before its root is taken, whose slope at 0 has no bound

Groups = Sequence[Sequence[int]]  # the latents of each block


@dataclass(frozen=True)
class Options:
    """How to fit; see ``attribution.generator`` of the config."""

    weight: float
    steps: int
    batch_size: int
    learning_rate: float
    hidden: int


@dataclass(frozen=True)
class Generator:
    """The generators of a stack: whitening (M, 1, K) and (M, K, K), then a network with two hidden layers."""

    centre: Tensor
    whitening: Tensor
    shape: Architecture
    layers: list[Layer]

    def predictor(self, latents: Tensor) -> Tensor:
        """Return what the generators say (M, B, D) at ``latents`` (M, B, K); see :mod:`.likelihood`."""
        return self._forward(latents)[0]

    def jacobian(self, latents: Tensor) -> Tensor:
        """Return the derivatives (M, B, K, D) of the predictor in the whitened latents, at ``latents`` (M, B, K)."""
        return jacobian(self.layers, self._forward(latents)[1])

    def _forward(self, latents: Tensor) -> tuple[Tensor, list[Tensor]]:
        whitened = (latents - self.centre) @ self.whitening
        return encoder.forward(self.shape, self.layers, whitened.unsqueeze(2))


def whiten(latents: Tensor, groups: Groups) -> tuple[Tensor, Tensor]:
    """Return the mean (M, 1, K) of ``latents`` (M, S, K) and the map (M, K, K) that makes each group white.

    The map is symmetric (the inverse root of the group's covariance), so that whitened latents stay near their own.
    """
    centre = latents.mean(dim=1, keepdim=True)
    whitening = torch.zeros(len(latents), latents.shape[2], latents.shape[2], dtype=torch.float64)
    for group in groups:
        part = (latents - centre)[..., list(group)].double().cpu()
        values, vectors = torch.linalg.eigh(part.mT @ part / latents.shape[1])
        values = values.clamp_min(SMALLEST_VARIANCE * values[:, -1:])
        inverse_root = (vectors / values.sqrt().unsqueeze(-2)) @ vectors.mT
        rows, columns = np.ix_(list(group), list(group))
        whitening[:, rows, columns] = inverse_root
    return centre, whitening.to(latents)


def fit(
    latents: Tensor,
    activity: Tensor | Rows,
    groups: Groups,
    likelihood: Likelihood,
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
) -> Generator:
    """Return the generators, one per random generator, fitted to ``activity`` (S, D) at ``latents`` (M, S, K).

    The loss is minus the log-likelihood summed over units, mean over samples, in nats, plus ``options.weight`` times
    :func:`sparsity`. ``progress`` is called with the number of steps done since its last call.
    """
    centre, whitening = whiten(latents, groups)
    whitened = (latents - centre) @ whitening
    shape = Architecture(latents.shape[2], options.hidden, activity.shape[1], (1, 1, 1), (False, False, False))
    layers = encoder.initialize(shape, list(generators), latents.device)
    member = torch.arange(len(latents), device=latents.device).unsqueeze(1)

    def draw(steps: int) -> tuple[NDArray, ...]:
        size = (steps, options.batch_size)
        return (np.stack([g.integers(len(activity), size=size) for g in generators], axis=1),)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        (samples,) = batch  # (M, B)
        predictor, pre_activations = encoder.forward(shape, layers, whitened[member, samples].unsqueeze(2))
        loss = likelihood.loss(predictor, activity[samples]).sum(dim=2).mean(dim=1, keepdim=True)
        if not penalised:
            return loss, None
        penalised_part = [pre[:, : max(1, options.batch_size // PENALISED)] for pre in pre_activations]
        return loss, sparsity(jacobian(layers, penalised_part), groups, likelihood.noise)

    schedule = optimize.Options(
        options.steps, options.batch_size, options.learning_rate, Contrast(), options.weight, (0.0, 0.0)
    )
    trained = optimize.optimize(layers, draw, losses_of, [1.0], schedule, STEPS_A_DRAW, progress, generators)
    return Generator(centre, whitening, shape, trained.layers)


def jacobian(layers: Sequence[Layer], pre_activations: Sequence[Tensor]) -> Tensor:
    """Return the derivatives (M, B, K, D) of a network's outputs, exact, a column for each of its few inputs.

    Args:
        layers: of an encoder of one bin.
        pre_activations: of every layer, (M, B, 1, width).
    """
    columns = layers[0][0].unsqueeze(1)  # (M, 1, K, width)
    for (weight, _), pre in zip(layers[1:], pre_activations, strict=False):  # the last layer is linear
        columns = columns * encoder.gelu_derivative(pre)
        members, batch, latents, width = columns.shape
        columns = torch.bmm(columns.reshape(members, batch * latents, width), weight).view(members, batch, latents, -1)
    return columns


def sparsity(jacobian: Tensor, groups: Groups, noise: Tensor) -> Tensor:
    """Return the penalty (M,): the support of ``jacobian`` (M, B, K, D), summed over groups and units.

    A unit counts in proportion to its ``noise`` (D,): the slope that a generator sees where there is none is as large,
    so that one weight asks the same of units that fire often and of units that fire rarely.
    """
    by_latent = jacobian.square().mean(dim=1).unbind(dim=1)  # a list of latents as an index would be read from the host
    support = torch.stack([torch.stack([by_latent[latent] for latent in group]).sum(dim=0) for group in groups])
    return (noise * (support + SMALLEST_SLOPE).sqrt()).sum(dim=(0, 2))
