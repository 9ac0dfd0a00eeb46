"""From the config and the labels of a session to the blocks of latents and their rules."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session import labels
from xcebra_nwb.training.design import targets
from xcebra_nwb.training.design.automatic_objectives import automatic, number_of_latents
from xcebra_nwb.training.design.objective_checks import (
    check_cosine,
    check_outputs,
    check_rule,
    check_values,
    rare_classes,
    too_few_values,
)
from xcebra_nwb.training.design.split import layout
from xcebra_nwb.xcebra.sampling.windows import TRAIN


def resolve(config: Config, session: xr.Dataset) -> tuple[list[Objective], int]:
    """Return the objectives and the number of latents.

    ``auto`` is :func:`xcebra_nwb.training.design.automatic_objectives.automatic`.

    Raises:
        UsageError: an objective names a label that the session does not have, whose kind its rule cannot read, or that
            its block cannot equal (supervised).
        Refusal: a label has too few distinct values, or there are more latents than units.
    """
    bins = _training_bins(config, session)
    if config.objectives == "auto":
        objectives, outputs = automatic(config, session, bins)
    else:
        objectives = _configured(config, session, bins)
        outputs = number_of_latents(config, max(objective.outputs[1] for objective in objectives))
    check_outputs(outputs, session.sizes["unit"])
    return objectives, outputs


def remarks(config: Config, session: xr.Dataset, objectives: list[Objective], outputs: int) -> list[str]:
    """Return what a user should know of the objectives of a session, a sentence each: nothing here is an error."""
    bins, found = _training_bins(config, session), labels(session)
    read = dict.fromkeys(name for objective in objectives for name in objective.labels)
    left_out = {name: too_few_values(found[name], bins) for name in found if config.objectives == "auto"}
    rare = {name: ", ".join(rare_classes(found[name], bins)) for name in read}
    unowned = ", ".join(str(latent) for latent in unowned_latents(objectives, outputs))
    return [
        *(f"label {name} has no objective: {reason}" for name, reason in left_out.items() if reason),
        *(
            f"label {name}: classes with hardly a bin to train on: {classes}"
            for name, classes in rare.items()
            if classes
        ),
        *([f"latents {unowned} belong to no objective, so that nothing trains them"] if unowned else []),
    ]


def unowned_latents(objectives: list[Objective], outputs: int) -> list[int]:
    """Return the latents that are in no objective's block."""
    owned = {latent for objective in objectives for latent in range(*objective.outputs)}
    return [latent for latent in range(outputs) if latent not in owned]


def _training_bins(config: Config, session: xr.Dataset) -> NDArray[np.int64]:
    used = layout(session, config)
    return used.bins[used.numbers(TRAIN)]


def _configured(config: Config, session: xr.Dataset, bins: NDArray[np.int64]) -> list[Objective]:
    assert not isinstance(config.objectives, str)
    for objective in config.objectives:
        check_rule(objective, session)
        check_values(objective, session, bins)
    if config.training.loss == "supervised":
        targets.check(config.objectives, session)
    elif config.training.similarity == "cosine":
        check_cosine([objective for objective in config.objectives if objective.label])
    named = [objective.label for objective in config.objectives if objective.label]
    if len(set(named)) < len(named):
        raise UsageError("objectives: a label has two objectives", "one block a label")
    if not named:
        raise UsageError("objectives: none reads a label, so there is nothing to attribute", "add one with a label")
    return list(config.objectives)
