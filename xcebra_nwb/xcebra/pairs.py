"""Positive pairs: for every reference sample a sample that its objective calls similar.

A *sample* is a usable bin; samples are numbered in order of time, and ``run`` says which of them follow each other
without a gap, a masked bin or a border. No rule pairs samples across runs by time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
TURN = 2 * np.pi


class PositiveRule(Protocol):
    """Draws a positive for every reference."""

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """Return a positive sample number for each of ``references``, in the same shape."""
        ...


class LabelRule(ABC):
    """A rule that reads a label, in two halves: the label that a positive is to have, and a sample that has it.

    The first half belongs to the reference's session, the second to the positive's. They need not be the same one:
    the rule of the same label in another session finds the positive there (:mod:`xcebra_nwb.xcebra.joint`).
    """

    @abstractmethod
    def wanted(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """Return the label (..., axis), or class (...), that the positive of each of ``references`` is to have."""

    @abstractmethod
    def found(self, wanted: NDArray, generator: np.random.Generator) -> Integers:
        """Return a sample number (...) for each of the labels ``wanted``; every one of them must be held."""

    def holds(self, wanted: NDArray) -> NDArray[np.bool_]:
        """Return for which of the labels ``wanted`` there is a sample, (...): for all where the nearest will do."""
        return np.ones(wanted.shape[:-1], dtype=bool)

    def draw(self, references: Integers, generator: np.random.Generator) -> Integers:
        """See :class:`PositiveRule`."""
        return self.found(self.wanted(references, generator), generator)


@dataclass(frozen=True)
class Groups:
    """Samples by group: ``order`` lists them group after group."""

    group: Integers  # (sample,)
    order: Integers  # (sample,)
    start: Integers  # (group,)
    size: Integers  # (group,)

    @classmethod
    def of(cls, group: Integers) -> Groups:
        """Return the groups of samples whose group numbers are ``group`` (0, 1, ...)."""
        size = np.bincount(group)
        return cls(group, np.argsort(group, kind="stable"), np.r_[0, np.cumsum(size)[:-1]], size)

    def member(self, group: Integers, generator: np.random.Generator) -> Integers:
        """Return a random sample of each of ``group``."""
        chosen = (generator.random(group.shape) * self.size[group]).astype(np.int64)
        return self.order[self.start[group] + chosen]


def successors(run: Integers, offset: int) -> Integers:
    """Return for every sample the one ``offset`` bins later in the same run, or -1."""
    successor = np.full(len(run), -1, dtype=np.int64)
    if offset < len(run):
        same = run[offset:] == run[:-offset]
        successor[:-offset][same] = np.flatnonzero(same) + offset
    return successor


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

    def wanted(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """See :class:`LabelRule`: the class of the reference."""
        return self.classes.group[references]

    def found(self, wanted: NDArray, generator: np.random.Generator) -> Integers:
        """See :class:`LabelRule`: any sample of the class."""
        return self.classes.member(wanted, generator)

    def holds(self, wanted: NDArray) -> NDArray[np.bool_]:
        """See :class:`LabelRule`: a class need not occur."""
        occurs: NDArray[np.bool_] = np.isin(wanted, np.flatnonzero(self.classes.size))
        return occurs


@dataclass(frozen=True)
class TimeDeltaPairs(LabelRule):
    """The positive is the sample whose label is nearest to the reference's label plus a random step of the label.

    Samples with exactly the same label are equally near: one of them is drawn, so that a label in pixels, or an animal
    that sits still, does not make one sample everybody's positive.
    """

    values: Floats  # (sample, axis)
    increments: Floats  # (step, axis)
    places: Groups  # samples by distinct label
    tree: cKDTree  # over the distinct labels
    circular: bool

    @classmethod
    def of(cls, values: Floats, increments: Floats, circular: bool) -> TimeDeltaPairs:
        """Return the rule for labels ``values`` (sample, axis), in rad if ``circular``."""
        values = np.mod(values, TURN) if circular else values
        values = np.where(values >= TURN, 0.0, values) if circular else values
        distinct, place = np.unique(values, axis=0, return_inverse=True)
        tree = cKDTree(distinct, boxsize=TURN if circular else None)
        return cls(values, increments, Groups.of(place.reshape(-1)), tree, circular)

    def wanted(self, references: Integers, generator: np.random.Generator) -> NDArray:
        """See :class:`LabelRule`: the reference's label and a step that the label really took."""
        step = self.increments[generator.integers(len(self.increments), size=references.shape)]
        label = self.values[references] + step
        return np.mod(label, TURN) if self.circular else label

    def found(self, wanted: NDArray, generator: np.random.Generator) -> Integers:
        """See :class:`LabelRule`: the nearest sample, or one of them."""
        _, place = self.tree.query(wanted)
        return self.places.member(place.astype(np.int64), generator)


def label_increments(values: Floats, run: Integers, delta: int, circular: bool) -> Floats:
    """Return the label's steps over ``delta`` bins within runs, (step, axis); angles by the shorter way round."""
    later = successors(run, delta)
    earlier = np.flatnonzero(later >= 0)
    steps = values[later[earlier]] - values[earlier]
    return (steps + np.pi) % TURN - np.pi if circular else steps
