"""Turn labels into the targets of a supervised encoder: numbers with mean 0 and mean variance 1."""

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
    """The scale that turns a label into targets, by axis: (value - mean) / deviation.

    >>> Scale(np.array([1.0]), np.array([2.0]))(np.array([[5.0], [1.0]])).tolist()
    [[2.0], [0.0]]
    """

    mean: Floats  # (target,)
    deviation: Floats  # (target,)

    def __call__(self, values: Floats) -> NDArray[np.float32]:
        """Return ``values`` as targets, both of shape (sample, target)."""
        return ((values - self.mean) / self.deviation).astype(np.float32)


def scales(session: xr.Dataset, split: Split, objectives: list[Objective]) -> dict[str, Scale]:
    """Return the scale of each objective's label, measured in the training bins.

    Every axis of a continuous label gets a variance of 1. The cosine and sine of an angle share one scale, and so do
    the classes of a discrete label, so that no direction or class counts more; their mean variance is 1.

    Args:
        session: session dataset.
        split: training bins of the session.
        objectives: supervised objectives, one per label.

    Returns:
        Scales by the names of the objectives.

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
    """Return the targets of every member in one part of the split.

    Args:
        session: session dataset.
        split: usable bins and their parts.
        objectives: supervised objectives, one per label.
        scaled: scale of every objective (:func:`scales`).
        members: members of the ensemble; a null gets one label shuffled.
        part: part of the split, training or held out.
    """
    numbers, by_objective = split.numbers(part), []
    for objective in objectives:
        name = str(objective.label)
        true = scaled[objective.name](_numbers(session, name, split.bins))
        orders = [member.order(name) for member in members]
        by_objective.append([(true if order is None else true[order])[numbers] for order in orders])
    bins = split.bins[numbers]
    return [Targets(bins, np.concatenate(columns, axis=1)) for columns in zip(*by_objective, strict=True)]


def _numbers(session: xr.Dataset, name: str, bins: NDArray[np.int64]) -> Floats:
    """Return a label at ``bins`` as numbers (sample, target) before scaling."""
    label, values = labels(session)[name], label_values(session, name, bins)
    if label.attrs["kind"] == "discrete":
        return (values[:, None] == class_codes(label)).astype(np.float64)
    return np.hstack([np.cos(values), np.sin(values)]) if label.attrs["kind"] == "circular" else values
