"""Training of a stack of encoders: seeds and nulls are members of one model and share every step.

Members never interact: each has its own weights, its own random generator and its own labels, the optimiser works
element by element, and the loss is the sum over members. A member comes out as if it had been trained alone.
Shapes: M members, K objectives, B samples of a batch, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.encoder import Architecture, Layer
from xcebra_nwb.xcebra.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.pairs import Integers, PositiveRule

STEPS_A_DRAW = 16  # steps whose batches are drawn together, ahead of their use; part of what a seed means
RECORDS = 250  # points of the loss curve


@dataclass(frozen=True)
class Block:
    """An objective's share of the latents: ``first`` to ``last`` (exclusive)."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Options:
    """How to train; see the config for the meaning of each."""

    steps: int
    batch_size: int
    learning_rate: float
    contrast: Contrast
    regularizer_weight: float
    regularizer_ramp: tuple[float, float]


@dataclass(frozen=True)
class Samples:
    """The samples that a stack is trained or tested on."""

    bins: Integers  # (sample,) the bin of each
    references: Integers  # sample numbers that may be references: those with a positive in every objective
    rules: Sequence[Sequence[PositiveRule]]  # by member, by objective


@dataclass(frozen=True)
class Trained:
    """A trained stack and its history."""

    layers: list[Layer]
    step: NDArray[np.int64]  # (record,) last step of each record
    loss: NDArray[np.float32]  # (M, K, record) mean over the steps since the record before, nats
    regularizer_weight: NDArray[np.float64]  # (record,)


def regularizer_weight(step: int, options: Options) -> float:
    """Return the weight of the Jacobian penalty at ``step``: 0, then a linear ramp, then its maximum."""
    start, full = (share * options.steps for share in options.regularizer_ramp)
    if step < start:
        return 0.0
    if step >= full:
        return options.regularizer_weight
    return options.regularizer_weight * (step - start) / (full - start)


def train(
    inputs: Tensor,
    shape: Architecture,
    blocks: Sequence[Block],
    samples: Samples,
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
) -> Trained:
    """Train one member per generator on ``inputs`` (time, D) and return the stack.

    ``progress`` is called with the number of steps done since its last call.
    """
    layers = encoder.initialize(shape, list(generators), inputs.device)
    leaves = [leaf.requires_grad_() for layer in layers for leaf in layer]
    optimizer = torch.optim.Adam(leaves, lr=options.learning_rate, fused=inputs.device.type in {"cpu", "cuda"})
    recorder = _Recorder(len(generators), len(blocks), options, inputs.device)
    step = 0
    for batches, directions in _prefetched(samples, blocks, generators, options, inputs.device):
        for batch, direction in zip(batches, directions, strict=True):
            optimizer.zero_grad(set_to_none=True)
            weight = regularizer_weight(step, options)
            losses, penalty = objective_losses(
                inputs, shape, layers, blocks, batch, options.contrast, direction, weight
            )
            total = losses.sum()
            if penalty is not None:
                total = total + weight * penalty.sum()
            total.backward()
            optimizer.step()
            step += 1
            recorder.add(step, losses.detach(), weight)
        progress(len(batches))
    return Trained([(w.detach(), b.detach()) for w, b in layers], *recorder.result())


def objective_losses(
    inputs: Tensor,
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    batch: Tensor,
    contrast: Contrast,
    direction: Tensor,
    weight: float,
) -> tuple[Tensor, Tensor | None]:
    """Return the losses (M, K) and, if ``weight`` is not 0, the Jacobian penalty (M,) of one batch.

    Args:
        batch: (M, 2 + K, B) bins of the references, the negatives and each objective's positives; one encoder pass.
        direction: (M, B, sum of block widths) random directions, a unit vector times the root of its width per block.
    """
    members, roles, size = batch.shape
    windows = encoder.gather_windows(inputs, batch.reshape(members, roles * size), shape.window)
    latents, pre_activations = encoder.forward(shape, layers, windows)
    latents = latents.view(members, roles, size, -1)
    losses = []
    for number, block in enumerate(blocks):
        reference, negative, positive = (
            contrast.prepare(latents[:, role, :, block.first : block.last]) for role in (0, 1, 2 + number)
        )
        losses.append(contrastive_loss(reference, positive, negative, contrast))
    if weight == 0:
        return torch.stack(losses, dim=1), None
    reference_pre = [p[:, :size] for p in pre_activations]
    penalty = jacobian_penalty(shape, layers, blocks, latents[:, 0], reference_pre, contrast, direction)
    return torch.stack(losses, dim=1), penalty


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
    product = encoder.vector_jacobian(shape, layers, pre_activations, cotangent)
    return 0.5 * product.square().sum(dim=(2, 3)).mean(dim=1)


