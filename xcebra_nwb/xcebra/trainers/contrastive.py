"""Contrastive training of an ensemble, whose members share every step.

Seeds and nulls are members. They never interact: each has its own weights, random generator and labels, the optimiser
works element by element, and the loss is the sum over members. So a member comes out as if it had been trained alone.
Shapes: M members, K objectives, B samples of a batch, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.device.batches import DEVICE_STEPS_A_DRAW, draw_seeds, draws_on
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.trainers.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.trainers.optimize import STEPS_A_DRAW, Draw, Options, ToDevice, Trained, optimize
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint
from xcebra_nwb.xcebra.trainers.stepper import Batch

TEST_BATCHES = 32  # batches over which a held-out loss is averaged


def train(
    inputs: EncoderInput,
    shape: Architecture,
    blocks: Sequence[Block],
    samples: Sequence[Samples],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    resume: ResumePoint | None = None,
    units: Sequence[int] = (),
) -> Trained:
    """Train an ensemble, one member for each generator.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        blocks: Block of latents of each objective.
        samples: Samples of each member.
        generators: Random generator of each member.
        options: How to train.
        progress: Called with the number of steps done since its last call.
        resume: Where to resume, and the hook that may save a checkpoint.
        units: Number of units that each member reads, the first ones; empty: all (see :func:`.encoder.initialize`).

    Returns:
        The trained ensemble; its losses are in nats.
    """
    layers = encoder.initialize(shape, list(generators), inputs.device, units)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        bins, direction = batch
        return objective_losses(inputs, shape, layers, blocks, bins, options.contrast, direction, penalised)

    weights = [block.weight for block in blocks]
    draw, steps_a_draw, to_device = _draws(samples, blocks, generators, options.batch_size, inputs.device)
    return optimize(layers, draw, losses_of, weights, options, steps_a_draw, progress, generators, resume, to_device)


def draws_itself(device: torch.device) -> bool:
    """Return whether batches are drawn on ``device``.

    A GPU trains on more batches than the CPU can draw.
    """
    return device.type == "cuda"


def _draws(
    samples: Sequence[Samples],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    device: torch.device,
) -> tuple[Draw, int, ToDevice | None]:
    """What :func:`.optimize` takes as ``draw``, ``steps_a_draw`` and ``to_device``."""
    if not draws_itself(device):
        return partial(draw_batches, samples, blocks, generators, size), STEPS_A_DRAW, None
    bins, references, rules = zip(*((member.bins, member.references, member.rules) for member in samples), strict=True)
    draw_there = draws_on(device, bins, references, rules, [block.last - block.first for block in blocks], size)
    return lambda steps: (draw_seeds(generators),), DEVICE_STEPS_A_DRAW, lambda drawn: draw_there(drawn[0].tolist())


def objective_losses(
    inputs: EncoderInput,
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    batch: Tensor,
    contrast: Contrast,
    direction: Tensor,
    penalised: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the losses of one batch and its Jacobian penalty.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        batch: Bins (M, 2 + K, B) of the references, the negatives and each objective's positives.
        contrast: How latents are compared.
        direction: Random directions (M, B, sum of the widths): a unit vector times the root of its width for each
            block.
        penalised: Whether the penalty counts.

    Returns:
        Losses (M, K), and the penalty (M,) or None.
    """
    latents, pre_activations = encode_batch(inputs, shape, layers, batch)
    reference, negative, *positives = latents.unbind(dim=1)
    losses = []
    for block, positive in zip(blocks, positives, strict=True):
        r, p, n = (contrast.prepare(z[..., block.first : block.last]) for z in (reference, positive, negative))
        losses.append(contrastive_loss(r, p, n, contrast))
    if not penalised:
        return torch.stack(losses, dim=1), None
    penalty = reference_penalty(shape, layers, blocks, latents, pre_activations, contrast, direction)
    return torch.stack(losses, dim=1), penalty


