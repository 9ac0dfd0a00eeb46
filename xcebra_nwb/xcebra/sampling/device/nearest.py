"""The nearest of many points, by plain operations; a test of the Triton kernel."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from xcebra_nwb.xcebra.out_of_memory import ran_out

ELEMENTS = 2**24  # distances held at once
SLOWER = "the search takes plain operations, slower"
Search = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]  # see nearest_kernel.nearest_fused
logger = logging.getLogger("xcebra_nwb")


def nearest_in_chunks(points: Tensor, targets: Tensor, first: Tensor, last: Tensor, elements: int = ELEMENTS) -> Tensor:
    """Return the nearest point of every target, by plain operations.

    Squares of differences are summed. A sum of products would lose the digits that tell near points apart.

    Args:
        points: Points, shape (axis, P).
        targets: Targets, shape (axis, target).
        first: First point that counts for each target, shape (target,).
        last: The point after the last that counts, shape (target,).
        elements: Number of distances held at once.

    Returns:
        Point numbers, shape (target,); the first of equally near points.

    >>> points, targets = torch.tensor([[0.0, 1.0, 4.0]]), torch.tensor([[0.9, 0.9]])
    >>> nearest_in_chunks(points, targets, torch.tensor([0, 2]), torch.tensor([3, 3])).tolist()
    [1, 2]
    """
    best = torch.full_like(targets[0], torch.inf)
    nearest = first
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
        best, nearest = torch.where(nearer, least, best), torch.where(nearer, where + start, nearest)
    return nearest


@cache
def kernel_serves(axes: int, device: torch.device) -> bool:
    """Return whether the Triton kernel can be used; the log says why not.

    Args:
        axes: Number of axes of the points.
        device: Device that searches.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    from xcebra_nwb.xcebra.sampling.device.nearest_kernel import nearest_fused

    return proves_itself(nearest_fused, axes, device)


def proves_itself(search: Search, axes: int, device: torch.device) -> bool:
    """Return whether a search gives the results of :func:`nearest_in_chunks`.

    If not, the log says so.

    Args:
        search: Search to test, with the arguments of :func:`.nearest_kernel.nearest_fused`.
        axes: Number of axes of the points.
        device: Device that searches.
    """
    points, targets, first, last, after = (tensor.to(device) for tensor in _trial(axes))
    try:
        nearest = search(points, targets, first, last, after)
    except Exception as error:  # the compiler raises many kinds
        if ran_out(error):
            raise
        logger.warning("the kernel for nearest labels cannot be used (%s): %s", error, SLOWER)
        return False
    if torch.equal(nearest, nearest_in_chunks(points, targets, first, last)):
        return True
    logger.warning("the kernel for nearest labels finds other labels: %s", SLOWER)
    return False


def _trial(axes: int) -> tuple[Tensor, ...]:
    """The arguments of a test search: 600 points of one class and 300 of another, one target in eight of the other.

    Coordinates are whole numbers, whose distances are exact. So the same points must be returned, not only points that
    are as near.
    """
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(-20, 21, (axes, 900), generator=generator).float().split([600, 300], dim=1)
    first_class, other_class = (points[:, points[0].argsort()] for points in classes)
    targets = torch.randint(-25, 26, (axes, 200), generator=generator).float()
    of_other = torch.arange(200) % 8 == 0
    below, below_of_other = ((points[0] < targets[0, :, None]).sum(dim=1) for points in (first_class, other_class))
    first, last = torch.where(of_other, 600, 0), torch.where(of_other, 900, 600)
    return (
        torch.cat([first_class, other_class], dim=1),
        targets,
        first,
        last,
        torch.where(of_other, 600 + below_of_other, below),
    )
