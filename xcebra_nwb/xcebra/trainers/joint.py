"""Training of several sessions together: every session has its own units and its own encoder, the latents are shared.

Every step takes a batch of references and of negatives from every session. A label's positives are exchanged among
the sessions: the positive of a reference in one session lies in a session drawn at random, at the sample whose label
is what the reference's rule asks for; its negatives are pooled over the sessions. So the label's block comes to mean
the same in all of them. Time knows no other session: its pairs and negatives are the session's own. With a single
session this is :func:`~xcebra_nwb.xcebra.trainers.contrastive.train`, bit by bit on the CPU, which draws the batches
here always.
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
    """One session's part in a joint training."""

    inputs: EncoderInput  # (time, D)
    shape: Architecture  # of its own width, with the outputs of all
    samples: Sequence[Samples]  # by member; rules for the same objectives in all sessions; classes are numbered alike


def train_together(
    parts: Sequence[Part],
    blocks: Sequence[Block],
    generators: Sequence[np.random.Generator],
    options: Options,
    progress: Callable[[int], None] = lambda steps: None,
    resume: ResumePoint | None = None,
) -> list[Trained]:
    """Train one member per generator on all sessions and return each session's stack.

    The result depends on the order of ``parts``. Memory grows with their number by what one step of each takes.
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
    """Return every session's mean loss (S, M, K) on samples that trained nothing, in nats."""
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
    """Return the losses (M, S, K) and, if ``penalised``, the Jacobian penalty (M,) summed over sessions.

    ``batch`` holds one step of what :func:`draw_together` returns.
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
    """Return the losses (M, S) of one objective.

    Args:
        latents: of every session's references, negatives and positives, (M, B, width of the block) each.
        slots: (S, M, B), the number over all sessions' positives of the positive of each reference.
        pooled: whether negatives come from all sessions, in equal parts, or from the reference's own.
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
    """Return ``steps`` batches of every session: bins, random directions, and where each reference's positive is.

    Args:
        samples: by session, by member.

    Returns:
        bins (step, S, M, 2 + K, B) of the references, the negatives and the positives that lie in the session;
        directions (step, S, M, B, sum of block widths); slots (step, S, M, K, B): the number, counted over the
        sessions' positives one after the other, of the positive of each reference.
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
    """Return the positives (S, step, B) in every session, and each reference's slot (S, step, B) among them.

    ``rules`` are those of one objective in every session, ``references`` (S, step, B) sample numbers. A reference whose
    label not every session holds keeps its positive in its own session.
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
    """Return in every row of ``free`` (row, slot) a random permutation of the free slots; the others stay in place."""
    key = np.where(free, generator.random(free.shape), np.inf)
    slot = np.empty(free.shape, dtype=np.int64)
    np.put_along_axis(slot, np.argsort(~free, axis=1, kind="stable"), np.argsort(key, axis=1, kind="stable"), axis=1)
    return slot


def shares(size: int, sessions: int) -> list[int]:
    """Return how many of ``size`` pooled negatives come from each session."""
    return [size // sessions + (number < size % sessions) for number in range(sessions)]


def _share_of(steps: int, parts: Sequence[Part]) -> int:
    """So many steps are drawn at once that the memory of a draw does not grow with the sessions."""
    return max(1, steps // len(parts))
