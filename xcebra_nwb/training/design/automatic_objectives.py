"""``objectives: auto``: the blocks and rules that a session gets when the config names none."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import label_axes, labels
from xcebra_nwb.training.design import targets
from xcebra_nwb.training.design.objective_checks import too_few_values

LARGEST_CLASS_BLOCK = 4  # latents for a discrete label with many classes
MOST_LATENTS = 8  # unless the labels' blocks need more
FREE_LATENTS = 2  # for what no label explains; more of them learn the labels again, and the blocks leak


def automatic(config: Config, session: xr.Dataset, bins: NDArray[np.int64]) -> tuple[list[Objective], int]:
    """Return the objectives and the number of latents; ``bins`` are those to train on.

    Time gets all latents and every label that varies a block of its own: one latent more than its intrinsic dimension
    (position 3, an angle 3, a scalar 2), or none more where there are too few units for that; for a discrete label one
    fewer than its classes, at most 4. Beside the blocks there are ``encoder.outputs`` less what the blocks need, or by
    itself two more latents, up to eight in all and no more than there are units, for what no label explains. A
    supervised encoder has a block for every label, as wide as its targets, and nothing else.

    Raises:
        Refusal: no label varies.
    """
    session = _varying(session, bins)
    if config.training.loss == "supervised":
        return targets.automatic(session)
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
    """Return what the config asks for, or by itself ``free`` more than ``needed``; never fewer than needed."""
    asked = config.encoder.outputs
    return max(needed, min(needed + free, MOST_LATENTS) if asked == "auto" else asked)


def _varying(session: xr.Dataset, bins: NDArray[np.int64]) -> xr.Dataset:
    """The session without the labels that have too few values."""
    reasons = {name: too_few_values(label, bins) for name, label in labels(session).items()}
    if all(reasons.values()):
        found = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise Refusal(
            Code.LABEL_TOO_FEW_VALUES,
            f"no label varies enough to train on: {found}",
            "name other labels, or widen time.within",
        )
    return session.drop_vars([name for name, reason in reasons.items() if reason])


def _widths(session: xr.Dataset, spare: int, least: int) -> dict[str, int]:
    return {name: max(_block_width(label, spare), least) for name, label in labels(session).items()}


def _block_width(label: xr.DataArray, spare: int) -> int:
    """How many latents a label gets: what it takes to hold it, and ``spare`` more unless it is discrete."""
    kind = label.attrs["kind"]
    if kind == "discrete":
        classes = len(np.unique(label.values[label.values >= 0]))
        return max(1, min(classes - 1, LARGEST_CLASS_BLOCK))
    return (2 if kind == "circular" else label_axes(label)) + spare
