"""The sample whose label is nearest to a target label.

Labels of one axis are searched in order, labels of several axes by a k-d tree.
"""

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
    """The search among the labels of one class."""

    def nearest(self, targets: Floats) -> Integers:
        """Return the number (...) of a label nearest to each target (..., axis)."""
        ...


@dataclass(frozen=True)
class InOrder:
    """The search among labels of one axis.

    The nearest label is one of the two neighbours of a target, the lower one if they are equally near.

    Attributes:
        labels: Labels in ascending order, shape (label,).
        circular: Whether the labels are angles in rad.
    """

    labels: Floats
    circular: bool

    def nearest(self, targets: Floats) -> Integers:
        """Return the number (...) of the label nearest to each target (..., 1)."""
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
    """The search among labels of several axes.

    Attributes:
        labels: Labels, shape (label, axis).
    """

    labels: Floats

    @cached_property
    def tree(self) -> cKDTree:
        """The k-d tree of the labels, built at the first search on the CPU."""
        return cKDTree(self.labels)

    def nearest(self, targets: Floats) -> Integers:
        """Return the number (...) of the label nearest to each target (..., axis)."""
        numbers: Integers = self.tree.query(targets)[1]
        return numbers


@dataclass(frozen=True)
class Neighbours:
    """Samples by class and label point.

    A *label point* is a distinct label within a class.

    Samples with exactly the same label are equally near, and one of them is drawn at random. So with a label in pixels,
    or an animal that sits still, no single sample is the positive of all others. Distances are Euclidean. Between unit
    vectors that is the chord, which has the same order as the arc; between angles it is the shorter way round.

    Attributes:
        samples: Samples by label point.
        labels: Label points (point, axis), class after class, each class in order of its axes.
        first: First label point of each class, shape (class,).
        searches: Search of each class.
        circular: Whether the label is an angle in rad.
    """

    samples: Groups
    labels: Floats
    first: Integers
    searches: tuple[Search, ...]
    circular: bool

    @classmethod
    def of(cls, values: Floats, circular: bool = False, classes: Integers | None = None) -> Neighbours:
        """Return the neighbours among labels within classes.

        Args:
            values: Label, shape (sample, axis).
            circular: Whether the single axis is an angle in rad.
            classes: Class codes 0, 1, ... of the samples, shape (sample,); None: a single class.
        """
        classes = np.zeros(len(values), dtype=np.int64) if classes is None else classes
        distinct, point = distinct_rows(np.column_stack([classes, _wrapped(values) if circular else values]))
        first, labels = np.searchsorted(distinct[:, 0], np.arange(classes.max() + 1)), distinct[:, 1:]
        searches = tuple(_search(class_labels, circular) for class_labels in np.split(labels, first[1:]))
        return cls(Groups.of(point), labels, first, searches, circular)

    @property
    def sizes(self) -> Integers:
        """The number of label points of each class, shape (class,)."""
        return np.diff(self.first, append=len(self.labels))

    def draw(self, targets: Floats, classes: Integers, generator: np.random.Generator) -> Integers:
        """Return a sample of the wanted class whose label is nearest to each target.

        Args:
            targets: Target labels, shape (..., axis).
            classes: Class of each target, shape (...); every class must occur.
            generator: Draws among samples with the same label.

        Returns:
            Sample numbers, shape (...).

        >>> neighbours = Neighbours.of(np.array([[0.0], [1.0], [4.0]]))
        >>> neighbours.draw(np.array([[0.9], [3.0]]), np.array([0, 0]), np.random.default_rng(0)).tolist()
        [1, 2]
        """
        targets = _wrapped(targets) if self.circular else targets
        points = np.empty(classes.shape, dtype=np.int64)
        for code in np.unique(classes):
            of_class = classes == code
            points[of_class] = self.first[code] + self.searches[code].nearest(targets[of_class])
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
