"""Alignment of a session to reference sessions whose latents stay as they are.

The encoder of the new session is trained on frozen latents. Its references are pulled to frozen samples with their
target label, and pushed from frozen samples of all reference sessions. Pairs in time and their negatives stay in the
session, as in :mod:`xcebra_nwb.xcebra.trainers.joint`. Every member is aligned to the same member of the references.
Shapes: M members, K objectives, B samples of a batch, R reference sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.pairs import LabelRule, PositiveRule
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.contrastive import (
    TEST_BATCHES,
    draw_references,
    encode_batch,
    random_directions,
    reference_penalty,
)
from xcebra_nwb.xcebra.trainers.joint import Part, shares
from xcebra_nwb.xcebra.trainers.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.trainers.optimize import STEPS_A_DRAW, Options, Trained, optimize
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint
from xcebra_nwb.xcebra.trainers.stepper import Batch

AT_HOME = -1  # instead of a frozen sample: no reference session has the label, so the positive is in the session


@dataclass(frozen=True)
class Frozen:
    """The latents of a reference session, and the rules that look up labels in it.

    Attributes:
        latents: Latents, shape (M, sample, outputs).
        rules: Rule of each member and objective, with the labels on which the member was trained.
    """

    latents: Tensor
    rules: Sequence[Sequence[PositiveRule]]


def train_aligned(
    part: Part,
    references: Sequence[Frozen],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    resume: ResumePoint | None = None,
) -> Trained:
    """Train an ensemble of one session on the latents of reference sessions.

    Args:
        part: The session.
        references: The reference sessions.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        options: How to train.
        progress: Called with the number of steps done since its last call.
        resume: Where to resume, and the hook that may save a checkpoint.

    Returns:
        The trained ensemble.
    """
    layers = encoder.initialize(part.shape, list(generators), part.inputs.device)
    frozen = torch.cat([reference.latents for reference in references], dim=1)

    def draw(steps: int) -> tuple[NDArray, ...]:
        return draw_aligned(part, references, blocks, generators, options.batch_size, steps)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        return aligned_losses(part, frozen, layers, blocks, batch, options.contrast, penalised)

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


def held_out_losses_aligned(
    part: Part,
    references: Sequence[Frozen],
    layers: list[Layer],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
) -> NDArray[np.float32]:
    """Return the mean loss on held-out samples, in nats.

    Args:
        part: The session, with held-out samples.
        references: The reference sessions.
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        options: How the session was trained.

    Returns:
        Loss, shape (M, K).
    """
    frozen = torch.cat([reference.latents for reference in references], dim=1)
    total = torch.zeros(len(generators), len(blocks), device=frozen.device)
    drawn = draw_aligned(part, references, blocks, generators, options.batch_size, TEST_BATCHES)
    with torch.no_grad():
        for arrays in zip(*drawn, strict=True):
            batch = tuple(torch.as_tensor(array, device=frozen.device) for array in arrays)
            total += aligned_losses(part, frozen, layers, blocks, batch, options.contrast, False)[0]
    return (total / TEST_BATCHES).cpu().numpy()


def aligned_losses(
    part: Part,
    frozen: Tensor,
    layers: list[Layer],
    blocks: Sequence[Block],
    batch: Batch,
    contrast: Contrast,
    penalised: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the losses of one batch and its Jacobian penalty.

    Args:
        part: The session.
        frozen: Latents of all reference sessions one after the other, shape (M, sample, outputs).
        layers: Layers of all members.
        blocks: Block of latents of each objective.
        batch: One step of the arrays of :func:`draw_aligned`.
        contrast: How latents are compared.
        penalised: Whether the penalty counts.

    Returns:
        Losses (M, K), and the penalty (M,) or None.
    """
    bins, directions, positives, negatives = batch
    latents, pre_activations = encode_batch(part.inputs, part.shape, layers, bins)
    pooled = frozen.take_along_dim(negatives.unsqueeze(-1), dim=1)
    losses = []
    for number, block in enumerate(blocks):
        columns, shared = slice(block.first, block.last), isinstance(part.samples[0].rules[number], LabelRule)
        sample = positives[:, number].unsqueeze(-1)  # (M, B, 1)
        frozen_positive = frozen[..., columns].take_along_dim(sample.clamp_min(0), dim=1)
        positive = torch.where(sample == AT_HOME, latents[:, 2 + number, :, columns], frozen_positive)
        negative = pooled[..., columns] if shared else latents[:, 1, :, columns]
        reference, positive, negative = map(contrast.prepare, (latents[:, 0, :, columns], positive, negative))
        losses.append(contrastive_loss(reference, positive, negative, contrast))
    if not penalised:
        return torch.stack(losses, dim=1), None
    penalty = reference_penalty(part.shape, layers, blocks, latents, pre_activations, contrast, directions)
    return torch.stack(losses, dim=1), penalty


