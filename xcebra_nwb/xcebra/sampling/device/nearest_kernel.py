"""The nearest of many points by one Triton kernel.

Distances stay in registers, and far points are skipped. Points are in order along the first axis, and targets are taken
in that order too. A program compares the points from the lowest of its few targets upwards, and then downwards, until
none can be nearer along the first axis alone. Of 100,000 points on a plane that leaves some 900.
"""

# Triton's compiler accepts only its own annotations of parameters.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# A program is one warp: 32 distances a thread fit its registers, and to compare them takes no shared memory.
TARGETS, POINTS, WARPS = 8, 128, 1
LAST_POINT = tl.constexpr(2**31 - 1)


@triton.jit
def _look(
    start,
    low,
    high,
    points,
    total,
    targets,
    count,
    target,
    AXES: tl.constexpr,
    TARGETS: tl.constexpr,
    POINTS: tl.constexpr,
):
    """The numbers of the points from ``start`` on, and their squared distances; infinite beyond the borders."""
    number = start + tl.arange(0, POINTS)
    square = tl.zeros((TARGETS, POINTS), tl.float32)
    for axis in tl.static_range(AXES):
        wanted = tl.load(targets + axis * count + target)
        point = tl.load(points + axis * total + number, mask=(number >= low) & (number < high), other=float("inf"))
        apart = wanted[:, None] - point[None, :]
        square += apart * apart
    return number[None, :], square


@triton.jit
def _nearest(
    points,
    targets,
    firsts,
    lasts,
    afters,
    order,
    result,
    count,
    total,
    AXES: tl.constexpr,
    TARGETS: tl.constexpr,
    POINTS: tl.constexpr,
):
    turn = tl.program_id(0) * TARGETS + tl.arange(0, TARGETS)
    target = tl.load(order + tl.minimum(turn, count - 1))  # programs beyond the last target repeat it
    first = tl.load(firsts + target).to(tl.int32)
    last = tl.load(lasts + target).to(tl.int32)
    after = tl.load(afters + target).to(tl.int32)
    along = tl.load(targets + target)
    low = tl.min(first)
    while low < LAST_POINT:  # class after class, or member after member; nearly all programs have one
        of_class = first == low
        high = tl.max(tl.where(of_class, last, low))
        begin = tl.min(tl.where(of_class, after, high))
        least = tl.full((TARGETS, POINTS), float("inf"), tl.float32)
        nearest = tl.zeros((TARGETS, POINTS), tl.int32)

        above = begin
        going = above < high
        while going:
            number, square = _look(above, low, high, points, total, targets, count, target, AXES, TARGETS, POINTS)
            nearer = square < least
            least, nearest = tl.where(nearer, square, least), tl.where(nearer, number, nearest)
            above += POINTS
            # Where the next point is still below a target, the points so far are farther below it.
            apart = tl.load(points + tl.minimum(above, high - 1)) - along
            there_may_be = of_class & (apart * apart <= tl.min(least, axis=1))
            going = (above < high) & (tl.max(there_may_be.to(tl.int32)) > 0)

        below = begin
        going = below > low
        while going:
            below -= POINTS
            number, square = _look(below, low, high, points, total, targets, count, target, AXES, TARGETS, POINTS)
            nearer = square <= least  # the first of equally near points
            least, nearest = tl.where(nearer, square, least), tl.where(nearer, number, nearest)
            apart = tl.load(points + tl.maximum(below - 1, low)) - along
            there_may_be = of_class & (apart * apart <= tl.min(least, axis=1))
            going = (below > low) & (tl.max(there_may_be.to(tl.int32)) > 0)

        best = tl.min(least, axis=1)
        first_of_best = tl.min(tl.where(least == best[:, None], nearest, LAST_POINT), axis=1)
        tl.store(result + target, first_of_best.to(tl.int64), mask=of_class & (turn < count))
        low = tl.min(tl.where(first > low, first, LAST_POINT))


def nearest_fused(points: Tensor, targets: Tensor, first: Tensor, last: Tensor, after: Tensor) -> Tensor:
    """Return the nearest point of every target, by one kernel.

    The results are those of :func:`xcebra_nwb.xcebra.sampling.device.nearest.nearest_in_chunks`.

    Args:
        points: Points (axis, P), P less than 2^31, contiguous, in order along the first axis from each ``first`` to
            ``last``.
        targets: Targets, shape (axis, target), contiguous.
        first: First point that counts for each target, shape (target,).
        last: The point after the last that counts, shape (target,).
        after: First of these points that is not below the target along the first axis, or ``last``, shape (target,).

    Returns:
        Point numbers, shape (target,).
    """
    axes, count = targets.shape
    result, order = torch.empty_like(first), after.argsort()
    programs = (triton.cdiv(count, TARGETS),)
    with torch.cuda.device_of(points):  # the GPU that holds the points
        _nearest[programs](
            points,
            targets,
            first,
            last,
            after,
            order,
            result,
            count,
            points.shape[1],
            AXES=axes,
            TARGETS=TARGETS,
            POINTS=POINTS,
            num_warps=WARPS,
        )
    return result
