"""From an objective and the values of its labels to the rule that draws its positives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import label_values, labels
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.label_increments import (
    Increments,
    NormalIncrements,
    RecordedIncrements,
    VonMisesFisherIncrements,
    VonMisesIncrements,
    label_increments,
    step_scale,
)
from xcebra_nwb.xcebra.sampling.pairs import NearPairs
from xcebra_nwb.xcebra.sampling.windows import TRAIN, runs


@dataclass(frozen=True)
class LabelSpace:
    """The space in which an objective looks for the nearest sample, and the steps that it takes there.

    It is that of the label as it was recorded in the training part: nulls and the held-out part share it.
    """

    scale: Floats  # (axis,) what each axis of the label is divided by, in its units
    steps: Increments
    circular: bool
    directions: bool  # vectors of which only the direction counts

    def coordinates(self, values: Floats) -> Floats:
        """Return labels (sample, axis) as points of this space."""
        scaled = values / self.scale
        return scaled / np.linalg.norm(scaled, axis=1, keepdims=True) if self.directions else scaled

    def measured_by(self, scale: Floats) -> LabelSpace:
        """Return the same space with the label's axes divided by another ``scale`` (axis,)."""
        steps = self.steps
        if isinstance(steps, RecordedIncrements):
            steps = RecordedIncrements(steps.increments * (self.scale / scale))
        return replace(self, scale=scale, steps=steps)

    def rule(self, values: Floats, classes: Integers | None) -> NearPairs:
        """Return the rule for labels ``values`` (sample, axis) within ``classes`` (sample,); None: one class."""
        return NearPairs.of(self.coordinates(values), self.steps, self.circular, classes)


def label_space(objective: Objective, kind: str, values: Floats, run: NDArray[np.int64]) -> LabelSpace:
    """Return the space of a label of ``kind`` from its values (sample, axis) in the training part.

    Raises:
        Refusal: nowhere do enough bins follow each other for a step of the label.
    """
    circular, unscaled = kind == "circular", np.ones(values.shape[1])
    if objective.steps == "delta_vmf":
        assert objective.kappa is not None
        around = VonMisesIncrements(objective.kappa) if circular else VonMisesFisherIncrements(objective.kappa)
        return LabelSpace(unscaled, around, circular, directions=not circular)
    increments = label_increments(values, run, objective.delta, circular)
    if not len(increments):
        raise Refusal(
            Code.BROKEN_UP,
            f"label {objective.label}: no {objective.delta + 1} bins follow each other",
            "a smaller delta",
        )
    scale = unscaled if circular else step_scale(values, increments)
    normal = objective.steps == "delta_normal"
    steps: Increments = NormalIncrements(objective.scale) if normal else RecordedIncrements(increments / scale)
    return LabelSpace(scale, steps, circular, directions=False)


def label_spaces(session: xr.Dataset, split: Split, objectives: list[Objective]) -> dict[str, LabelSpace]:
    """Return the space of every objective that moves a label, by its name."""
    moving = [objective for objective in objectives if objective.positive not in {"time", "discrete"}]
    return {objective.name: objective_space(session, split, objective) for objective in moving}


def objective_space(session: xr.Dataset, split: Split, objective: Objective) -> LabelSpace:
    """Return the space of the label that an objective moves."""
    assert objective.label is not None
    train = split.numbers(TRAIN)
    values = label_values(session, objective.label, split.bins)[train]
    kind = str(labels(session)[objective.label].attrs["kind"])
    return label_space(objective, kind, values, runs(split.bins[train], split.segment))
