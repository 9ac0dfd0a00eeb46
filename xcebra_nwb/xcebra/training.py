"""Training of a stack of encoders: seeds and nulls are members of one model and share every step.

Members never interact: each has its own weights, its own random generator and its own labels, the optimiser works
element by element, and the loss is the sum over members. A member comes out as if it had been trained alone.
Shapes: M members, K objectives, B samples of a batch, T bins of a window, D units.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.encoder import Architecture, Layer
from xcebra_nwb.xcebra.groups import Integers
from xcebra_nwb.xcebra.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.pairs import PositiveRule
from xcebra_nwb.xcebra.snapshot import (
    Snapshot,
    Survival,
    generator_states,
    leaf_arrays,
    restore_generators,
    restore_leaves,
)

STEPS_A_DRAW = 16  # steps whose batches are drawn together, ahead of their use; part of what a seed means
TEST_BATCHES = 32  # over which a held-out loss is the mean
RECORDS = 250  # points of the loss curve
Batch = tuple[Tensor, ...]  # the arrays of one step


@dataclass(frozen=True)
class Block:
    """An objective's share of the latents, ``first`` to ``last`` (exclusive), and of what is minimised."""

    name: str
    first: int
    last: int
    weight: float = 1.0  # factor of its contrastive loss; the penalty has a weight of its own


@dataclass(frozen=True)
class Options:
    """How to train; see the config for the meaning of each."""

    steps: int
    batch_size: int
    learning_rate: float
    contrast: Contrast
    regularizer_weight: float
    regularizer_ramp: tuple[float, float]
    decay: float = 1.0  # share of the steps after which the learning rate falls


@dataclass(frozen=True)
class Samples:
    """The samples that a member is trained or tested on; members of one session share its arrays."""

    bins: Integers  # (sample,) the bin of each
    references: Integers  # sample numbers that may be references: those with a positive in every objective
    rules: Sequence[PositiveRule]  # by objective


@dataclass(frozen=True)
class Trained:
    """A trained stack and its history."""

    layers: list[Layer]
    step: NDArray[np.int64]  # (record,) last step of each record
    loss: NDArray[np.float32]  # (M, K, record) mean over the steps since the record before, nats, not weighted
    regularizer_weight: NDArray[np.float64]  # (record,)


def regularizer_weight(step: int, options: Options) -> float:
    """Return the weight of the Jacobian penalty at ``step``: 0, then a linear ramp, then its maximum."""
    start, full = (share * options.steps for share in options.regularizer_ramp)
    if step < start:
        return 0.0
    if step >= full:
        return options.regularizer_weight
    return options.regularizer_weight * (step - start) / (full - start)


def learning_rate(step: int, options: Options) -> float:
    """Return the learning rate at ``step``: constant, then half a cosine down to 0 at the last step."""
    start = options.decay * options.steps
    if step < start:
        return options.learning_rate
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - start) / (options.steps - start)))


def train(
    inputs: Tensor,
    shape: Architecture,
    blocks: Sequence[Block],
    samples: Sequence[Samples],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    survival: Survival | None = None,
) -> Trained:
    """Train one member per generator on its own ``samples`` of ``inputs`` (time, D) and return the stack.

    ``progress`` is called with the number of steps done since its last call.
    """
    layers = encoder.initialize(shape, list(generators), inputs.device)

    def draw(steps: int) -> tuple[NDArray, ...]:
        return draw_batches(samples, blocks, generators, options.batch_size, steps)

    def losses_of(batch: Batch, weight: float) -> tuple[Tensor, Tensor | None]:
        bins, direction = batch
        return objective_losses(inputs, shape, layers, blocks, bins, options.contrast, direction, weight)

    weights = [block.weight for block in blocks]
    return optimize(layers, draw, losses_of, weights, options, STEPS_A_DRAW, progress, generators, survival)


def optimize(
    layers: Sequence[Layer],
    draw: Callable[[int], tuple[NDArray, ...]],
    losses_of: Callable[[Batch, float], tuple[Tensor, Tensor | None]],
    weights: Sequence[float],
    options: Options,
    steps_a_draw: int,
    progress: Callable[[int], None],
    generators: Sequence[np.random.Generator],
    survival: Survival | None = None,
) -> Trained:
    """Take ``options.steps`` steps of Adam on ``layers``, in place, and return them and their history.

    Args:
        draw: returns the batches of that many steps: arrays whose first axis is the step.
        losses_of: from one step's arrays and the weight of the Jacobian penalty to the losses (M, ..., K) and, where
            the weight is not 0, the penalty (M,).
        weights: factor of each of the K losses in what is minimised; what is returned is not weighted.
        steps_a_draw: steps whose batches are drawn together.
        generators: all that ``draw`` draws from.
        survival: where to go on from, and who may keep a snapshot after every draw; the result is the same to the bit.
    """
    leaves = [leaf.requires_grad_() for layer in layers for leaf in layer]
    device = leaves[0].device
    optimizer = torch.optim.Adam(leaves, lr=options.learning_rate, fused=device.type in {"cpu", "cuda"})
    recorder, factors = _Recorder(options), torch.tensor(weights, device=device)
    survival, step = survival or Survival(), 0
    if survival.begun is not None:
        step = survival.begun.step
        restore_leaves(leaves, optimizer, survival.begun)
        restore_generators(generators, survival.begun)
        recorder.restore(survival.begun, device)
    for batches, states in _prefetched(
        draw, generators, range(step, options.steps, steps_a_draw), options.steps, device
    ):
        for batch in zip(*batches, strict=True):
            optimizer.zero_grad(set_to_none=True)
            weight = regularizer_weight(step, options)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, options)
            losses, penalty = losses_of(batch, weight)
            total = (losses * factors).sum()
            if penalty is not None:
                total = total + weight * penalty.sum()
            total.backward()
            optimizer.step()
            step += 1
            recorder.add(step, losses.detach(), weight)
        progress(len(batches[0]))
        survival.offer(step, partial(_snapshot, step, leaves, optimizer, recorder, states))
    return Trained([(weight.detach(), bias.detach()) for weight, bias in layers], *recorder.result())


