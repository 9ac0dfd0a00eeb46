"""How a stack is trained, and what comes out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config, Training
from xcebra_nwb.training.design.prepare import Trainee
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.trainers.loss import Contrast, chance_loss
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained


def options(config: Config) -> Options:
    """Return the numeric core's options of a config."""
    t = config.training
    return Options(
        steps=t.steps,
        batch_size=t.batch_size,
        learning_rate=t.learning_rate,
        decay=t.decay,
        contrast=contrast(t),
        regularizer_weight=t.regularizer.weight,
        regularizer_ramp=t.regularizer.ramp,
        precision=t.precision,
        compiled=t.compile,
    )


def contrast(training: Training) -> Contrast:
    """Return how latents are compared: a supervised encoder's as they are."""
    if training.loss == "supervised":
        return Contrast()
    return Contrast(training.similarity, training.temperature, training.denominator)


def one_step(chosen: Options) -> Options:
    """Return the same with a single step, which the penalty is part of: what takes the most memory."""
    return replace(chosen, steps=1, regularizer_ramp=(0.0, 0.0), compiled=False)


@dataclass(frozen=True)
class Fitted:
    """A trained stack, and what its losses are to be compared with."""

    trained: Trained
    held_out: NDArray[np.float32]  # (member, objective) losses on the held-out part
    chance: float  # the loss of an encoder that tells nothing
    units: str  # of the losses
    positive: list[str]  # by objective: the rule for pairs
    attrs: dict[str, Any] = field(default_factory=dict)


def contrasted(trained: Trained, held_out: NDArray[np.float32], ready: Trainee, chosen: Options) -> Fitted:
    """Return a stack that was trained by contrast, with what its losses (member, objective) are compared with."""
    chance = chance_loss(chosen.batch_size, chosen.contrast)
    return Fitted(trained, held_out, chance, "nat", [objective.positive for objective in ready.objectives])


def joined(parts: Sequence[Fitted]) -> Fitted:
    """Return one stack of the members of ``parts``, in their order."""
    trained = [part.trained for part in parts]
    layers = [
        (torch.cat([weight for weight, _ in same]), torch.cat([bias for _, bias in same]))
        for same in zip(*(one.layers for one in trained), strict=True)
    ]
    loss = np.concatenate([one.loss for one in trained])
    held_out = np.concatenate([part.held_out for part in parts])
    return replace(parts[0], trained=replace(trained[0], layers=layers, loss=loss), held_out=held_out)


def space(stacks: Sequence[list[Layer]]) -> str:
    """Return the digest (SHA-256) of the encoders that share one space, in the order of their sessions."""
    digest = hashlib.sha256()
    for layers in stacks:
        for weight, bias in layers:
            digest.update(weight.cpu().numpy().tobytes() + bias.cpu().numpy().tobytes())
    return digest.hexdigest()