def draw_aligned(
    part: Part,
    references: Sequence[Frozen],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    steps: int,
) -> tuple[Integers, NDArray[np.float32], Integers, Integers]:
    """Return batches of training steps: the session's bins and frozen samples.

    Args:
        part: The session.
        references: The reference sessions.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        size: Samples B of a batch.
        steps: Number of steps.

    Returns:
        Bins (step, M, 2 + K, B) of references, negatives and the session's own positives; random directions (step, M,
        B, sum of the widths); positives (step, M, K, B), numbers over all reference sessions, or ``AT_HOME``; negatives
        (step, M, B), numbers of the same kind.
    """
    sizes = [reference.latents.shape[1] for reference in references]
    first = np.cumsum([0, *sizes[:-1]])
    bins, directions, positives, negatives = [], [], [], []
    for member, (samples, generator) in enumerate(zip(part.samples, generators, strict=True)):
        home_references, home_negatives = draw_references(samples, size, steps, generator)
        home_positives = [rule.draw(home_references, generator) for rule in samples.rules]
        bins.append(samples.bins[np.stack([home_references, home_negatives, *home_positives], axis=1)])
        directions.append(random_directions(blocks, (steps, size), generator))
        frozen_rules = [[reference.rules[member][number] for reference in references] for number in range(len(blocks))]
        by_rule = zip(samples.rules, frozen_rules, strict=True)
        frozen = [_frozen_positives(rule, others, home_references, first, generator) for rule, others in by_rule]
        positives.append(np.stack(frozen, axis=1))
        negatives.append(_frozen_negatives(sizes, first, (steps, size), generator))
    return (
        np.stack(bins, axis=1),
        np.stack(directions, axis=1),
        np.stack(positives, axis=1),
        np.stack(negatives, axis=1),
    )


def _frozen_positives(
    rule: PositiveRule,
    frozen_rules: Sequence[PositiveRule],
    references: Integers,
    first: Integers,
    generator: np.random.Generator,
) -> Integers:
    """A frozen sample (step, B) with each reference's target label, or ``AT_HOME``."""
    if not isinstance(rule, LabelRule):
        return np.full(references.shape, AT_HOME)
    targets, positives = rule.target_labels(references, generator), np.full(references.shape, AT_HOME)
    by_label = [frozen for frozen in frozen_rules if isinstance(frozen, LabelRule)]
    shape = references.shape
    key = np.stack([np.where(frozen.has_samples(targets), generator.random(shape), -1.0) for frozen in by_label])
    chosen = np.where(key.max(axis=0) < 0, AT_HOME, key.argmax(axis=0))
    for number, frozen in enumerate(by_label):
        drawn_here = chosen == number
        positives[drawn_here] = first[number] + frozen.matching_samples(targets[drawn_here], generator)
    return positives


def _frozen_negatives(
    sizes: Sequence[int], first: Integers, shape: tuple[int, int], generator: np.random.Generator
) -> Integers:
    """Samples (step, B) of the reference sessions, in equal parts."""
    steps, size = shape
    by_session = zip(sizes, first, shares(size, len(sizes)), strict=True)
    drawn = [start + generator.integers(samples, size=(steps, share)) for samples, start, share in by_session]
    return np.concatenate(drawn, axis=1)