def _snapshot(
    step: int,
    leaves: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    recorder: _Recorder,
    states: Sequence[Mapping[str, Any]],
) -> Snapshot:
    return Snapshot(step, leaf_arrays(leaves, optimizer) | recorder.arrays(), states)


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
    latents, pre_activations = encode_batch(inputs, shape, layers, batch)
    reference, negative, *positives = latents.unbind(dim=1)
    losses = []
    for block, positive in zip(blocks, positives, strict=True):
        r, p, n = (contrast.prepare(z[..., block.first : block.last]) for z in (reference, positive, negative))
        losses.append(contrastive_loss(r, p, n, contrast))
    if weight == 0:
        return torch.stack(losses, dim=1), None
    penalty = reference_penalty(shape, layers, blocks, latents, pre_activations, contrast, direction)
    return torch.stack(losses, dim=1), penalty


def encode_batch(
    inputs: Tensor, shape: Architecture, layers: list[Layer], batch: Tensor
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
    inputs: Tensor,
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
            total += objective_losses(inputs, shape, layers, blocks, bins, options.contrast, none, 0.0)[0]
    return (total / batches).cpu().numpy()


def draw_batches(
    samples: Sequence[Samples],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    steps: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ``steps`` batches of bins (step, M, 2 + K, B) and of random directions (step, M, B, widths)."""
    bins, directions = [], []
    for own, generator in zip(samples, generators, strict=True):
        references, negatives = draw_references(own, size, steps, generator)
        positives = [rule.draw(references, generator) for rule in own.rules]
        bins.append(own.bins[np.stack([references, negatives, *positives], axis=1)])
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


def _prefetched(
    draw: Callable[[int], tuple[NDArray, ...]],
    generators: Sequence[np.random.Generator],
    starts: range,
    steps: int,
    device: torch.device,
) -> Iterator[tuple[tuple[Tensor, ...], list[Mapping[str, Any]]]]:
    """Yield the batches of the steps from each of ``starts`` on, and the state in which they left the generators.

    Each chunk is drawn one chunk ahead in a thread of its own.
    """

    def drawn_chunk() -> tuple[tuple[NDArray, ...], list[Mapping[str, Any]]]:
        # A whole chunk is always drawn, so that the first steps do not depend on the number of steps asked for.
        return draw(starts.step), generator_states(generators)

    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = deque(pool.submit(drawn_chunk) for _ in starts[:1])
        for start in starts:
            arrays, states = ahead.popleft().result()
            ahead.extend(pool.submit(drawn_chunk) for _ in range(start + starts.step < steps))
            size = min(starts.step, steps - start)
            yield tuple(torch.as_tensor(array[:size]).to(device, non_blocking=True) for array in arrays), states


class _Recorder:
    """The loss curve, kept on the device until the end."""

    def __init__(self, options: Options) -> None:
        self._options, self._every = options, max(1, options.steps // RECORDS)
        self._sum: Tensor | float = 0.0
        self._count = 0
        self._records: list[tuple[int, Tensor, float]] = []

    def add(self, step: int, losses: Tensor, weight: float) -> None:
        self._sum = self._sum + losses
        self._count += 1
        if self._records_at(step):
            self._records.append((step, self._sum / self._count, weight))
            self._sum = 0.0
            self._count = 0

    def arrays(self) -> dict[str, NDArray]:
        """Return what :meth:`restore` needs: the curve so far and the sum since, members first; what there is yet."""
        found = {"loss_sum": self._sum.cpu().numpy().copy()} if isinstance(self._sum, Tensor) else {}
        if self._records:
            found["loss"] = torch.stack([loss for _, loss, _ in self._records], dim=-1).cpu().numpy()
        return found

    def restore(self, snapshot: Snapshot, device: torch.device) -> None:
        """Go on with the curve of a snapshot."""
        options, done = self._options, range(1, snapshot.step + 1)
        steps = [step for step in done if self._records_at(step)]
        curve = torch.tensor(snapshot.arrays["loss"], device=device).unbind(-1) if steps else []
        weights = [regularizer_weight(step - 1, options) for step in steps]
        self._records = list(zip(steps, curve, weights, strict=True))
        self._count = snapshot.step - (steps[-1] if steps else 0)
        if self._count:
            self._sum = torch.tensor(snapshot.arrays["loss_sum"], device=device)

    def _records_at(self, step: int) -> bool:
        return step % self._every == 0 or step == self._options.steps

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
        step, loss, weight = zip(*self._records, strict=True)
        return np.array(step), torch.stack(loss, dim=-1).cpu().numpy(), np.array(weight, dtype=np.float64)
