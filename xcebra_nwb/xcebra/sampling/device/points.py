"""The points of :mod:`.neighbours` on a device, those of all members together, and their order along an axis.

Shapes: M members, S steps, B samples of a batch, P points of all members.
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
    """The distinct labels of all members, by member and class; members with the same neighbours share them."""

    labels: Floats  # (P, axis), those of a class in order of their axes
    sizes: Integers  # (class of all members,) how many of them each has
    first: Tables  # by class, which of all points is the class's first
    last: Tables  # by class, the one after its last
    start: Tensor  # (M, 1, 1) the member's first place
    spans: list[tuple[int, int]]  # by member, its first place and the one after its last

    @classmethod
    def of(cls, neighbours: Sequence[Neighbours], device: torch.device) -> LabelPoints:
        """Return the points of ``neighbours``, one a member."""
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
    """The points of every class in order along one axis.

    All members and classes are searched at once: a target's rank among the values of all comes first, and then the
    whole number made of the class's group and the rank is looked for among the points' own.
    """

    ranked: Tensor  # (distinct value of all members,) in order
    key: Tensor  # (P,) group of the place times the number of ranks, plus the rank of its value; in order
    group: Tensor  # (M, 1, 1) the group of the member's first class

    @classmethod
    def of(cls, points: LabelPoints, values: NDArray) -> Order:
        """Return the order of ``points`` by ``values`` (P,), which ascend within every class."""
        ranked, rank = np.unique(values, return_inverse=True)
        key = np.repeat(np.arange(len(points.sizes)), points.sizes) * (len(ranked) + 1) + rank.reshape(-1)
        device = points.start.device
        return cls(torch.as_tensor(ranked, device=device), torch.as_tensor(key, device=device), points.first.start)

    def after(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the first place of each target's class that is not below it, or the one after the class's last.

        Args:
            targets: (M, S, B), contiguous, of the values' type.
            classes: (M, S, B).
        """
        wanted = (self.group + classes) * (len(self.ranked) + 1) + torch.searchsorted(self.ranked, targets)
        return torch.searchsorted(self.key, wanted)
