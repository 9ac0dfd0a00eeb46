"""The label points of all members on a device, and their order along an axis.

Shapes: M members, S steps, B samples of a batch, P label points of all members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.sampling.device.tables import Tables, by_member, distinct
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.neighbours import Neighbours


@dataclass(frozen=True)
class LabelPoints:
    """The label points of all members, by member and class.

    Members with the same neighbours share their points.

    Attributes:
        labels: Labels (P, axis), each class in order of its axes.
        sizes: Number of points of each class of all members.
        first: First point of each class, a table for each member.
        last: The point after the last of each class, a table for each member.
        start: First point of each member, shape (M, 1, 1).
        spans: First point of each member, and the point after its last.
    """

    labels: Floats
    sizes: Integers
    first: Tables
    last: Tables
    start: Tensor
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, neighbours: Sequence[Neighbours], device: torch.device) -> LabelPoints:
        """Return the label points of the ``neighbours`` of each member."""
        shared, owner = distinct(neighbours)
        ends = np.cumsum([len(member.labels) for member in shared])
        starts = ends - [len(member.labels) for member in shared]
        first = [member.first + start for member, start in zip(shared, starts, strict=True)]
        last = [begins + member.sizes for member, begins in zip(shared, first, strict=True)]
        return cls(
            np.concatenate([member.labels for member in shared]),
            np.concatenate([member.sizes for member in shared]),
            Tables.of([first[number] for number in owner], device),
            Tables.of([last[number] for number in owner], device),
            by_member(starts[owner], device),
            [(int(starts[number]), int(ends[number])) for number in owner],
        )


@dataclass(frozen=True)
class Order:
    """The order of the label points of every class along one axis.

    All members and classes are searched at once. The rank of a target among all values comes first. Then a number made
    of the class's group and the rank is searched among the keys of the points.

    Attributes:
        ranked: Distinct values of all members, in order.
        key: Group of each point times the number of ranks, plus the rank of its value, in order, shape (P,).
        group: Group of each member's first class, shape (M, 1, 1).
    """

    ranked: Tensor
    key: Tensor
    group: Tensor

    @classmethod
    def of(cls, points: LabelPoints, values: NDArray) -> Order:
        """Return the order of ``points`` by ``values`` (P,) that ascend in each class."""
        ranked, rank = np.unique(values, return_inverse=True)
        key = np.repeat(np.arange(len(points.sizes)), points.sizes) * (len(ranked) + 1) + rank.reshape(-1)
        device = points.start.device
        return cls(torch.as_tensor(ranked, device=device), torch.as_tensor(key, device=device), points.first.start)

    def after(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the first point of each target's class that is not below the target.

        Args:
            targets: Targets, shape (M, S, B), contiguous, of the type of the values.
            classes: Class of each target, shape (M, S, B).

        Returns:
            Point numbers (M, S, B); the point after the class's last if all are below the target.
        """
        wanted = (self.group + classes) * (len(self.ranked) + 1) + torch.searchsorted(self.ranked, targets)
        return torch.searchsorted(self.key, wanted)
