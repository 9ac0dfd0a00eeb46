"""The nearest of many points by one Triton kernel: distances stay in registers, only the answer is stored."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

TARGETS, POINTS = 32, 64  # of a program, and looked at by it at once: 16 distances a thread, which registers hold
LAST_PLACE = tl.constexpr(2**31 - 1)


@triton.jit
def _nearest(
    points: Any,
    targets: Any,
    firsts: Any,
    lasts: Any,
    found: Any,
    count: Any,
    places: Any,
    AXES: tl.constexpr,
    TARGETS: tl.constexpr,
    POINTS: tl.constexpr,
) -> None:
    target = tl.program_id(0) * TARGETS + tl.arange(0, TARGETS)
    asked = tl.minimum(target, count - 1)  # those beyond the last ask for the last again
    first = tl.load(firsts + asked).to(tl.int32)
    last = tl.load(lasts + asked).to(tl.int32)
    low, high = tl.min(first), tl.max(last)
    several = (tl.max(first) > low) | (tl.min(last) < high)  # classes, or members, in one program
    least = tl.full((TARGETS, POINTS), float("inf"), tl.float32)
    nearest = tl.zeros((TARGETS, POINTS), tl.int32) + first[:, None]
    for start in range(low, high, POINTS):
        place = start + tl.arange(0, POINTS)
        square = tl.zeros((TARGETS, POINTS), tl.float32)
        for axis in tl.static_range(AXES):
            wanted = tl.load(targets + axis * count + asked)
            # What lies beyond the last place is infinitely far.
            point = tl.load(points + axis * places + place, mask=place < high, other=float("inf"))
            apart = wanted[:, None] - point[None, :]
            square += apart * apart
        if several:
            inside = (place[None, :] >= first[:, None]) & (place[None, :] < last[:, None])
            square = tl.where(inside, square, float("inf"))
        nearer = square < least
        least = tl.where(nearer, square, least)
        nearest = tl.where(nearer, place[None, :], nearest)
    best = tl.min(least, axis=1)
    first_of_best = tl.min(tl.where(least == best[:, None], nearest, LAST_PLACE), axis=1)
    tl.store(found + target, first_of_best.to(tl.int64), mask=target < count)


def nearest_fused(points: Tensor, targets: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return what :func:`~xcebra_nwb.xcebra.device_neighbours.nearest_in_chunks` returns, at once.

    ``points`` (axis, P), P less than 2^31, and ``targets`` (axis, target) are contiguous.
    """
    axes, count = targets.shape
    found = torch.empty_like(first)
    programs = (triton.cdiv(count, TARGETS),)
    with torch.cuda.device_of(points):  # of several cards the one that holds the points
        _nearest[programs](points, targets, first, last, found, count, points.shape[1], axes, TARGETS, POINTS)
    return found
