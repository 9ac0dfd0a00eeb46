"""The sample whose label is nearest to a point of label space: in order along one axis, by k-d trees along several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xcebra_nwb.xcebra.sampling.groups import Floats, Groups, Integers, distinct_rows

TURN = 2 * np.pi


class Search(Protocol):
    """Finds the nearest among the labels of a class."""

    def nearest(self, targets: Floats) -> Integers:
        """Return the number (...) of the label nearest to each of ``targets`` (..., axis); of several, any."""
        ...


@dataclass(frozen=True)
class InOrder:
    """Labels of one axis: the nearest is one of the two on either side, the lower of them if they are equally near."""

    labels: Floats  # (label,) ascending
    circular: bool

    def nearest(self, targets: Floats) -> Integers:
        """See :class:`Search`."""
        target, count = targets[..., 0], len(self.labels)
        after = np.searchsorted(self.labels, target)
        if self.circular:
            below, above = (after - 1) % count, after % count
        else:
            below, above = np.maximum(after - 1, 0), np.minimum(after, count - 1)
        return np.where(self._apart(target, above) < self._apart(target, below), above, below)

    def _apart(self, target: Floats, label: Integers) -> Floats:
        apart = np.abs(target - self.labels[label])
        return np.minimum(apart, TURN - apart) if self.circular else apart


@dataclass(frozen=True)
class InSpace:
    """Labels of several axes."""

    labels: Floats  # (label, axis)

    @cached_property
    def tree(self) -> cKDTree:
        """The labels' tree; where a card draws, nobody asks for it."""
        return cKDTree(self.labels)

    def nearest(self, targets: Floats) -> Integers:
        """See :class:`Search`."""
        numbers: Integers = self.tree.query(targets)[1]
        return numbers


@dataclass(frozen=True)
class Neighbours:
    """Samples by class and place; a *place* is a distinct label within a class.

    Samples with exactly the same label are equally near: one of them is drawn, so that a label in pixels, or an animal
    that sits still, does not make one sample everybody's positive. Distances are Euclidean: the chord between unit
    vectors, which orders them as the arc does, and the shorter way round for angles.
    """

    samples: Groups
    labels: Floats  # (place, axis), class after class, each in order of its axes
    first: Integers  # (class,) the first place of each class
    searches: tuple[Search, ...]  # by class
    circular: bool

    @classmethod
    def of(cls, values: Floats, circular: bool = False, classes: Integers | None = None) -> Neighbours:
        """Return the neighbours among labels ``values`` (sample, axis) within ``classes``.

        Args:
            circular: the one axis is an angle, in rad.
            classes: (sample,) class codes 0, 1, ...; None: all samples are of one class, 0.
        """
        classes = np.zeros(len(values), dtype=np.int64) if classes is None else classes
        distinct, point = distinct_rows(np.column_stack([classes, _wrapped(values) if circular else values]))
        first, labels = np.searchsorted(distinct[:, 0], np.arange(classes.max() + 1)), distinct[:, 1:]
        searches = tuple(_search(class_labels, circular) for class_labels in np.split(labels, first[1:]))
        return cls(Groups.of(point), labels, first, searches, circular)

    @property
    def sizes(self) -> Integers:
        """How many places each class has."""
        return np.diff(self.first, append=len(self.labels))

    def draw(self, targets: Floats, classes: Integers, generator: np.random.Generator) -> Integers:
        """Return for every target (..., axis) a sample of its class (...) that no other sample of it is nearer than.

        Every class asked for must occur.
        """
        targets = _wrapped(targets) if self.circular else targets
        points = np.empty(classes.shape, dtype=np.int64)
        for code in np.unique(classes):
            asked = classes == code
            points[asked] = self.first[code] + self.searches[code].nearest(targets[asked])
        return self.samples.member(points, generator)

    def occurs(self, classes: NDArray) -> NDArray[np.bool_]:
        """Return which of the class codes ``classes`` have samples, in the same shape."""
        occurs: NDArray[np.bool_] = np.isin(classes, np.flatnonzero(self.sizes))
        return occurs


def _search(labels: Floats, circular: bool) -> Search:
    if labels.shape[1] == 1:
        return InOrder(np.ascontiguousarray(labels[:, 0]), circular)
    return InSpace(labels)


def _wrapped(angles: Floats) -> Floats:
    """Angles in [0, 2 pi); the remainder of a tiny negative angle is rounded to a full turn."""
    wrapped = np.mod(angles, TURN)
    return np.where(wrapped >= TURN, 0.0, wrapped)
