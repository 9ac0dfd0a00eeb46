"""A generator of the activity from the latents, x = g(z), with a sparse Jacobian.

The Jacobian shows which unit depends on which latents. Its support is identifiable when it is the sparsest that
explains the data (Diverse Dictionary Learning: Zheng et al., ICLR 2026, arXiv 2604.17568). Latents inside a block are
identified only up to a linear map, so here a block counts as a whole. Its latents are whitened, and the penalty is the
root of the mean square of a unit's derivatives over a block's latents and the bins (a group lasso over blocks and
units), which no rotation of the whitened block changes.
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

PENALISED = 4  # the penalty uses one in so many samples of a batch
SMALLEST_VARIANCE = 1e-6  # share of a block's largest variance: whitening does not enlarge smaller ones further
SMALLEST_SLOPE = 1e-12  # added to a mean square before its root, whose slope at 0 is unbounded

Groups = Sequence[Sequence[int]]  # the latents of each block


@dataclass(frozen=True)
class Options:
    """How to fit generators; see ``attribution.generator`` of the config.

    Attributes:
        weight: Weight of the sparsity penalty.
        steps: Number of steps.
        batch_size: Samples of a batch.
        learning_rate: Learning rate of Adam.
        hidden: Number of units of the two hidden layers.
    """

    weight: float
    steps: int
    batch_size: int
    learning_rate: float
    hidden: int


@dataclass(frozen=True)
class Generator:
    """The generators of an ensemble: whitening, then a network with two hidden layers.

    Attributes:
        centre: Mean of the latents, shape (M, 1, K).
        whitening: Whitening map, shape (M, K, K).
        shape: Architecture of the network.
        layers: Layers of all members.
    """

    centre: Tensor
    whitening: Tensor
    shape: Architecture
    layers: list[Layer]

    def predictor(self, latents: Tensor) -> Tensor:
        """Return the predictor (M, B, D) at ``latents`` (M, B, K); see :mod:`.likelihood`."""
        return self._forward(latents)[0]

    def jacobian(self, latents: Tensor) -> Tensor:
        """Return the derivatives of the predictor in the whitened latents.

        Args:
            latents: Latents, shape (M, B, K).

        Returns:
            Derivatives, shape (M, B, K, D).
        """
        return jacobian(self.layers, self._forward(latents)[1])

    def _forward(self, latents: Tensor) -> tuple[Tensor, list[Tensor]]:
        whitened = (latents - self.centre) @ self.whitening
        return encoder.forward(self.shape, self.layers, whitened.unsqueeze(2))


def whiten(latents: Tensor, groups: Groups) -> tuple[Tensor, Tensor]:
    """Return the centre of latents and the map that whitens each group of them.

    The map is symmetric (the inverse root of the group's covariance), so whitened latents stay close to the original
    ones.

    Args:
        latents: Latents, shape (M, S, K).
        groups: Latents of each group.

    Returns:
        Mean (M, 1, K) and map (M, K, K).
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
    """Fit generators of the activity, one for each random generator.

    The loss is minus the log-likelihood, summed over units and averaged over samples, in nats, plus ``options.weight``
    times :func:`sparsity`.

    Args:
        latents: Latents, shape (M, S, K).
        activity: Activity, shape (S, D).
        groups: Latents of each block.
        likelihood: Likelihood of the activity.
        generators: Random generator of each member.
        options: How to fit.
        progress: Called with the number of steps done since its last call.

    Returns:
        The fitted generators.
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
    """Return the exact derivatives of a network's outputs, a column for each input.

    Args:
        layers: Layers of an encoder of one bin.
        pre_activations: Pre-activation of every layer, (M, B, 1, width).

    Returns:
        Derivatives, shape (M, B, K, D).
    """
    columns = layers[0][0].unsqueeze(1)  # (M, 1, K, width)
    for (weight, _), pre in zip(layers[1:], pre_activations, strict=False):  # the last layer is linear
        columns = columns * encoder.gelu_derivative(pre)
        members, batch, latents, width = columns.shape
        columns = torch.bmm(columns.reshape(members, batch * latents, width), weight).view(members, batch, latents, -1)
    return columns


def sparsity(jacobian: Tensor, groups: Groups, noise: Tensor) -> Tensor:
    """Return the sparsity penalty: the support of the Jacobian, over groups and units.

    A unit counts in proportion to its noise, because the slope that a generator fits to no dependence is proportional
    to it. So one weight is equally strict with units that fire often and units that fire rarely.

    Args:
        jacobian: Derivatives, shape (M, B, K, D).
        groups: Latents of each block.
        noise: Noise of each unit, shape (D,).

    Returns:
        Penalty, shape (M,).
    """
    by_latent = jacobian.square().mean(dim=1).unbind(dim=1)  # an index that is a list would be copied from the host
    support = torch.stack([torch.stack([by_latent[latent] for latent in group]).sum(dim=0) for group in groups])
    return (noise * (support + SMALLEST_SLOPE).sqrt()).sum(dim=(0, 2))
