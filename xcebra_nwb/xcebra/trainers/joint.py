"""Joint training: sessions with their own encoders share one latent space.

Each step takes a batch of references and of negatives from every session. The positives of a label are exchanged among
the sessions: the positive of a reference lies in a session drawn at random, at a sample with the target label of the
reference's rule. The negatives of a label are pooled over the sessions. So the label's block means the same in all of
them. Pairs in time and their negatives stay in their session. With a single session, joint training on the CPU gives
the same bits as :func:`~xcebra_nwb.xcebra.trainers.contrastive.train` there; batches are always drawn on the CPU here.
Shapes: S sessions, M members, K objectives, B samples of a batch, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.pairs import LabelRule, PositiveRule
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.trainers.contrastive import (
    TEST_BATCHES,
    draw_references,
    encode_batch,
    random_directions,
    reference_penalty,
)
from xcebra_nwb.xcebra.trainers.loss import Contrast, contrastive_loss
from xcebra_nwb.xcebra.trainers.optimize import STEPS_A_DRAW, Options, Trained, optimize
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint
from xcebra_nwb.xcebra.trainers.stepper import Batch


@dataclass(frozen=True)
class Part:
    """One session of a joint training.

    Attributes:
        inputs: Encoder input (time, D).
        shape: Architecture of the session's width, with the same outputs in all sessions.
        samples: Samples of each member. The rules are those of the same objectives in all sessions, and classes have
            the same numbers.
    """

    inputs: EncoderInput
    shape: Architecture
    samples: Sequence[Samples]


def train_together(
    parts: Sequence[Part],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    resume: ResumePoint | None = None,
) -> list[Trained]:
    """Train ensembles of all sessions in one latent space.

    The result depends on the order of ``parts``. The memory grows with their number by one step of each session.

    Args:
        parts: The sessions.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        options: How to train.
        progress: Called with the number of steps done since its last call.
        resume: Where to resume, and the hook that may save a checkpoint.

    Returns:
        The trained ensemble of each session.
    """
    layers = [encoder.initialize(part.shape, list(generators), part.inputs.device) for part in parts]

    def draw(steps: int) -> tuple[NDArray, ...]:
        return draw_together([part.samples for part in parts], blocks, generators, options.batch_size, steps)

    def losses_of(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        return joint_losses(parts, layers, blocks, batch, options.contrast, penalised)

    all_layers = [layer for session_layers in layers for layer in session_layers]
    weights = [block.weight for block in blocks]
    trained = optimize(
        all_layers, draw, losses_of, weights, options, _share_of(STEPS_A_DRAW, parts), progress, generators, resume
    )
    ends = np.cumsum([len(session_layers) for session_layers in layers])
    return [
        replace(trained, layers=trained.layers[end - len(session_layers) : end], loss=trained.loss[:, number])
        for number, (session_layers, end) in enumerate(zip(layers, ends, strict=True))
    ]


def held_out_losses_together(
    parts: Sequence[Part],
    layers: Sequence[list[Layer]],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
) -> NDArray[np.float32]:
    """Return the mean loss of every session on held-out samples, in nats.

    Args:
        parts: The sessions, with held-out samples.
        layers: Layers of each session.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        options: How the sessions were trained.

    Returns:
        Loss, shape (S, M, K).
    """
    total = torch.zeros(len(generators), len(parts), len(blocks), device=parts[0].inputs.device)
    samples, size, steps = [part.samples for part in parts], options.batch_size, _share_of(TEST_BATCHES, parts)
    draws = TEST_BATCHES // steps
    with torch.no_grad():
        for _ in range(draws):
            for arrays in zip(*draw_together(samples, blocks, generators, size, steps), strict=True):
                batch = tuple(torch.as_tensor(array, device=total.device) for array in arrays)
                total += joint_losses(parts, layers, blocks, batch, options.contrast, False)[0]
    return (total / (draws * steps)).transpose(0, 1).cpu().numpy()


def joint_losses(
    parts: Sequence[Part],
    layers: Sequence[list[Layer]],
    blocks: Sequence[Block],
    batch: Batch,
    contrast: Contrast,
    penalised: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the losses of one step and its Jacobian penalty.

    Args:
        parts: The sessions.
        layers: Layers of each session.
        blocks: Block of latents of each objective.
        batch: One step of the arrays of :func:`draw_together`.
        contrast: How latents are compared.
        penalised: Whether the penalty counts.

    Returns:
        Losses (M, S, K), and the penalty (M,) summed over sessions, or None.
    """
    bins, directions, slots = batch
    by_session = zip(parts, layers, bins, strict=True)
    encoded = [encode_batch(part.inputs, part.shape, weights, batch_bins) for part, weights, batch_bins in by_session]
    roles = [latents.unbind(dim=1) for latents, _ in encoded]  # S of 2 + K of (M, B, outputs)
    losses = []
    for number, block in enumerate(blocks):
        by_label = isinstance(parts[0].samples[0].rules[number], LabelRule)
        block_roles = [[z[role][..., block.first : block.last] for role in (0, 1, 2 + number)] for z in roles]
        losses.append(exchanged_losses(block_roles, slots[:, :, number], contrast, pooled=by_label))
    session_losses = torch.stack(losses, dim=2)
    if not penalised:
        return session_losses, None
    penalties = [
        reference_penalty(part.shape, session_layers, blocks, z, pre, contrast, direction)
        for part, session_layers, (z, pre), direction in zip(parts, layers, encoded, directions, strict=True)
    ]
    return session_losses, torch.stack(penalties).sum(dim=0)


