"""Training of a stack, whatever its losses: Adam, a schedule, batches drawn ahead, snapshots and the curve.

Shapes: S steps, M members, K losses.
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

from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.loss_curve import LossCurve
from xcebra_nwb.xcebra.trainers.operations import Precision, fused, products
from xcebra_nwb.xcebra.trainers.snapshot import (
    ResumePoint,
    Snapshot,
    generator_states,
    leaf_arrays,
    restore_generators,
    restore_leaves,
)
from xcebra_nwb.xcebra.trainers.stepper import LossesOf, RecordedStepper, Stepper

STEPS_A_DRAW = 16  # steps whose batches are drawn together, ahead of their use; part of what a seed means
LEAST_RECORDED = 100  # steps for which it is worth to record one
Draw = Callable[[int], tuple[NDArray, ...]]  # by a number of steps
ToDevice = Callable[[tuple[NDArray, ...]], tuple[Tensor, ...]]  # from what was drawn to the batches on the device


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
    precision: Precision = "float32"  # of the encoders' products on a card
    compiled: bool = False  # whether the operations of a step are fused


@dataclass(frozen=True)
class Trained:
    """A trained stack and its history."""

    layers: list[Layer]
    step: Integers  # (record,) last step of each record
    loss: NDArray[np.float32]  # (M, K, record) mean over the steps since the record before, nats, not weighted
    regularizer_weight: Floats  # (record,)


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


def optimize(
    layers: Sequence[Layer],
    draw: Draw,
    losses_of: LossesOf,
    weights: Sequence[float],
    options: Options,
    steps_a_draw: int,
    progress: Callable[[int], None],
    generators: Sequence[np.random.Generator],
    resume: ResumePoint | None = None,
    to_device: ToDevice | None = None,
) -> Trained:
    """Take ``options.steps`` steps of Adam on ``layers``, in place, and return them and their history.

    Args:
        draw: returns the batches of that many steps: arrays whose first axis is the step; or what ``place`` takes.
        losses_of: from one step's arrays, and whether the Jacobian penalty counts, to the losses (M, ..., K) and the
            penalty (M,).
        weights: factor of each of the K losses in what is minimised; what is returned is not weighted.
        steps_a_draw: steps whose batches are drawn together.
        generators: all that ``draw`` draws from.
        resume: where to resume, and the hook that may save a checkpoint after every draw; the result has the same bits.
        place: makes the batches, on the device, of what ``draw`` drew; None: copies of it. It is called between two
            steps and must not wait for the device.
    """
    leaves = [leaf.requires_grad_() for layer in layers for leaf in layer]
    device = leaves[0].device
    recorded = device.type == "cuda" and options.steps >= LEAST_RECORDED
    minimised = fused(losses_of) if options.compiled else losses_of
    stepper = (RecordedStepper if recorded else Stepper)(leaves, minimised, torch.tensor(weights, device=device))
    penalties = [regularizer_weight(step, options) for step in range(options.steps)]
    rates = [learning_rate(step, options) for step in range(options.steps)]
    curve, resume, step = LossCurve(penalties), resume or ResumePoint(), 0
    if resume.start is not None:
        step = resume.start.step
        restore_leaves(leaves, stepper.optimizer, resume.start)
        restore_generators(generators, resume.start)
        curve.restore(step, resume.start.arrays, device)
    to_device = to_device or partial(_copies, device)
    for batches, states in _prefetched(
        draw, generators, range(step, options.steps, steps_a_draw), options.steps, to_device
    ):
        chunk = slice(step, step + len(batches[0]))
        with products(options.precision):
            taken = stepper.take(batches, rates[chunk], penalties[chunk])
        for losses in taken:
            curve.add(losses)
        step = chunk.stop
        progress(len(batches[0]))
        resume.on_checkpoint(step, partial(_snapshot, step, leaves, stepper.optimizer, curve, states))
    return Trained([(weight.detach(), bias.detach()) for weight, bias in layers], *curve.result())


def _snapshot(
    step: int,
    leaves: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    curve: LossCurve,
    states: Sequence[Mapping[str, Any]],
) -> Snapshot:
    return Snapshot(step, leaf_arrays(leaves, optimizer) | curve.arrays(), states)


def _prefetched(
    draw: Draw,
    generators: Sequence[np.random.Generator],
    starts: range,
    steps: int,
    to_device: ToDevice,
) -> Iterator[tuple[tuple[Tensor, ...], list[Mapping[str, Any]]]]:
    """Yield the batches of the steps from each of ``starts`` on, and the state in which they left the generators.

    Each chunk is drawn one chunk ahead in a thread of its own, and placed on the device when its turn comes.
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
            yield tuple(part[:size] for part in to_device(arrays)), states


def _copies(device: torch.device, arrays: tuple[NDArray, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.as_tensor(array).to(device, non_blocking=True) for array in arrays)
