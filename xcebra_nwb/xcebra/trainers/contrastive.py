"""Training of a stack of encoders: seeds and nulls are members of one model and share every step.

Members never interact: each has its own weights, its own random generator and its own labels, the optimiser works
element by element, and the loss is the sum over members. A member comes out as if it had been trained alone.
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

TEST_BATCHES = 32  # over which a held-out loss is the mean


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
    """Train one member per generator on its own ``samples`` of ``inputs`` (time, D) and return the stack.

    ``progress`` is called with the number of steps done since its last call. ``units``: by member, how many of the D
    it sees, the first ones, if not all (see :func:`.encoder.initialize`).
    """
    layers = encoder.initialize(shape, list(generators), inputs.device, units)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        bins, direction = batch
        return objective_losses(inputs, shape, layers, blocks, bins, options.contrast, direction, penalised)

    weights = [block.weight for block in blocks]
    draw, steps_a_draw, to_device = _draws(samples, blocks, generators, options.batch_size, inputs.device)
    return optimize(layers, draw, losses_of, weights, options, steps_a_draw, progress, generators, resume, to_device)


def draws_itself(device: torch.device) -> bool:
    """Whether batches are drawn on ``device``: a card takes more of them than a processor can draw."""
    return device.type == "cuda"


def _draws(
    samples: Sequence[Samples],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    device: torch.device,
) -> tuple[Draw, int, ToDevice | None]:
    """Return what :func:`.optimize` takes as ``draw``, ``steps_a_draw`` and ``place``."""
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
    """Return the losses (M, K) and, if ``penalised``, the Jacobian penalty (M,) of one batch.

    Args:
        batch: (M, 2 + K, B) bins of the references, the negatives and each objective's positives; one encoder pass.
        direction: (M, B, sum of block widths) random directions, a unit vector times the root of its width per block.
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
    """Return the latents (M, roles, B, outputs) of the bins ``batch`` (M, roles, B), and every pre-activation."""
    members, roles, size = batch.shape
    windows = encoder.gather_windows(inputs, batch.reshape(members, roles * size), shape.window)
    latents, pre_activations = encoder.forward(shape, layers, windows)
    return latents.view(members, roles, size, -1), pre_activations


def reference_penalty(
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    latents: Tensor,
    pre_activations: list[Tensor],
    contrast: Contrast,
    direction: Tensor,
) -> Tensor:
    """Return the Jacobian penalty (M,) at the references, the first role of what :func:`encode_batch` returned."""
    references = [p[:, : latents.shape[2]] for p in pre_activations]
    return jacobian_penalty(shape, layers, blocks, latents[:, 0], references, contrast, direction)


def jacobian_penalty(
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    latents: Tensor,
    pre_activations: list[Tensor],
    contrast: Contrast,
    direction: Tensor,
) -> Tensor:
    """Return an unbiased estimate (M,) of ``sum_k 1/2 mean_b |J_k(x_b)|_F^2`` over the blocks k.

    One random projection per sample (Hoffman, Roberts, Yaida 2019, arXiv 1908.02729). The projections of the blocks
    are independent with mean zero, so that their sum goes through the encoder once.
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
    """Return the mean loss (M, K) of ``batches`` batches drawn from samples that trained nothing, in nats."""
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
    """Return ``steps`` batches of bins (step, M, 2 + K, B) and of random directions (step, M, B, widths)."""
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
    """Return sample numbers (step, B) of references and of negatives."""
    references = samples.references[generator.integers(len(samples.references), size=(steps, size))]
    return references, generator.integers(len(samples.bins), size=(steps, size))


def random_directions(
    blocks: Sequence[Block], shape: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a unit vector times the root of its width for every block, side by side: (step, B, widths)."""
    parts = []
    for block in blocks:
        vector = generator.standard_normal((*shape, block.last - block.first), dtype=np.float32)
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        parts.append(vector * np.float32(np.sqrt(vector.shape[-1])) / np.maximum(length, 1e-12))
    return np.concatenate(parts, axis=-1)
