"""Tables of all members side by side on a device, read by one operation.

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
    """Return the distinct objects among ``things``, and which of them each is.

    >>> shared = [1, 2]
    >>> distinct([shared, [3], shared])
    ([[1, 2], [3]], [0, 1, 0])
    """
    by_identity = {id(thing): thing for thing in things}
    number = {key: position for position, key in enumerate(by_identity)}
    return list(by_identity.values()), [number[id(thing)] for thing in things]


def by_member(numbers: Sequence[float] | NDArray, device: torch.device) -> Tensor:
    """Return one number for each member, shape (M, 1, 1)."""
    return torch.as_tensor(np.asarray(numbers), device=device).view(-1, 1, 1)


@dataclass(frozen=True)
class Tables:
    """A table of each member, one after the other; one array is stored once.

    Attributes:
        flat: Entries of all tables, shape (entry, ...).
        start: First entry of each member's table, shape (M, 1, 1).
        size: Number of entries of each member's table, shape (M, 1, 1).
    """

    flat: Tensor
    start: Tensor
    size: Tensor

    @classmethod
    def of(cls, tables: Sequence[NDArray], device: torch.device) -> Tables:
        """Return the table of each member on a device.

        >>> table = Tables.of([np.array([5, 6]), np.array([7])], torch.device("cpu"))
        >>> table.at(torch.tensor([[[1]], [[0]]])).flatten().tolist()
        [6, 7]
        """
        shared, owner = distinct(tables)
        sizes = np.array([len(table) for table in shared])
        starts = np.cumsum(sizes) - sizes
        flat = torch.as_tensor(np.concatenate(shared), device=device)
        return cls(flat, by_member(starts[owner], device), by_member(sizes[owner], device))

    def at(self, index: Tensor) -> Tensor:
        """Return the entries ``index`` (M, S, B) of each member's table."""
        return self.flat[self.start + index]

    def any(self, uniform: Tensor) -> Tensor:
        """Return random entries by numbers ``uniform`` (M, S, B) in [0, 1)."""
        return self.at((uniform * self.size).long())


@dataclass(frozen=True)
class GroupTables:
    """The :class:`~xcebra_nwb.xcebra.sampling.groups.Groups` of all members."""

    order: Tables
    start: Tables
    size: Tables

    @classmethod
    def of(cls, groups: Sequence[Groups], device: torch.device) -> GroupTables:
        """Return the groups of each member on a device."""
        orders, starts, sizes = zip(*((member.order, member.start, member.size) for member in groups), strict=True)
        return cls(Tables.of(orders, device), Tables.of(starts, device), Tables.of(sizes, device))

    def member(self, group: Tensor, uniform: Tensor) -> Tensor:
        """Return a random sample of each of ``group`` (M, S, B) by ``uniform`` in [0, 1)."""
        return self.order.at(self.start.at(group) + (uniform * self.size.at(group)).long())
