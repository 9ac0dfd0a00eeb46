"""The nearest places of :mod:`.neighbours` on a device, for all members together.

With one axis they are one of the two places on either side, in float64 like those found on the CPU. With several axes
places are compared in float32 around the mean of the member's label: on CUDA with Triton those that are near enough
along the first axis (:mod:`.nearest_kernel`), else all, some at a time (:mod:`.nearest`). Of places
that are equally near the first is taken, in the order of the label's axes (of angles, the one before the target).
Shapes: M members, S steps, B samples of a batch, P places of all members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from xcebra_nwb.xcebra.sampling.device.nearest import kernel_serves, nearest_in_chunks
from xcebra_nwb.xcebra.sampling.device.points import LabelPoints, Order
from xcebra_nwb.xcebra.sampling.neighbours import TURN, Neighbours


class DeviceSearch(Protocol):
    """Finds nearest places."""

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the member's own number of the place of its class nearest to each of ``targets``, (M, S, B).

        Args:
            targets: (M, S, B, axis), float64.
            classes: (M, S, B); every class asked for must occur.
        """
        ...


def device_search(neighbours: Sequence[Neighbours], device: torch.device) -> DeviceSearch:
    """Return the search among the places of ``neighbours``, one a member, of labels of the same kind."""
    points = LabelPoints.of(neighbours, device)
    if points.labels.shape[1] == 1:
        return SearchInOrder.of(points, neighbours[0].circular)
    return SearchInSpace.of(points, fused=kernel_serves(points.labels.shape[1], device))


@dataclass(frozen=True)
class SearchInOrder:
    """See :class:`~xcebra_nwb.xcebra.sampling.neighbours.InOrder`."""

    points: LabelPoints
    order: Order
    labels: Tensor  # (P,)
    circular: bool

    @classmethod
    def of(cls, points: LabelPoints, circular: bool) -> SearchInOrder:
        """Return the search among ``places`` of one axis, in rad if ``circular``."""
        labels = np.ascontiguousarray(points.labels[:, 0])
        return cls(points, Order.of(points, labels), torch.as_tensor(labels, device=points.start.device), circular)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """See :class:`DeviceSearch`."""
        target = targets[..., 0].contiguous()
        if self.circular:
            target = target.remainder(TURN)
        after, first, last = (
            self.order.after(target, classes),
            self.points.first.at(classes),
            self.points.last.at(classes),
        )
        if self.circular:
            below, above = torch.where(after > first, after, last) - 1, torch.where(after < last, after, first)
        else:
            below, above = torch.maximum(after - 1, first), torch.minimum(after, last - 1)
        nearer = self._apart(target, above) < self._apart(target, below)
        return torch.where(nearer, above, below) - self.points.start

    def _apart(self, target: Tensor, point: Tensor) -> Tensor:
        apart = (target - self.labels[point]).abs()
        return torch.minimum(apart, TURN - apart) if self.circular else apart


@dataclass(frozen=True)
class SearchInSpace:
    """See :class:`~xcebra_nwb.xcebra.sampling.neighbours.InSpace`."""

    points: LabelPoints
    order: Order  # along the first axis
    centre: Tensor  # (M, 1, 1, axis) the mean label: differences of float32 are exact where they are small
    centred: Tensor  # (axis, P) float32, from the centre
    fused: bool  # by the kernel

    @classmethod
    def of(cls, points: LabelPoints, fused: bool) -> SearchInSpace:
        """Return the search among ``places``; ``fused`` needs Triton."""
        centres = np.stack([points.labels[slice(*span)].mean(axis=0) for span in points.spans])
        centred = np.empty(points.labels.shape[::-1], dtype=np.float32)
        for centre, span in zip(centres, points.spans, strict=True):
            centred[:, slice(*span)] = (points.labels[slice(*span)] - centre).T
        arrays = (torch.as_tensor(array, device=points.start.device) for array in (centres[:, None, None], centred))
        return cls(points, Order.of(points, centred[0]), *arrays, fused)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """See :class:`DeviceSearch`."""
        wanted = (targets - self.centre).float().movedim(-1, 0).contiguous()  # (axis, M, S, B)
        first, last = self.points.first.at(classes), self.points.last.at(classes)
        if self.fused:
            from xcebra_nwb.xcebra.sampling.device.nearest_kernel import nearest_fused

            borders = (first.flatten(), last.flatten(), self.order.after(wanted[0], classes).flatten())
            nearest = nearest_fused(self.centred, wanted.flatten(1), *borders).view_as(first)
        else:
            by_member = [
                nearest_in_chunks(self.centred[:, slice(*span)], wanted[:, member].flatten(1), *borders) + span[0]
                for member, span in enumerate(self.points.spans)
                for borders in [(first[member].flatten() - span[0], last[member].flatten() - span[0])]
            ]
            nearest = torch.stack(by_member).view_as(first)
        return nearest - self.points.start
