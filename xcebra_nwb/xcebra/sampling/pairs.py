"""Positive pairs: for every reference sample a sample that its objective calls similar.

A *sample* is a usable bin; samples are numbered in order of time, and a *run* is a stretch of them without a gap, a
masked bin or a border. No rule pairs samples across runs by time, and no step of a label is taken across them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.sampling.groups import Floats, Groups, Integers
from xcebra_nwb.xcebra.sampling.label_increments import Increments
from xcebra_nwb.xcebra.sampling.neighbours import Neighbours


class PositiveRule(Protocol):
    """Draws a positive for every reference."""

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """Return a positive sample number for each of ``references``, in the same shape."""
        ...


class LabelRule(ABC):
    """A rule that reads a label, in two halves: the label that a positive is to have, and a sample that has it.

    The first half belongs to the reference's session, the second to the positive's. They need not be the same one:
    the rule of the same label in another session finds the positive there (:mod:`xcebra_nwb.xcebra.trainers.joint`).
    """

    @abstractmethod
    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """Return the label (..., axis), or class (...), that the positive of each of ``references`` is to have."""

    @abstractmethod
    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """Return a sample number (...) for each of the labels ``targets``; every one of them must be held."""

    @abstractmethod
    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """Return for which of the labels ``targets`` there is a sample, (...)."""

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """See :class:`PositiveRule`."""
        return self.matching_samples(self.target_labels(references, generator), generator)


@dataclass(frozen=True)
class TimePairs:
    """The positive is the sample a fixed number of bins later; references must have one."""

    successor: Integers  # (sample,), -1 where there is none

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """See :class:`PositiveRule`."""
        return self.successor[references]


@dataclass(frozen=True)
class DiscretePairs(LabelRule):
    """The positive is any sample of the same class."""

    classes: Groups

    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """See :class:`LabelRule`: the class of the reference."""
        return self.classes.group[references]

    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """See :class:`LabelRule`: any sample of the class."""
        return self.classes.member(targets, generator)

    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """See :class:`LabelRule`: a class need not occur."""
        occurs: NDArray[np.bool_] = np.isin(targets, np.flatnonzero(self.classes.size))
        return occurs


@dataclass(frozen=True)
class NearPairs(LabelRule):
    """The positive is the sample of the reference's class whose label is nearest to the reference's, moved by a step.

    With a single class these are the paper's ``time_delta``, ``delta_normal`` and ``delta_vmf``, by the kind of step;
    with several, ``mixed``.
    """

    values: Floats  # (sample, axis)
    classes: Integers  # (sample,)
    increments: Increments
    neighbours: Neighbours

    @classmethod
    def of(
        cls, values: Floats, increments: Increments, circular: bool = False, classes: Integers | None = None
    ) -> NearPairs:
        """Return the rule for scaled labels ``values`` (sample, axis), in rad if ``circular``, within ``classes``."""
        neighbours = Neighbours.of(values, circular, classes)
        return cls(
            values, np.zeros(len(values), dtype=np.int64) if classes is None else classes, increments, neighbours
        )

    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """See :class:`LabelRule`: the reference's class, then its label moved by a step, (..., 1 + axis)."""
        moved = self.increments.moved(self.values[references], generator)
        return np.concatenate([self.classes[references][..., None], moved], axis=-1)

    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """See :class:`LabelRule`: the nearest sample of the class, or one of them."""
        return self.neighbours.draw(targets[..., 1:], targets[..., 0].astype(np.int64), generator)

    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """See :class:`LabelRule`: a class need not occur."""
        return self.neighbours.occurs(targets[..., 0])
