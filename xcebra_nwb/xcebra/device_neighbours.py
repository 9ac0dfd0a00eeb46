"""The nearest places of :mod:`.neighbours` on a device, for all members together.

With one axis places are in order, and two searches by bisection find the neighbours on both sides, in float64 like the
one on the CPU. With several axes every place of the member's own label is looked at, in float32 around its mean, and no
more than :data:`ELEMENTS` distances are held; on CUDA with Triton none is (:mod:`.nearest_kernel`). Of places that are
equally near the first is taken, in the order of the label's axes (of angles, the one before the target).
Shapes: M members, S steps, B samples of a batch, P places of all members.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from xcebra_nwb.xcebra.device_tables import Tables, by_member, distinct
from xcebra_nwb.xcebra.groups import Floats, Integers
from xcebra_nwb.xcebra.neighbours import TURN, Neighbours

ELEMENTS = 2**24  # distances held at once where no kernel holds them in registers


class Search(Protocol):
    """Finds nearest places."""

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the member's own number of the place of its class nearest to each of ``targets``, (M, S, B).

        Args:
            targets: (M, S, B, axis), float64.
            classes: (M, S, B); every class asked for must occur.
        """
        ...


def search(neighbours: Sequence[Neighbours], device: torch.device) -> Search:
    """Return the search among the places of ``neighbours``, one a member, of labels of the same kind."""
    places = Places.of(neighbours, device)
    if places.labels.shape[1] == 1:
        return SortedSearch.of(places, neighbours[0].circular)
    return FullSearch.of(places, fused=device.type == "cuda" and importlib.util.find_spec("triton") is not None)


@dataclass(frozen=True)
class Places:
    """The distinct labels of all members, by member and class; members with the same neighbours share them."""

    labels: Floats  # (P, axis)
    sizes: Integers  # (class of all members,) how many of them each has
    first: Tables  # by class, which of all places is the class's first
    last: Tables  # by class, the one after its last
    start: Tensor  # (M, 1, 1) the member's first place
    spans: list[tuple[int, int]]  # by member, its first place and the one after its last

    @classmethod
    def of(cls, neighbours: Sequence[Neighbours], device: torch.device) -> Places:
        """Return the places of ``neighbours``, one a member."""
        own, owner = distinct(neighbours)
        ends = np.cumsum([len(one.labels) for one in own])
        starts = ends - [len(one.labels) for one in own]
        first = [one.first + start for one, start in zip(own, starts, strict=True)]
        last = [begins + one.sizes for one, begins in zip(own, first, strict=True)]
        return cls(
            np.concatenate([one.labels for one in own]),
            np.concatenate([one.sizes for one in own]),
            Tables.of([first[number] for number in owner], device),
            Tables.of([last[number] for number in owner], device),
            by_member(starts[owner], device),
            [(int(starts[number]), int(ends[number])) for number in owner],
        )


@dataclass(frozen=True)
class SortedSearch:
    """Bisection along one axis.

    All members and classes are searched at once: a target's rank among the labels of all comes first, and then
    the whole number made of the class's group and the rank is looked for among the places' own.
    """

    places: Places
    circular: bool
    label: Tensor  # (P,)
    ranked: Tensor  # (distinct label of all members,) in order
    key: Tensor  # (P,) group of the place times the number of ranks, plus the rank of its label; in order
    group: Tensor  # (M, 1, 1) the group of the member's first class

    @classmethod
    def of(cls, places: Places, circular: bool) -> SortedSearch:
        """Return the search among ``places`` of one axis, in rad if ``circular``."""
        label, first = places.labels[:, 0], places.first
        device = first.flat.device
        ranked, rank = np.unique(label, return_inverse=True)
        key = np.repeat(np.arange(len(places.sizes)), places.sizes) * (len(ranked) + 1) + rank.reshape(-1)
        label_there, ranked_there, key_there = (torch.as_tensor(part, device=device) for part in (label, ranked, key))
        return cls(places, circular, label_there, ranked_there, key_there, first.start)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """See :class:`Search`."""
        target = targets[..., 0]
        if self.circular:
            target = target.remainder(TURN)
        wanted = (self.group + classes) * (len(self.ranked) + 1) + torch.searchsorted(self.ranked, target)
        above = torch.searchsorted(self.key, wanted)
        first, last = self.places.first.at(classes), self.places.last.at(classes)
        if self.circular:
            below, above = torch.where(above > first, above, last) - 1, torch.where(above < last, above, first)
        else:
            below, above = torch.maximum(above - 1, first), torch.minimum(above, last - 1)
        nearer = self._distance(target, above) < self._distance(target, below)
        return torch.where(nearer, above, below) - self.places.start

    def _distance(self, target: Tensor, place: Tensor) -> Tensor:
        apart = (target - self.label[place]).abs()
        return torch.minimum(apart, TURN - apart) if self.circular else apart