def held_out_losses(
    inputs: Tensor,
    shape: Architecture,
    layers: list[Layer],
    blocks: Sequence[Block],
    samples: Samples,
    generators: Sequence[np.random.Generator],
    options: Options,
    batches: int = 32,
) -> NDArray[np.float32]:
    """Return the mean loss (M, K) of ``batches`` batches drawn from samples that trained nothing, in nats."""
    total = torch.zeros(len(generators), len(blocks), device=inputs.device)
    drawn, directions = draw_batches(samples, blocks, generators, options.batch_size, batches)
    with torch.no_grad():
        for batch, direction in zip(drawn, directions, strict=True):
            bins = torch.as_tensor(batch, device=inputs.device)
            none = torch.as_tensor(direction, device=inputs.device)
            total += objective_losses(inputs, shape, layers, blocks, bins, options.contrast, none, 0.0)[0]
    return (total / batches).cpu().numpy()


def draw_batches(
    samples: Samples, blocks: Sequence[Block], generators: Sequence[np.random.Generator], size: int, steps: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ``steps`` batches of bins (step, M, 2 + K, B) and of random directions (step, M, B, widths)."""
    bins, directions = [], []
    for rules, generator in zip(samples.rules, generators, strict=True):
        references = samples.references[generator.integers(len(samples.references), size=(steps, size))]
        negatives = generator.integers(len(samples.bins), size=(steps, size))
        positives = [rule.draw(references, generator) for rule in rules]
        bins.append(samples.bins[np.stack([references, negatives, *positives], axis=1)])
        directions.append(_random_directions(blocks, (steps, size), generator))
    return np.stack(bins, axis=1), np.stack(directions, axis=1)


def _random_directions(
    blocks: Sequence[Block], shape: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a unit vector times the root of its width for every block, side by side: (step, B, widths)."""
    parts = []
    for block in blocks:
        vector = generator.standard_normal((*shape, block.last - block.first), dtype=np.float32)
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        parts.append(vector * np.float32(np.sqrt(vector.shape[-1])) / np.maximum(length, 1e-12))
    return np.concatenate(parts, axis=-1)


def _prefetched(
    samples: Samples,
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches and directions for all steps, drawn one chunk ahead in a thread of its own."""
    chunks = [min(STEPS_A_DRAW, options.steps - start) for start in range(0, options.steps, STEPS_A_DRAW)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        # A whole chunk is always drawn, so that the first steps do not depend on the number of steps asked for.
        drawn = pool.submit(draw_batches, samples, blocks, generators, options.batch_size, STEPS_A_DRAW)
        for number, steps in enumerate(chunks):
            bins, directions = drawn.result()
            if number + 1 < len(chunks):
                drawn = pool.submit(draw_batches, samples, blocks, generators, options.batch_size, STEPS_A_DRAW)
            yield (
                torch.as_tensor(bins[:steps]).to(device, non_blocking=True),
                torch.as_tensor(directions[:steps]).to(device, non_blocking=True),
            )


class _Recorder:
    """The loss curve, kept on the device until the end."""

    def __init__(self, members: int, objectives: int, options: Options, device: torch.device) -> None:
        self._every = max(1, options.steps // RECORDS)
        self._last = options.steps
        self._sum = torch.zeros(members, objectives, device=device)
        self._count = 0
        self._records: list[tuple[int, Tensor, float]] = []

    def add(self, step: int, losses: Tensor, weight: float) -> None:
        self._sum += losses
        self._count += 1
        if step % self._every == 0 or step == self._last:
            self._records.append((step, self._sum / self._count, weight))
            self._sum = torch.zeros_like(self._sum)
            self._count = 0

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
        step, loss, weight = zip(*self._records, strict=True)
        return np.array(step), torch.stack(loss, dim=-1).cpu().numpy(), np.array(weight, dtype=np.float64)
