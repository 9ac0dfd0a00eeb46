"""Set the options of a training, and hold the trained members of a session with their losses."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config, Training
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.xcebra.trainers.loss import Contrast, chance_loss
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained


def options(config: Config) -> Options:
    """Return the training options that a config asks for.

    >>> options(Config(training={"steps": 200})).steps
    200
    """
    t = config.training
    return Options(
        steps=t.steps,
        batch_size=t.batch_size,
        learning_rate=t.learning_rate,
        decay=t.decay,
        optimizer=t.optimizer,
        contrast=contrast(t),
        regularizer_weight=t.regularizer.weight,
        regularizer_ramp=t.regularizer.ramp,
        precision=t.precision,
        compiled=t.compile,
    )


def contrast(training: Training) -> Contrast:
    """Return how the loss compares latents; supervised training uses the defaults."""
    if training.loss == "supervised":
        return Contrast()
    return Contrast(training.similarity, training.temperature, training.denominator)


def one_step(chosen: Options) -> Options:
    """Return the options with a single step, the one that takes most memory.

    >>> one_step(options(Config())).steps
    1
    """
    # The step includes the Jacobian penalty, because its gradient takes the most memory.
    return replace(chosen, steps=1, regularizer_ramp=(0.0, 0.0), compiled=False)


@dataclass(frozen=True)
class TrainedEnsemble:
    """The trained members of a session, with held-out losses and the chance level."""

    trained: Trained
    held_out: NDArray[np.float32]  # losses on the held-out part (member, objective)
    chance: float  # the loss of an encoder that carries no information
    units: str  # of the losses
    positive: list[str]  # by objective: the rule for pairs
    attrs: dict[str, Any] = field(default_factory=dict)


def with_chance_level(
    trained: Trained, held_out: NDArray[np.float32], prepared: PreparedSession, chosen: Options
) -> TrainedEnsemble:
    """Return a contrastively trained ensemble with its loss at chance.

    Args:
        trained: encoders and loss curves of the members.
        held_out: losses on the held-out part in nats, shape (member, objective).
        prepared: the session, whose objectives name the rules for pairs.
        chosen: options of the training; batch size and similarity set the loss at chance.
    """
    chance = chance_loss(chosen.batch_size, chosen.contrast)
    return TrainedEnsemble(trained, held_out, chance, "nat", [objective.positive for objective in prepared.objectives])


def concatenate(parts: Sequence[TrainedEnsemble]) -> TrainedEnsemble:
    """Return one ensemble of the members of all parts, in order."""
    trained = [part.trained for part in parts]
    layers = [
        (torch.cat([weight for weight, _ in same]), torch.cat([bias for _, bias in same]))
        for same in zip(*(part.layers for part in trained), strict=True)
    ]
    loss = np.concatenate([part.loss for part in trained])
    held_out = np.concatenate([part.held_out for part in parts])
    return replace(parts[0], trained=replace(trained[0], layers=layers, loss=loss), held_out=held_out)


def space(sessions: Sequence[Sequence[TrainedEnsemble]]) -> str:
    """Return the SHA-256 digest of the encoders that share a latent space.

    Args:
        sessions: by session, its ensemble in parts, in the order of the members.
    """
    digest = hashlib.sha256()
    for parts in sessions:
        for layer in zip(*(part.trained.layers for part in parts), strict=True):
            for tensors in zip(*layer, strict=True):  # the weights of all parts, then their biases
                for tensor in tensors:
                    digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
