"""From the config and the labels of a session to the blocks of latents and their rules."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xcebra_nwb import targets
from xcebra_nwb.config import Config, Objective, Training
from xcebra_nwb.errors import UsageError
from xcebra_nwb.session import label_axes, labels
from xcebra_nwb.xcebra.loss import Contrast

LARGEST_CLASS_BLOCK = 4  # latents for a discrete label with many classes
FREE_LATENTS = 2  # for what no label explains; more of them learn the labels again, and the blocks leak
MOST_LATENTS = 8  # unless the labels' blocks need more


def resolve(config: Config, session: xr.Dataset) -> tuple[list[Objective], int]:
    """Return the objectives and the number of latents.

    ``auto`` gives time all latents and every label a block of its own: one latent more than its intrinsic dimension
    (position 3, an angle 3, a scalar 2), for a discrete label one fewer than its classes, at most 4. Beside the blocks
    there are ``encoder.outputs`` less what the blocks need, or by itself two more latents, up to eight in all, for what
    no label explains. A supervised encoder has a block for every label, as wide as its targets, and nothing else.

    Raises:
        UsageError: an objective names a label that the session does not have, whose kind its rule cannot read, or that
            its block cannot equal (supervised).
    """
    supervised = config.training.loss == "supervised"
    if config.objectives == "auto":
        return targets.automatic(session) if supervised else _automatic(config, session)
    assert not isinstance(config.objectives, str)
    for objective in config.objectives:
        _check(objective, session)
    if supervised:
        targets.check(config.objectives, session)
    elif config.training.similarity == "cosine":
        _check_for_cosine([objective for objective in config.objectives if objective.label])
    named = [objective.label for objective in config.objectives if objective.label]
    if len(set(named)) < len(named):
        raise UsageError("objectives: a label has two objectives", "one block a label")
    if not named:
        raise UsageError("objectives: none reads a label, so there is nothing to attribute", "add one with a label")
    return list(config.objectives), _outputs(config, max(objective.outputs[1] for objective in config.objectives), 0)


def contrast(training: Training) -> Contrast:
    """Return how latents are compared: a supervised encoder's as they are."""
    if training.loss == "supervised":
        return Contrast()
    return Contrast(training.similarity, training.temperature, training.denominator)


def _automatic(config: Config, session: xr.Dataset) -> tuple[list[Objective], int]:
    blocks, first = [], 0
    for name, label in labels(session).items():
        last = first + max(block_width(label), 2 if config.training.similarity == "cosine" else 1)
        rule = "discrete" if label.attrs["kind"] == "discrete" else "time_delta"
        blocks.append(Objective(name=name, outputs=(first, last), positive=rule, label=name))
        first = last
    outputs = _outputs(config, first, FREE_LATENTS)
    return [Objective(name="time", outputs=(0, outputs), positive="time"), *blocks], outputs


def _outputs(config: Config, needed: int, free: int) -> int:
    """The number of latents: what the config asks for, else ``free`` more than needed; never fewer than needed."""
    asked = config.encoder.outputs
    return max(needed, min(needed + free, MOST_LATENTS) if asked == "auto" else asked)


def block_width(label: xr.DataArray) -> int:
    """Return how many latents ``auto`` gives a label."""
    kind = label.attrs["kind"]
    if kind == "discrete":
        classes = len(np.unique(label.values[label.values >= 0]))
        return max(1, min(classes - 1, LARGEST_CLASS_BLOCK))
    return 3 if kind == "circular" else label_axes(label) + 1


def _check_for_cosine(objectives: list[Objective]) -> None:
    """Blocks at unit length: one latent would be +-1 and without a gradient, and shared latents have no one length."""
    for number, objective in enumerate(objectives):
        first, last = objective.outputs
        if last - first < 2:
            raise UsageError(
                f"objective {objective.name}: one latent at unit length says nothing", "give it two or more"
            )
        for other in objectives[:number]:
            if first < other.outputs[1] and other.outputs[0] < last:
                raise UsageError(
                    f"objectives {other.name} and {objective.name} share latents, which the cosine cannot bring to "
                    "unit length for both",
                    "give each label latents of its own, or similarity: euclidean",
                )


def _check(objective: Objective, session: xr.Dataset) -> None:
    if objective.label is None:
        return
    found = labels(session)
    if objective.label not in found:
        raise UsageError(f"objective {objective.name}: no label {objective.label}", f"labels: {', '.join(found)}")
    discrete = found[objective.label].attrs["kind"] == "discrete"
    if discrete != (objective.positive == "discrete"):
        needed = "discrete" if discrete else "time_delta"
        raise UsageError(
            f"objective {objective.name}: {objective.positive} positives cannot read the "
            f"{found[objective.label].attrs['kind']} label {objective.label}",
            f"positive: {needed}",
        )