def encode_batch(
    inputs: EncoderInput, shape: Architecture, layers: list[Layer], batch: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Return the latents of a batch of bins, and the pre-activations of the references, its first role.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        layers: Layers of all members.
        batch: Bins, shape (M, roles, B).

    Returns:
        Latents (M, roles, B, outputs), and the pre-activations (M, B, T', C) by layer.
    """
    members, roles, size = batch.shape
    # The references go through the encoder by themselves, for the penalty needs their pre-activations alone. The
    # gradient of a part of larger arrays would fill the rest with zeros and add them up.
    encoded = [
        encoder.forward(shape, layers, encoder.gather_windows(inputs, bins.reshape(members, -1), shape.window))
        for bins in batch.split((1, roles - 1), dim=1)[:roles]  # the references may be the only role
    ]
    latents = torch.cat([latents for latents, _ in encoded], dim=1)
    return latents.view(members, roles, size, -1), encoded[0][1]


def reference_penalty(
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    latents: Tensor,
    pre_activations: list[Tensor],
    contrast: Contrast,
    direction: Tensor,
) -> Tensor:
    """Return the Jacobian penalty at the references, the first role of a batch.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        latents: Latents (M, roles, B, outputs) from :func:`encode_batch`.
        pre_activations: Pre-activations of the references from :func:`encode_batch`.
        contrast: How latents are compared.
        direction: Random directions (M, B, sum of the widths).

    Returns:
        Penalty, shape (M,).
    """
    return jacobian_penalty(shape, layers, blocks, latents[:, 0], pre_activations, contrast, direction)


def jacobian_penalty(
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    latents: Tensor,
    pre_activations: list[Tensor],
    contrast: Contrast,
    direction: Tensor,
) -> Tensor:
    """Return the Jacobian penalty of every member.

    It is an unbiased estimate of ``sum_k 1/2 mean_b |J_k(x_b)|_F^2`` over the blocks k.

    Each sample has one random projection (Hoffman, Roberts, Yaida 2019, arXiv 1908.02729). The projections of the
    blocks are independent with mean zero, so their sum goes through the encoder once.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        latents: Latents, shape (M, B, outputs).
        pre_activations: Pre-activation of every layer at the same windows.
        contrast: How latents are compared.
        direction: Random directions (M, B, sum of the widths).

    Returns:
        Penalty, shape (M,).
    """
    cotangent = torch.zeros_like(latents)
    start = 0
    for block in blocks:
        width = block.last - block.first
        projection = contrast.pull_back(latents[..., block.first : block.last], direction[..., start : start + width])
        cotangent = cotangent + torch.nn.functional.pad(projection, (block.first, latents.shape[-1] - block.last))
        start += width
    product = encoder.vector_jacobian(shape, layers, pre_activations, cotangent.unsqueeze(2))
    return 0.5 * product.square().sum(dim=(2, 3, 4)).mean(dim=1)


def held_out_losses(
    inputs: EncoderInput,
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    samples: Sequence[Samples],
    generators: Sequence[np.random.Generator],
    options: Options,
    batches: int = TEST_BATCHES,
) -> NDArray[np.float32]:
    """Return the mean loss on held-out samples, in nats.

    Args:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        samples: Held-out samples of each member.
        generators: Random generator of each member.
        options: How the ensemble was trained.
        batches: Number of batches over which the loss is averaged.

    Returns:
        Loss, shape (M, K).
    """
    total = torch.zeros(len(generators), len(blocks), device=inputs.device)
    drawn, directions = draw_batches(samples, blocks, generators, options.batch_size, batches)
    with torch.no_grad():
        for batch, direction in zip(drawn, directions, strict=True):
            bins = torch.as_tensor(batch, device=inputs.device)
            none = torch.as_tensor(direction, device=inputs.device)
            total += objective_losses(inputs, shape, layers, blocks, bins, options.contrast, none, False)[0]
    return (total / batches).cpu().numpy()


def draw_batches(
    samples: Sequence[Samples],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    steps: int,
) -> tuple[Integers, NDArray[np.float32]]:
    """Return batches of training steps, drawn on the CPU.

    Args:
        samples: Samples of each member.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        size: Samples B of a batch.
        steps: Number of steps.

    Returns:
        Bins (step, M, 2 + K, B) of the references, the negatives and each objective's positives, and random directions
        (step, M, B, sum of the widths).
    """
    bins, directions = [], []
    for member_samples, generator in zip(samples, generators, strict=True):
        references, negatives = draw_references(member_samples, size, steps, generator)
        positives = [rule.draw(references, generator) for rule in member_samples.rules]
        bins.append(member_samples.bins[np.stack([references, negatives, *positives], axis=1)])
        directions.append(random_directions(blocks, (steps, size), generator))
    return np.stack(bins, axis=1), np.stack(directions, axis=1)


def draw_references(
    samples: Samples, size: int, steps: int, generator: np.random.Generator
) -> tuple[Integers, Integers]:
    """Return random references and negatives.

    Args:
        samples: Samples of one member.
        size: Samples B of a batch.
        steps: Number of steps.
        generator: Random generator of the member.

    Returns:
        Sample numbers (step, B) of the references, and of the negatives.
    """
    references = samples.references[generator.integers(len(samples.references), size=(steps, size))]
    return references, generator.integers(len(samples.bins), size=(steps, size))


def random_directions(
    blocks: Sequence[Block], shape: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a random direction for every block, side by side.

    Args:
        blocks: Block of latents of each objective.
        shape: Number of steps and samples of a batch, (step, B).
        generator: Random generator of the member.

    Returns:
        Unit vectors times the root of their block's width, shape (step, B, sum of the widths).

    >>> blocks = [Block("position", 0, 2), Block("speed", 2, 3)]
    >>> directions = random_directions(blocks, (4, 5), np.random.default_rng(0))
    >>> directions.shape, round(float(np.square(directions[0, 0, :2]).sum()), 3)
    ((4, 5, 3), 2.0)
    """
    parts = []
    for block in blocks:
        vector = generator.standard_normal((*shape, block.last - block.first), dtype=np.float32)
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        parts.append(vector * np.float32(np.sqrt(vector.shape[-1])) / np.maximum(length, 1e-12))
    return np.concatenate(parts, axis=-1)
