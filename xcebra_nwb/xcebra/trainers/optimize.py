"""The training loop: an optimiser, a schedule, batches drawn ahead, and snapshots.

Shapes: S steps, M members, K losses.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.trainers.adam import Adam
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.loss_curve import LossCurve
from xcebra_nwb.xcebra.trainers.muon import Muon
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

STEPS_A_DRAW = 16  # steps whose batches are drawn together, ahead of their use; other numbers draw other batches
OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "muon": Muon}
LEAST_RECORDED = 100  # fewer steps are not worth a recording
Draw = Callable[[int], tuple[NDArray, ...]]  # called with a number of steps
ToDevice = Callable[[tuple[NDArray, ...]], tuple[Tensor, ...]]  # from drawn arrays to batches on the device


@dataclass(frozen=True)
class Options:
    """How to train; the config explains each option.

    Attributes:
        steps: Number of steps.
        batch_size: Samples of a batch.
        learning_rate: Learning rate at the start.
        contrast: How latents are compared.
        regularizer_weight: Largest weight of the Jacobian penalty.
        regularizer_ramp: Shares of the steps at which the weight starts to rise and reaches its maximum.
        decay: Share of the steps after which the learning rate falls.
        optimizer: How a step is made of the gradients.
        precision: Precision of the encoders' products on a GPU.
        compiled: Whether a compiler fuses the operations of a step.
    """

    steps: int
    batch_size: int
    learning_rate: float
    contrast: Contrast
    regularizer_weight: float
    regularizer_ramp: tuple[float, float]
    decay: float = 1.0
    optimizer: Literal["adam", "muon"] = "adam"
    precision: Precision = "float32"
    compiled: bool = False


@dataclass(frozen=True)
class Trained:
    """A trained ensemble and its history.

    Attributes:
        layers: Layers of all members.
        step: Last step of each record, shape (record,).
        loss: Mean loss over the steps since the record before, in nats and not weighted, shape (M, K, record).
        regularizer_weight: Weight of the penalty at each record, shape (record,).
    """

    layers: list[Layer]
    step: Integers
    loss: NDArray[np.float32]
    regularizer_weight: Floats


def regularizer_weight(step: int, options: Options) -> float:
    """Return the weight of the Jacobian penalty at a step.

    It is 0 at first, then rises linearly, then stays at its maximum.

    >>> options = Options(100, 512, 3e-4, Contrast(), 0.1, (0.5, 0.75))
    >>> [round(regularizer_weight(step, options), 3) for step in (0, 50, 60, 80)]
    [0.0, 0.0, 0.04, 0.1]
    """
    start, full = (share * options.steps for share in options.regularizer_ramp)
    if step < start:
        return 0.0
    if step >= full:
        return options.regularizer_weight
    return options.regularizer_weight * (step - start) / (full - start)


def learning_rate(step: int, options: Options) -> float:
    """Return the learning rate at a step.

    It is constant at first, then falls along half a cosine to 0 at the last step.

    >>> options = Options(100, 512, 0.001, Contrast(), 0.1, (0.5, 0.75), decay=0.5)
    >>> [round(learning_rate(step, options), 6) for step in (0, 50, 75)]
    [0.001, 0.001, 0.0005]
    """
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
    """Train layers in place.

    Args:
        layers: Layers to train, which are changed.
        draw: Returns the batches of a number of steps: arrays whose first axis is the step, or the input of
            ``to_device``.
        losses_of: From the arrays of one step, and whether the Jacobian penalty counts, to the losses (M, ..., K) and
            the penalty (M,) or None.
        weights: Factor of each of the K losses in the sum that is minimised; the returned losses are not weighted.
        options: How to train.
        steps_a_draw: Number of steps whose batches are drawn together.
        progress: Called with the number of steps done since its last call.
        generators: All generators that ``draw`` draws from.
        resume: Where to resume, and the hook that may save a checkpoint after every draw. A training that is resumed
            gives the same bits.
        to_device: Makes batches on the device of what was drawn; None copies them. It is called between two steps and
            must not wait for the device.

    Returns:
        The layers and their history.
    """
    leaves = [leaf.requires_grad_() for layer in layers for leaf in layer]
    device = leaves[0].device
    recorded = device.type == "cuda" and options.steps >= LEAST_RECORDED
    minimised = fused(losses_of) if options.compiled else losses_of
    kind, factors = OPTIMIZERS[options.optimizer], torch.tensor(weights, device=device)
    stepper = (RecordedStepper if recorded else Stepper)(leaves, minimised, factors, optimizer=kind)
    penalties = [regularizer_weight(step, options) for step in range(options.steps)]
    rates = [learning_rate(step, options) for step in range(options.steps)]
    curve, resume, step = LossCurve(penalties), resume or ResumePoint(), 0
    if resume.start is not None:
        step = resume.start.step
        restore_leaves(stepper.optimizer, resume.start)
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
        resume.on_checkpoint(step, partial(_snapshot, step, stepper.optimizer, curve, states))
    return Trained([(weight.detach(), bias.detach()) for weight, bias in layers], *curve.result())


def _snapshot(
    step: int,
    optimizer: Adam,
    curve: LossCurve,
    states: Sequence[Mapping[str, Any]],
) -> Snapshot:
    return Snapshot(step, leaf_arrays(optimizer) | curve.arrays(), states)


def _prefetched(
    draw: Draw,
    generators: Sequence[np.random.Generator],
    starts: range,
    steps: int,
    to_device: ToDevice,
) -> Iterator[tuple[tuple[Tensor, ...], list[Mapping[str, Any]]]]:
    """The batches of the steps from each of ``starts`` on, and the states of the generators after their draw.

    Each chunk is drawn in a thread, one chunk ahead, and moved to the device when its turn comes.
    """

    def drawn_chunk() -> tuple[tuple[NDArray, ...], list[Mapping[str, Any]]]:
        # A whole chunk is always drawn, so that the first steps do not depend on the number of steps.
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
