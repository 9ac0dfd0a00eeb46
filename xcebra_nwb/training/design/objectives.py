"""Choose the objectives of a session and their blocks of latents, from the config and the labels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import label_axes, labels
from xcebra_nwb.training.design.objective_checks import (
    check_cosine,
    check_outputs,
    check_rule,
    check_supervised,
    check_values,
    rare_classes,
    target_width,
    too_few_values,
)
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.sampling.windows import TRAIN

LARGEST_CLASS_BLOCK = 4  # latents for a discrete label with many classes
MOST_LATENTS = 8  # chosen automatically, unless the labels' blocks need more
FREE_LATENTS = 2  # outside the labels' blocks; more of them would learn the labels again


def resolve(config: Config, session: xr.Dataset, split: Split) -> tuple[list[Objective], int]:
    """Return the objectives of a session and the number of latents.

    Args:
        config: ``objectives`` lists the objectives; for ``auto``, :func:`automatic` chooses them.
        session: session dataset with the labels.
        split: training bins, in which labels must vary.

    Raises:
        UsageError: an objective names a label that the session does not have or whose kind its rule cannot read, or a
            supervised block is not as wide as its label.
        Refusal: a label has too few distinct values, or there are more latents than units.
    """
    bins = split.bins_of(TRAIN)
    if config.objectives == "auto":
        objectives, outputs = automatic(config, session, bins)
    else:
        objectives = _configured(config, session, bins)
        outputs = number_of_latents(config, max(objective.outputs[1] for objective in objectives))
    check_outputs(outputs, session.sizes["unit"])
    return objectives, outputs


def remarks(config: Config, session: xr.Dataset, split: Split, objectives: list[Objective], outputs: int) -> list[str]:
    """Return remarks on the objectives of a session, one sentence each.

    None of them is an error.

    Args:
        config: whether objectives were chosen automatically.
        session: session dataset; a label without an objective gets a remark.
        split: training bins; a class that is rare in them gets a remark.
        objectives: objectives of the session.
        outputs: number of latents; a latent without an objective gets a remark.
    """
    bins, by_name = split.bins_of(TRAIN), labels(session)
    read = dict.fromkeys(name for objective in objectives for name in objective.labels)
    left_out = {name: too_few_values(by_name[name], bins) for name in by_name if config.objectives == "auto"}
    rare = {name: ", ".join(rare_classes(by_name[name], bins)) for name in read}
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
    """Return the latents that are in no objective's block.

    >>> unowned_latents([Objective(name="speed", outputs=(0, 2), positive="time_delta", label="speed")], 4)
    [2, 3]
    """
    owned = {latent for objective in objectives for latent in range(*objective.outputs)}
    return [latent for latent in range(outputs) if latent not in owned]


def _configured(config: Config, session: xr.Dataset, bins: NDArray[np.int64]) -> list[Objective]:
    assert not isinstance(config.objectives, str)
    for objective in config.objectives:
        check_rule(objective, session)
        check_values(objective, session, bins)
    if config.training.loss == "supervised":
        check_supervised(config.objectives, session)
    elif config.training.similarity == "cosine":
        check_cosine([objective for objective in config.objectives if objective.label])
    named = [objective.label for objective in config.objectives if objective.label]
    if len(set(named)) < len(named):
        raise UsageError("objectives: a label has two objectives", "one block a label")
    if not named:
        raise UsageError("objectives: none reads a label, so there is nothing to attribute", "add one with a label")
    return list(config.objectives)


def automatic(config: Config, session: xr.Dataset, bins: NDArray[np.int64]) -> tuple[list[Objective], int]:
    """Return automatically chosen objectives and the number of latents.

    Time gets all latents. Every label that varies gets its own block:

    - continuous or circular: one latent more than the label has axes, two for an angle (position 3, angle 3, scalar 2),
      or exactly as many if there are too few units;
    - discrete: one latent fewer than there are classes, at most 4.

    The latents outside the blocks are free for activity that no label explains. With ``encoder.outputs: auto`` there
    are two of them, as long as there are at most eight latents in all and no more than units. A supervised encoder has
    one block per label, as wide as its targets, and no other latent.

    Args:
        config: ``encoder.outputs``, ``training.loss`` and ``training.similarity``.
        session: session dataset with the labels.
        bins: training bins, shape (bin,), in which labels must vary.

    Raises:
        Refusal: no label varies.
    """
    session = _varying(session, bins)
    if config.training.loss == "supervised":
        return supervised_objectives(session)
    units, least = session.sizes["unit"], 2 if config.training.similarity == "cosine" else 1
    widths = _widths(session, 1, least)
    if sum(widths.values()) > units:
        widths = _widths(session, 0, least)
    blocks, first = [], 0
    for name, width in widths.items():
        rule = "discrete" if labels(session)[name].attrs["kind"] == "discrete" else "time_delta"
        blocks.append(Objective(name=name, outputs=(first, first + width), positive=rule, label=name))
        first += width
    outputs = number_of_latents(config, first, min(FREE_LATENTS, max(units - first, 0)))
    return [Objective(name="time", outputs=(0, outputs), positive="time"), *blocks], outputs


def number_of_latents(config: Config, needed: int, free: int = 0) -> int:
    """Return the number of latents: ``encoder.outputs``, but at least ``needed``.

    Args:
        config: ``encoder.outputs``; for ``auto``, up to ``free`` latents are added to those needed.
        needed: latents that the blocks of the labels take.
        free: latents outside the blocks.

    >>> number_of_latents(Config(), 3, free=2)
    5
    """
    asked = config.encoder.outputs
    return max(needed, min(needed + free, MOST_LATENTS) if asked == "auto" else asked)


def _varying(session: xr.Dataset, bins: NDArray[np.int64]) -> xr.Dataset:
    """Return the session without the labels that have too few values."""
    reasons = {name: too_few_values(label, bins) for name, label in labels(session).items()}
    if all(reasons.values()):
        details = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise Refusal(
            Code.LABEL_TOO_FEW_VALUES,
            f"no label varies enough to train on: {details}",
            "name other labels, or widen time.within",
        )
    return session.drop_vars([name for name, reason in reasons.items() if reason])


def _widths(session: xr.Dataset, spare: int, least: int) -> dict[str, int]:
    return {name: max(_block_width(label, spare), least) for name, label in labels(session).items()}


def _block_width(label: xr.DataArray, spare: int) -> int:
    """Return the number of latents of a label.

    They are as many as its axes (two for an angle), and ``spare`` more unless the label is discrete.
    """
    kind = label.attrs["kind"]
    if kind == "discrete":
        classes = len(np.unique(label.values[label.values >= 0]))
        return max(1, min(classes - 1, LARGEST_CLASS_BLOCK))
    return (2 if kind == "circular" else label_axes(label)) + spare


def supervised_objectives(session: xr.Dataset) -> tuple[list[Objective], int]:
    """Return one supervised objective per label, and the number of latents.

    Each block is as wide as the targets of its label.

    >>> angle = xr.DataArray([0.0, 3.1], dims="time", attrs={"kind": "circular", "role": "label"})
    >>> supervised_objectives(xr.Dataset({"heading": angle}))[1]
    2
    """
    objectives, first = [], 0
    for name, label in labels(session).items():
        last = first + target_width(label)
        rule = "discrete" if label.attrs["kind"] == "discrete" else "time_delta"  # only the kind matters
        objectives.append(Objective(name=name, outputs=(first, last), positive=rule, label=name))
        first = last
    return objectives, first
