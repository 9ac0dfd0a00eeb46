"""Random steps in label space: from a reference's label to the point whose nearest sample is the positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.neighbours import TURN
from xcebra_nwb.xcebra.sampling.windows import successors


class Increments(Protocol):
    """Moves labels by random steps."""

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return ``values`` (..., axis), each moved by a step of its own, in the same shape."""
        ...


@dataclass(frozen=True)
class RecordedIncrements:
    """Increments that the label really took (the paper's ``time_delta``)."""

    increments: Floats  # (step, axis)

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Increments`."""
        return values + self.increments[generator.integers(len(self.increments), size=values.shape[:-1])]


@dataclass(frozen=True)
class NormalIncrements:
    """Normal steps, alike and independent along all axes (the paper's ``delta_normal``)."""

    deviation: float  # in scaled label units

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Increments`."""
        return values + self.deviation * generator.standard_normal(values.shape)


@dataclass(frozen=True)
class VonMisesIncrements:
    """Increments on the circle: a von Mises distribution around the angle, in rad."""

    concentration: float

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Increments`."""
        return values + generator.vonmises(0.0, self.concentration, size=values.shape)


@dataclass(frozen=True)
class VonMisesFisherIncrements:
    """Increments on the sphere: a von Mises-Fisher distribution around the unit vector.

    All are drawn around the first axis and mirrored onto their own (a Householder reflection): the distribution is
    symmetric around its mean.
    """

    concentration: float

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """See :class:`Increments`."""
        from scipy.stats import vonmises_fisher  # not at the top: it takes half a second, and few labels need it

        pole = np.eye(values.shape[-1])[0]
        count = int(np.prod(values.shape[:-1]))
        drawn = vonmises_fisher(pole, self.concentration).rvs(count, random_state=generator).reshape(values.shape)
        normal = pole - values  # of the mirror between the pole and the label
        square = (normal**2).sum(axis=-1, keepdims=True)
        along = 2 * (normal * drawn).sum(axis=-1, keepdims=True)
        return drawn - normal * np.divide(along, square, out=np.zeros_like(along), where=square > 0)


def label_increments(values: Floats, run: Integers, delta: int, circular: bool) -> Floats:
    """Return the label's steps over ``delta`` bins within runs, (step, axis); angles by the shorter way round."""
    later = successors(run, delta)
    earlier = np.flatnonzero(later >= 0)
    increments = values[later[earlier]] - values[earlier]
    return (increments + np.pi) % TURN - np.pi if circular else increments


def step_scale(values: Floats, increments: Floats) -> Floats:
    """Return what each axis of a label is divided by, (axis,): the root mean square of its own steps.

    The Euclidean similarity is an isotropic kernel: at its optimum a step is as long in the latents as it is in
    standard deviations of the label's steps, whatever the axis. In steps the error of the nearest sample is the same
    along every axis too. An axis that never moves within a run (a label of whole trials) has no steps; its standard
    deviation takes their place, and 1 that of a constant's.
    """
    by_step = np.sqrt((increments**2).mean(axis=0))
    scale = np.where(by_step > 0, by_step, values.std(axis=0))
    return np.where(scale > 0, scale, 1.0)
