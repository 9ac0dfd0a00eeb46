"""Random increments of a label, from a reference to its positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.neighbours import TURN
from xcebra_nwb.xcebra.sampling.windows import successors


class Increments(Protocol):
    """A distribution of increments of a label."""

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return ``values`` (..., axis), each moved by a random increment."""
        ...


@dataclass(frozen=True)
class RecordedIncrements:
    """Increments that the label took in the recording (``time_delta`` in the paper).

    Attributes:
        increments: Increments, shape (increment, axis).
    """

    increments: Floats

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return ``values`` (..., axis), each moved by a random recorded increment."""
        return values + self.increments[generator.integers(len(self.increments), size=values.shape[:-1])]


@dataclass(frozen=True)
class NormalIncrements:
    """Normal increments, alike along all axes (``delta_normal`` in the paper).

    Attributes:
        deviation: Standard deviation, in scaled label units.
    """

    deviation: float

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return ``values`` (..., axis), each moved by a normal increment."""
        return values + self.deviation * generator.standard_normal(values.shape)


@dataclass(frozen=True)
class VonMisesIncrements:
    """Von Mises increments of an angle, in rad."""

    concentration: float

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return the angles ``values`` (..., 1), each moved by a von Mises increment."""
        return values + generator.vonmises(0.0, self.concentration, size=values.shape)


@dataclass(frozen=True)
class VonMisesFisherIncrements:
    """Increments on the sphere, from a von Mises-Fisher distribution.

    All vectors are drawn around the first axis and then mirrored to their label (a Householder reflection), because the
    distribution is symmetric around its mean.
    """

    concentration: float

    def moved(self, values: Floats, generator: np.random.Generator) -> Floats:
        """Return the unit vectors ``values`` (..., axis), each moved on the sphere."""
        from scipy.stats import vonmises_fisher  # imported late: it takes half a second, and few labels need it

        pole = np.eye(values.shape[-1])[0]
        count = int(np.prod(values.shape[:-1]))
        drawn = vonmises_fisher(pole, self.concentration).rvs(count, random_state=generator).reshape(values.shape)
        normal = pole - values  # normal of the mirror between the pole and the label
        square = (normal**2).sum(axis=-1, keepdims=True)
        along = 2 * (normal * drawn).sum(axis=-1, keepdims=True)
        return drawn - normal * np.divide(along, square, out=np.zeros_like(along), where=square > 0)


def label_increments(values: Floats, run: Integers, delta: int, circular: bool) -> Floats:
    """Return the increments of a label over ``delta`` bins within runs.

    Args:
        values: Label, shape (sample, axis).
        run: Run of each sample, shape (sample,).
        delta: Number of bins.
        circular: Whether the label is an angle in rad, whose increments go the shorter way round.

    Returns:
        Increments, shape (increment, axis).

    >>> values = np.array([[0.0], [1.0], [3.0], [0.0], [5.0]])
    >>> label_increments(values, np.array([0, 0, 0, 1, 1]), 1, circular=False).ravel().tolist()
    [1.0, 2.0, 5.0]
    """
    later = successors(run, delta)
    earlier = np.flatnonzero(later >= 0)
    increments = values[later[earlier]] - values[earlier]
    return (increments + np.pi) % TURN - np.pi if circular else increments


def step_scale(values: Floats, increments: Floats) -> Floats:
    """Return the scale of each axis of a label: its root mean square increment.

    The Euclidean similarity is an isotropic kernel. At its optimum an increment is as long in the latents as it is in
    standard deviations of the label's increments, whatever the axis. In these units the error of the nearest sample is
    also the same along every axis.

    Args:
        values: Label, shape (sample, axis).
        increments: Increments, shape (increment, axis).

    Returns:
        Scale, shape (axis,). An axis without increments (a label that is constant in each trial) gets its standard
        deviation, and a constant axis gets 1.

    >>> step_scale(np.array([[0.0, 4.0], [1.0, 4.0]]), np.array([[1.0, 0.0]])).tolist()
    [1.0, 1.0]
    """
    by_step = np.sqrt((increments**2).mean(axis=0))
    scale = np.where(by_step > 0, by_step, values.std(axis=0))
    return np.where(scale > 0, scale, 1.0)
