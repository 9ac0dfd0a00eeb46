"""Positive pairs: the rules that draw a similar sample for every reference sample.

A *sample* is a usable bin. Samples are numbered in order of time. A *run* is a stretch of samples without a gap, a
masked bin or a border. No rule pairs samples of different runs by time, and no increment of a label crosses runs.
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
    """A rule that draws a positive for every reference."""

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """Return the number of a positive for each of ``references``, in the same shape."""
        ...


class LabelRule(ABC):
    """A rule that draws positives by their labels, in two halves.

    The first half is the target label of the positive, the second a sample that has it. The first half belongs to the
    session of the reference and the second to the session of the positive. In joint training
    (:mod:`xcebra_nwb.xcebra.trainers.joint`) the two can be different sessions.
    """

    @abstractmethod
    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """Return the label (..., axis), or class (...), of the positive of each reference."""

    @abstractmethod
    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """Return a sample number (...) for each target; every target must have samples."""

    @abstractmethod
    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """Return whether each of the target labels has a sample, shape (...)."""

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """Return the number of a positive for each of ``references``, in the same shape."""
        return self.matching_samples(self.target_labels(references, generator), generator)


@dataclass(frozen=True)
class TimePairs:
    """The positive is the sample a fixed number of bins later.

    Attributes:
        successor: Number of that sample for each sample, -1 if there is none, shape (sample,). References must have
            one.
    """

    successor: Integers

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """Return the successor of each of ``references``.

        >>> TimePairs(np.array([1, 2, -1])).draw(np.array([0, 1]), np.random.default_rng(0)).tolist()
        [1, 2]
        """
        return self.successor[references]


@dataclass(frozen=True)
class DiscretePairs(LabelRule):
    """The positive is any sample of the same class."""

    classes: Groups

    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """Return the class of each reference."""
        return self.classes.group[references]

    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """Return a random sample of each class."""
        return self.classes.member(targets, generator)

    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """Return whether each class occurs."""
        occurs: NDArray[np.bool_] = np.isin(targets, np.flatnonzero(self.classes.size))
        return occurs


@dataclass(frozen=True)
class NearPairs(LabelRule):
    """The positive is the sample nearest to the reference's label after an increment.

    Only samples of the reference's class count. With a single class these are ``time_delta``, ``delta_normal`` and
    ``delta_vmf`` of the paper, by the kind of increment; with several classes it is ``mixed``.

    Attributes:
        values: Scaled label, shape (sample, axis).
        classes: Class code of each sample, shape (sample,).
        increments: Distribution of the increments.
        neighbours: Samples by class and label.
    """

    values: Floats
    classes: Integers
    increments: Increments
    neighbours: Neighbours

    @classmethod
    def of(
        cls, values: Floats, increments: Increments, circular: bool = False, classes: Integers | None = None
    ) -> NearPairs:
        """Return the rule of a scaled label.

        Args:
            values: Scaled label, shape (sample, axis).
            increments: Distribution of the increments.
            circular: Whether the label is an angle in rad.
            classes: Class codes 0, 1, ... of the samples, shape (sample,); None: a single class.

        >>> from xcebra_nwb.xcebra.sampling.label_increments import RecordedIncrements
        >>> rule = NearPairs.of(np.array([[0.0], [1.0], [2.0]]), RecordedIncrements(np.array([[1.0]])))
        >>> rule.draw(np.array([0, 1]), np.random.default_rng(0)).tolist()
        [1, 2]
        """
        neighbours = Neighbours.of(values, circular, classes)
        return cls(
            values, np.zeros(len(values), dtype=np.int64) if classes is None else classes, increments, neighbours
        )

    def target_labels(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """Return each reference's class and its label after an increment, (..., 1 + axis)."""
        moved = self.increments.moved(self.values[references], generator)
        return np.concatenate([self.classes[references][..., None], moved], axis=-1)

    def matching_samples(self, targets: NDArray, generator: np.random.Generator) -> Integers:
        """Return the nearest sample of each target's class."""
        return self.neighbours.draw(targets[..., 1:], targets[..., 0].astype(np.int64), generator)

    def has_samples(self, targets: NDArray) -> NDArray[np.bool_]:
        """Return whether the class of each target occurs."""
        return self.neighbours.occurs(targets[..., 0])
