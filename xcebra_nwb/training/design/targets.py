"""What a supervised encoder is to say: every label as numbers whose mean is 0 and whose mean variance is 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import class_codes, label_values, labels
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.sampling.samples import Targets
from xcebra_nwb.xcebra.sampling.windows import TRAIN

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """How one label became targets: (value - mean) / deviation, by axis."""

    mean: Floats  # (target,)
    deviation: Floats  # (target,)

    def __call__(self, values: Floats) -> NDArray[np.float32]:
        """Return ``values`` (sample, target) as targets."""
        return ((values - self.mean) / self.deviation).astype(np.float32)


def scales(session: xr.Dataset, split: Split, objectives: list[Objective]) -> dict[str, Scale]:
    """Return how each objective's label is scaled, from the bins that train.

    Axes of a continuous label get a variance of 1 each. Cosine and sine of an angle, and the classes of a discrete
    label, are centred and share one scale, so that no direction or class counts more: their mean variance is 1.

    Raises:
        Refusal: a label is the same in all training bins.
    """
    return {objective.name: _scale(session, split, objective) for objective in objectives}


def _scale(session: xr.Dataset, split: Split, objective: Objective) -> Scale:
    assert objective.label is not None
    values = _numbers(session, objective.label, split.bins_of(TRAIN))
    variance = values.var(axis=0)
    if labels(session)[objective.label].attrs["kind"] != "continuous":
        variance = np.full(len(variance), variance.mean())
    if not (variance > 0).all():
        raise Refusal(
            Code.LABEL_CONSTANT,
            f"label {objective.label} has an axis that is the same in all training bins, so it cannot be learnt",
            "leave it out, or hold out other bins",
        )
    return Scale(values.mean(axis=0), np.sqrt(variance))


def targets(
    session: xr.Dataset,
    split: Split,
    objectives: list[Objective],
    scaled: dict[str, Scale],
    members: list[Member],
    part: int = TRAIN,
) -> list[Targets]:
    """Return every member's targets at one part of the split, with one label broken for a null."""
    numbers, by_objective = split.numbers(part), []
    for objective in objectives:
        name = str(objective.label)
        true = scaled[objective.name](_numbers(session, name, split.bins))
        orders = [member.order(name) for member in members]
        by_objective.append([(true if order is None else true[order])[numbers] for order in orders])
    bins = split.bins[numbers]
    return [Targets(bins, np.concatenate(own, axis=1)) for own in zip(*by_objective, strict=True)]


def _numbers(session: xr.Dataset, name: str, bins: NDArray[np.int64]) -> Floats:
    """A label at ``bins`` as numbers (sample, target), not scaled."""
    label, values = labels(session)[name], label_values(session, name, bins)
    if label.attrs["kind"] == "discrete":
        return (values[:, None] == class_codes(label)).astype(np.float64)
    return np.hstack([np.cos(values), np.sin(values)]) if label.attrs["kind"] == "circular" else values
