"""Tables of all members side by side on a device, so that one operation reads them for every member.

Shapes: M members, S steps, B samples of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.sampling.groups import Groups

Thing = TypeVar("Thing")


def distinct(things: Sequence[Thing]) -> tuple[list[Thing], list[int]]:
    """Return ``things`` without those that are the same object again, and which of them each was."""
    by_identity = {id(thing): thing for thing in things}
    number = {key: position for position, key in enumerate(by_identity)}
    return list(by_identity.values()), [number[id(thing)] for thing in things]


def by_member(numbers: Sequence[float] | NDArray, device: torch.device) -> Tensor:
    """Return one number a member, (M, 1, 1)."""
    return torch.as_tensor(np.asarray(numbers), device=device).view(-1, 1, 1)


@dataclass(frozen=True)
class Tables:
    """A table a member, one after the other; members that have the same array share it."""

    flat: Tensor  # (entry of all tables, ...)
    start: Tensor  # (M, 1, 1) the first entry of each member's
    size: Tensor  # (M, 1, 1) how many entries it has

    @classmethod
    def of(cls, tables: Sequence[NDArray], device: torch.device) -> Tables:
        """Return ``tables``, one a member, on ``device``."""
        shared, owner = distinct(tables)
        sizes = np.array([len(table) for table in shared])
        starts = np.cumsum(sizes) - sizes
        flat = torch.as_tensor(np.concatenate(shared), device=device)
        return cls(flat, by_member(starts[owner], device), by_member(sizes[owner], device))

    def at(self, index: Tensor) -> Tensor:
        """Return the entries ``index`` (M, S, B) of the members' own tables, (M, S, B, ...)."""
        return self.flat[self.start + index]

    def any(self, uniform: Tensor) -> Tensor:
        """Return random entries by numbers ``uniform`` (M, S, B) in [0, 1)."""
        return self.at((uniform * self.size).long())


@dataclass(frozen=True)
class GroupTables:
    """The members' :class:`~xcebra_nwb.xcebra.sampling.groups.Groups`."""

    order: Tables
    start: Tables
    size: Tables

    @classmethod
    def of(cls, groups: Sequence[Groups], device: torch.device) -> GroupTables:
        """Return ``groups``, one a member, on ``device``."""
        orders, starts, sizes = zip(*((member.order, member.start, member.size) for member in groups), strict=True)
        return cls(Tables.of(orders, device), Tables.of(starts, device), Tables.of(sizes, device))

    def member(self, group: Tensor, uniform: Tensor) -> Tensor:
        """Return a random sample of each of ``group`` (M, S, B) by numbers ``uniform`` in [0, 1)."""
        return self.order.at(self.start.at(group) + (uniform * self.size.at(group)).long())
