"""The nearest label points on a device, for all members together.

With one axis the nearest point is one of the two neighbours of the target, in float64 as on the CPU. With several axes
points are compared in float32 around the mean of the member's label. On CUDA with Triton only the points that are near
enough along the first axis are compared (:mod:`.nearest_kernel`), else all points in chunks (:mod:`.nearest`). Of
equally near points the first is taken, in the order of the label's axes; of angles it is the one before the target.
Shapes: M members, S steps, B samples of a batch, P label points of all members.
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
    """The search for the nearest label points of all members."""

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the nearest label point of each target's class.

        Args:
            targets: Target labels, shape (M, S, B, axis), float64.
            classes: Class of each target, shape (M, S, B); every class must occur.

        Returns:
            Numbers among the member's label points, shape (M, S, B).
        """
        ...


def device_search(neighbours: Sequence[Neighbours], device: torch.device) -> DeviceSearch:
    """Return the search among the label points of all members.

    Args:
        neighbours: Neighbours of each member, of labels of the same kind.
        device: Device that searches.
    """
    points = LabelPoints.of(neighbours, device)
    if points.labels.shape[1] == 1:
        return SearchInOrder.of(points, neighbours[0].circular)
    return SearchInSpace.of(points, fused=kernel_serves(points.labels.shape[1], device))


@dataclass(frozen=True)
class SearchInOrder:
    """The search among labels of one axis, for all members.

    Attributes:
        points: Label points of all members.
        order: Their order.
        labels: Their labels, shape (P,).
        circular: Whether the labels are angles in rad.
    """

    points: LabelPoints
    order: Order
    labels: Tensor
    circular: bool

    @classmethod
    def of(cls, points: LabelPoints, circular: bool) -> SearchInOrder:
        """Return the search among ``points`` of one axis, in rad if ``circular``."""
        labels = np.ascontiguousarray(points.labels[:, 0])
        return cls(points, Order.of(points, labels), torch.as_tensor(labels, device=points.start.device), circular)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the nearest label point of each target's class, shape (M, S, B)."""
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
    """The search among labels of several axes, for all members.

    Attributes:
        points: Label points of all members.
        order: Their order along the first axis.
        centre: Mean label of each member, shape (M, 1, 1, axis); float32 differences around it are small and so exact.
        centred: Labels minus the centre, shape (axis, P), float32.
        fused: Whether the Triton kernel searches.
    """

    points: LabelPoints
    order: Order
    centre: Tensor
    centred: Tensor
    fused: bool

    @classmethod
    def of(cls, points: LabelPoints, fused: bool) -> SearchInSpace:
        """Return the search among ``points``; ``fused`` needs Triton."""
        centres = np.stack([points.labels[slice(*span)].mean(axis=0) for span in points.spans])
        centred = np.empty(points.labels.shape[::-1], dtype=np.float32)
        for centre, span in zip(centres, points.spans, strict=True):
            centred[:, slice(*span)] = (points.labels[slice(*span)] - centre).T
        device = points.start.device
        means = torch.as_tensor(centres[:, None, None], device=device)
        return cls(points, Order.of(points, centred[0]), means, torch.as_tensor(centred, device=device), fused)

    def nearest(self, targets: Tensor, classes: Tensor) -> Tensor:
        """Return the nearest label point of each target's class, shape (M, S, B)."""
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
