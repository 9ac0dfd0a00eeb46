"""The supervised baseline: the same encoders, trained to predict the labels.

The loss is the mean squared error, with or without the Jacobian penalty, as in the paper's comparison (Schneider et
al., AISTATS 2025, arXiv 2502.12977).
Shapes: M members, K objectives, B samples of a batch, S samples, W targets of all blocks side by side, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.samples import Block, Targets
from xcebra_nwb.xcebra.trainers.contrastive import encode_batch, random_directions, reference_penalty
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.optimize import STEPS_A_DRAW, Options, Trained, optimize
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint
from xcebra_nwb.xcebra.trainers.stepper import Batch

CHANCE = 1.0  # the loss of an encoder that always predicts the mean: targets have a mean variance of 1
AS_IT_IS = Contrast()  # blocks are compared with their targets as they are, not at unit length


def train(
    inputs: EncoderInput,
    shape: Architecture,
    blocks: Sequence[Block],
    targets: Sequence[Targets],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    resume: ResumePoint | None = None,
    units: Sequence[int] = (),
) -> Trained:
    """Train an ensemble to predict targets, one member for each generator.

    The blocks are side by side, each as wide as its targets.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        blocks: Block of latents of each objective.
        targets: Targets of each member.
        generators: Random generator of each member.
        options: How to train.
        progress: Called with the number of steps done since its last call.
        resume: Where to resume, and the hook that may save a checkpoint.
        units: Number of units that each member reads, the first ones; empty: all (see :func:`.encoder.initialize`).

    Returns:
        The trained ensemble; its losses are mean squared errors over a block's latents.
    """
    layers = encoder.initialize(shape, list(generators), inputs.device, units)

    def draw(steps: int) -> tuple[NDArray, ...]:
        return draw_batches(targets, blocks, generators, options.batch_size, steps)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        bins, wanted, direction = batch
        latents, pre_activations = encode_batch(inputs, shape, layers, bins)
        losses = squared_errors(latents[:, 0], wanted, blocks)
        if not penalised:
            return losses, None
        return losses, reference_penalty(shape, layers, blocks, latents, pre_activations, AS_IT_IS, direction)

    return optimize(
        layers,
        draw,
        losses_of,
        [block.weight for block in blocks],
        options,
        STEPS_A_DRAW,
        progress,
        generators,
        resume,
    )


def squared_errors(latents: Tensor, wanted: Tensor, blocks: Sequence[Block]) -> Tensor:
    """Return the mean squared error of each block.

    Args:
        latents: Latents, shape (M, B, outputs).
        wanted: Targets, shape (M, B, W).
        blocks: Block of latents of each objective.

    Returns:
        Mean squared error, shape (M, K).
    """
    errors, start = [], 0
    for block in blocks:
        width = block.last - block.first
        difference = latents[..., block.first : block.last] - wanted[..., start : start + width]
        errors.append(difference.square().mean(dim=(1, 2)))
        start += width
    return torch.stack(errors, dim=1)


def held_out_losses(
    inputs: EncoderInput, shape: Architecture, layers: list[Layer], blocks: Sequence[Block], targets: Sequence[Targets]
) -> NDArray[np.float32]:
    """Return the mean squared error over held-out samples.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        targets: Held-out targets of each member, at the same bins for all members.

    Returns:
        Mean squared error, shape (M, K).
    """
    latents = torch.as_tensor(encoder.embed(shape, layers, inputs, targets[0].bins))
    errors = squared_errors(latents, torch.as_tensor(np.stack([member.values for member in targets])), blocks)
    return errors.numpy().astype(np.float32)


def draw_batches(
    targets: Sequence[Targets],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    steps: int,
) -> tuple[Integers, NDArray[np.float32], NDArray[np.float32]]:
    """Return batches of training steps.

    Args:
        targets: Targets of each member.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        size: Samples B of a batch.
        steps: Number of steps.

    Returns:
        Bins (step, M, 1, B), targets (step, M, B, W) and random directions (step, M, B, W).
    """
    bins, wanted, directions = [], [], []
    for member_targets, generator in zip(targets, generators, strict=True):
        numbers = generator.integers(len(member_targets.bins), size=(steps, size))
        bins.append(member_targets.bins[numbers][:, None])
        wanted.append(member_targets.values[numbers])
        directions.append(random_directions(blocks, (steps, size), generator))
    return np.stack(bins, axis=1), np.stack(wanted, axis=1), np.stack(directions, axis=1)
