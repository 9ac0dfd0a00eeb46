"""Build the space in which an objective compares label values and draws its positives."""

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
    """The space in which an objective compares label values.

    An objective adds a step to a label value and takes the sample nearest to the sum as a positive. The space is set by
    the true label in the training part; nulls and the held-out part use the same space.
    """

    scale: Floats  # (axis,) divisor of each axis of the label, in the label's units
    steps: Increments
    circular: bool
    directions: bool  # labels are vectors, and only their direction counts

    def coordinates(self, values: Floats) -> Floats:
        """Return label values as points of this space, both (sample, axis)."""
        scaled = values / self.scale
        return scaled / np.linalg.norm(scaled, axis=1, keepdims=True) if self.directions else scaled

    def with_scale(self, scale: Floats) -> LabelSpace:
        """Return the same space with another ``scale``, shape (axis,)."""
        steps = self.steps
        if isinstance(steps, RecordedIncrements):
            steps = RecordedIncrements(steps.increments * (self.scale / scale))
        return replace(self, scale=scale, steps=steps)

    def rule(self, values: Floats, classes: Integers | None) -> NearPairs:
        """Return the rule that draws positives among samples.

        Args:
            values: label of every sample, shape (sample, axis).
            classes: class of every sample, shape (sample,); positives have the class of their reference. None: one
                class.
        """
        return NearPairs.of(self.coordinates(values), self.steps, self.circular, classes)


def label_space(objective: Objective, kind: str, values: Floats, run: NDArray[np.int64]) -> LabelSpace:
    """Return the space of a label, from its values in the training part.

    Args:
        objective: objective that reads the label.
        kind: kind of the label, "continuous" or "circular".
        values: label of every training sample, shape (sample, axis).
        run: number of the uninterrupted run of bins that each sample lies in, shape (sample,).

    Raises:
        Refusal: no run is longer than ``objective.delta``, so the label has no step.
    """
    circular, unscaled = kind == "circular", np.ones(values.shape[1])
    if objective.steps == "delta_vmf":
        assert objective.kappa is not None
        turns = VonMisesIncrements(objective.kappa) if circular else VonMisesFisherIncrements(objective.kappa)
        return LabelSpace(unscaled, turns, circular, directions=not circular)
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
    """Return the label space of every objective that draws label steps.

    Args:
        session: session dataset.
        split: training part, in which steps are measured.
        objectives: objectives of the session; those for time and discrete labels have no space.

    Returns:
        Spaces by the names of the objectives.
    """
    with_steps = [objective for objective in objectives if objective.positive not in {"time", "discrete"}]
    return {objective.name: objective_space(session, split, objective) for objective in with_steps}


def objective_space(session: xr.Dataset, split: Split, objective: Objective) -> LabelSpace:
    """Return the label space of one objective.

    Args:
        session: session dataset.
        split: training part, in which steps are measured.
        objective: objective that reads a continuous or circular label.
    """
    assert objective.label is not None
    train = split.numbers(TRAIN)
    values = label_values(session, objective.label, split.bins)[train]
    kind = str(labels(session)[objective.label].attrs["kind"])
    return label_space(objective, kind, values, runs(split.bins[train], split.segment))