@dataclass(frozen=True)
class FullSearch:
    """A look at every place, along several axes."""

    places: Places
    centre: Tensor  # (M, 1, 1, axis) the mean label: differences of float32 are exact where they are small
    points: Tensor  # (axis, P) float32, from the centre
    fused: bool  # by the kernel

    @classmethod
    def of(cls, places: Places, fused: bool) -> FullSearch:
        """Return the search among ``places``; ``fused`` needs Triton."""
        centres = np.stack([places.labels[slice(*span)].mean(axis=0) for span in places.spans])
        points = np.empty(places.labels.shape, dtype=np.float32)
        for centre, span in zip(centres, places.spans, strict=True):
            points[slice(*span)] = places.labels[slice(*span)] - centre
        device = places.start.device
        centre = torch.as_tensor(centres, device=device)[:, None, None]
        return cls(places, centre, torch.as_tensor(np.ascontiguousarray(points.T), device=device), fused)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """See :class:`Search`."""
        wanted = (targets - self.centre).float().movedim(-1, 0).contiguous()  # (axis, M, S, B)
        first, last = self.places.first.at(classes), self.places.last.at(classes)
        if self.fused:
            from xcebra_nwb.xcebra.nearest_kernel import nearest_fused

            found = nearest_fused(self.points, wanted.flatten(1), first.flatten(), last.flatten()).view_as(first)
        else:
            own = [
                nearest_in_chunks(self.points[:, slice(*span)], wanted[:, member].flatten(1), *borders) + span[0]
                for member, span in enumerate(self.places.spans)
                for borders in [(first[member].flatten() - span[0], last[member].flatten() - span[0])]
            ]
            found = torch.stack(own).view_as(first)
        return found - self.places.start


def nearest_in_chunks(points: Tensor, targets: Tensor, first: Tensor, last: Tensor, elements: int = ELEMENTS) -> Tensor:
    """Return for every target the number of the nearest of ``points`` between ``first`` and ``last``, (target,).

    Squares of differences are summed, not products, which lose the digits that tell near places apart.

    Args:
        points: (axis, P).
        targets: (axis, target).
        first: (target,) the first point that counts.
        last: (target,) the one after the last that counts.
        elements: distances held at once.
    """
    best = torch.full_like(targets[0], torch.inf)
    found = first
    width = max(1, elements // targets.shape[1])
    for start in range(0, points.shape[1], width):
        chunk = points[:, start : start + width]
        square = torch.zeros(targets.shape[1], chunk.shape[1], dtype=targets.dtype, device=targets.device)
        for target, point in zip(targets, chunk, strict=True):
            apart = target[:, None] - point
            square.addcmul_(apart, apart)
        number = torch.arange(start, start + chunk.shape[1], device=targets.device)
        square.masked_fill_((number < first[:, None]) | (number >= last[:, None]), torch.inf)
        least, where = square.min(dim=1)
        nearer = least < best
        best, found = torch.where(nearer, least, best), torch.where(nearer, where + start, found)
    return found