def exchanged_losses(latents: Sequence[Sequence[Tensor]], slots: Tensor, contrast: Contrast, pooled: bool) -> Tensor:
    """Return the losses of one objective in every session.

    Args:
        latents: Latents of every session's references, negatives and positives, (M, B, width of the block) each.
        slots: Number of each reference's positive, counted over the positives of all sessions, shape (S, M, B).
        contrast: How latents are compared.
        pooled: Whether the negatives come from all sessions in equal parts, or from the reference's session alone.

    Returns:
        Losses, shape (M, S).
    """
    prepared = ([contrast.prepare(z) for z in session] for session in latents)
    references, negatives, positives = zip(*prepared, strict=True)
    everyones = torch.cat(positives, dim=1)  # (M, S * B, k)
    parts = shares(slots.shape[-1], len(latents))
    everywhere = torch.cat([z[:, :n] for z, n in zip(negatives, parts, strict=True)], dim=1)
    losses = []
    for reference, negative, slot in zip(references, negatives, slots, strict=True):
        positive = everyones.take_along_dim(slot.unsqueeze(-1), dim=1)
        losses.append(contrastive_loss(reference, positive, everywhere if pooled else negative, contrast))
    return torch.stack(losses, dim=1)


def draw_together(
    samples: Sequence[Sequence[Samples]],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    size: int,
    steps: int,
) -> tuple[Integers, NDArray[np.float32], Integers]:
    """Return batches of training steps of every session.

    Args:
        samples: Samples of each session and member.
        blocks: Block of latents of each objective.
        generators: Random generator of each member.
        size: Samples B of a batch.
        steps: Number of steps.

    Returns:
        Bins (step, S, M, 2 + K, B) of the references, the negatives and the positives that lie in the session; random
        directions (step, S, M, B, sum of the widths); slots (step, S, M, K, B), the number of each reference's
        positive, counted over the positives of all sessions.
    """
    bins, directions, slots = [], [], []
    for sessions, generator in zip(zip(*samples, strict=True), generators, strict=True):
        drawn = [draw_references(session, size, steps, generator) for session in sessions]
        references, negatives = (np.stack(part) for part in zip(*drawn, strict=True))  # (S, step, B) each
        paired = [
            exchanged([session.rules[number] for session in sessions], references, generator)
            for number in range(len(blocks))
        ]
        numbers = np.stack([references, negatives, *(positives for positives, _ in paired)], axis=2)
        bins.append(np.stack([session.bins[n] for session, n in zip(sessions, numbers, strict=True)], axis=1))
        slots.append(np.stack([slot for _, slot in paired], axis=2).swapaxes(0, 1))  # (step, S, K, B)
        directions.append(np.stack([random_directions(blocks, (steps, size), generator) for _ in sessions], axis=1))
    return np.stack(bins, axis=2), np.stack(directions, axis=2), np.stack(slots, axis=2)


def exchanged(
    rules: Sequence[PositiveRule], references: Integers, generator: np.random.Generator
) -> tuple[Integers, Integers]:
    """Return the positives in every session, and which of them each reference has.

    A reference whose label does not occur in every session keeps its positive in its session.

    Args:
        rules: Rule of one objective in every session.
        references: Sample numbers, shape (S, step, B).
        generator: Random generator of the member.

    Returns:
        Sample numbers (S, step, B) of the positives, and the slot (S, step, B) of each reference among them.
    """
    sessions, steps, size = references.shape
    by_label = [rule for rule in rules if isinstance(rule, LabelRule)]
    if not by_label:
        in_place = np.arange(sessions * size).reshape(sessions, 1, size).repeat(steps, axis=1)
        drawn = [rule.draw(numbers, generator) for rule, numbers in zip(rules, references, strict=True)]
        return np.stack(drawn), in_place
    by_session = zip(by_label, references, strict=True)
    targets = np.concatenate([rule.target_labels(numbers, generator) for rule, numbers in by_session], axis=1)
    everywhere = np.logical_and.reduce([rule.has_samples(targets) for rule in by_label])  # (step, S * B)
    slot = shuffled_slots(everywhere, generator) if sessions > 1 else np.arange(size)[None].repeat(steps, axis=0)
    exchanged_targets = np.empty_like(targets)
    exchanged_targets[np.arange(steps)[:, None], slot] = targets
    targets_here = zip(by_label, np.split(exchanged_targets, sessions, axis=1), strict=True)
    positives = [rule.matching_samples(labels, generator) for rule, labels in targets_here]
    return np.stack(positives), slot.reshape(steps, sessions, size).swapaxes(0, 1)


def shuffled_slots(free: NDArray[np.bool_], generator: np.random.Generator) -> Integers:
    """Return a random permutation of the free slots of every row; other slots stay.

    Args:
        free: Whether each slot may move, shape (row, slot).
        generator: Random generator of the member.

    Returns:
        Slots, shape (row, slot).

    >>> shuffled_slots(np.array([[True, False, True]]), np.random.default_rng(0)).tolist()
    [[2, 1, 0]]
    """
    key = np.where(free, generator.random(free.shape), np.inf)
    slot = np.empty(free.shape, dtype=np.int64)
    np.put_along_axis(slot, np.argsort(~free, axis=1, kind="stable"), np.argsort(key, axis=1, kind="stable"), axis=1)
    return slot


def shares(size: int, sessions: int) -> list[int]:
    """Return how many of ``size`` pooled negatives come from each session.

    >>> shares(8, 3)
    [3, 3, 2]
    """
    return [size // sessions + (number < size % sessions) for number in range(sessions)]


def _share_of(steps: int, parts: Sequence[Part]) -> int:
    """The steps that are drawn at once; the memory of a draw does not grow with the sessions."""
    return max(1, steps // len(parts))
