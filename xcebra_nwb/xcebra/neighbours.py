"""The sample whose label is nearest to a point of label space, by one k-d tree a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xcebra_nwb.xcebra.groups import Floats, Groups, Integers

TURN = 2 * np.pi


@dataclass(frozen=True)
class Neighbours:
    """Samples by class and place; a *place* is a distinct label within a class.

    Samples with exactly the same label are equally near: one of them is drawn, so that a label in pixels, or an animal
    that sits still, does not make one sample everybody's positive. Distances are Euclidean: the chord between unit
    vectors, which orders them as the arc does, and the shorter way round for angles.
    """

    places: Groups
    first: Integers  # (class,) the first place of each class
    trees: tuple[cKDTree, ...]  # by class, over its distinct labels
    circular: bool

    @classmethod
    def of(cls, values: Floats, circular: bool = False, classes: Integers | None = None) -> Neighbours:
        """Return the neighbours among labels ``values`` (sample, axis), in rad if ``circular``, within ``classes``.

        Args:
            classes: (sample,) class codes 0, 1, ...; None: all samples are of one class, 0.
        """
        classes = np.zeros(len(values), dtype=np.int64) if classes is None else classes
        distinct, place = np.unique(
            np.column_stack([classes, _wrapped(values) if circular else values]), axis=0, return_inverse=True
        )
        first = np.searchsorted(distinct[:, 0], np.arange(classes.max() + 1))
        trees = [cKDTree(labels, boxsize=TURN if circular else None) for labels in np.split(distinct[:, 1:], first[1:])]
        return cls(Groups.of(place.reshape(-1)), first, tuple(trees), circular)

    def draw(self, targets: Floats, classes: Integers, generator: np.random.Generator) -> Integers:
        """Return for every target (..., axis) a sample of its class (...) that no other sample of it is nearer than.

        Every class asked for must occur.
        """
        targets = _wrapped(targets) if self.circular else targets
        places = np.empty(classes.shape, dtype=np.int64)
        for code in np.unique(classes):
            asked = classes == code
            _, nearest = self.trees[code].query(targets[asked])
            places[asked] = self.first[code] + nearest
        return self.places.member(places, generator)

    def occurs(self, classes: NDArray) -> NDArray[np.bool_]:
        """Return which of the class codes ``classes`` have samples, in the same shape."""
        having = [code for code, tree in enumerate(self.trees) if tree.n]
        found: NDArray[np.bool_] = np.isin(classes, having)
        return found


def _wrapped(angles: Floats) -> Floats:
    """Angles in [0, 2 pi); the remainder of a tiny negative angle is rounded to a full turn."""
    wrapped = np.mod(angles, TURN)
    return np.where(wrapped >= TURN, 0.0, wrapped)
