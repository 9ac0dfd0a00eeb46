"""Repeat work in smaller parts when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

# Parts of torch's messages in a plain RuntimeError: of the CPU, of a GPU, and of the libraries of a GPU.
REFUSED = ("can't allocate memory", "CUDA error: out of memory", "ALLOC_FAILED")
Result = TypeVar("Result")


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on the CPU or a GPU.

    >>> ran_out(MemoryError()), ran_out(ValueError("CUDA error: out of memory"))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSED)


def unless_out_of_memory(work: Callable[[], Result]) -> tuple[Result] | None:
    """Return the result of ``work`` in a tuple, or None if memory ran out.

    The memory of its frames is released before None is returned.
    """
    try:
        return (work(),)
    except Exception as error:
        if not ran_out(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def halving(work: Callable[[int], Result], size: int, least: int = 1) -> Result:
    """Return the result of ``work`` at the largest size that fits the memory.

    Args:
        work: Called with a size; it must give the same result at every size.
        size: First size; it is halved each time memory runs out.
        least: Smallest size.

    Returns:
        The result of ``work``.

    Raises:
        torch.OutOfMemoryError, MemoryError or RuntimeError: Memory runs out at ``least`` too.
    """
    while size > least:
        result = unless_out_of_memory(lambda: work(size))  # noqa: B023 - called before size changes
        if result is not None:
            return result[0]
        size //= 2
    return work(size)


class Once:
    """Remember how many bins were reported, so that repeated work reports none twice."""

    def __init__(self) -> None:
        self._said = 0

    def new(self, first: int, count: int) -> int:
        """Return how many of the bins were not reported before, and count them.

        Args:
            first: Number of the first bin.
            count: Number of bins; the new ones are the last of them.

        >>> once = Once()
        >>> once.new(0, 5), once.new(0, 3), once.new(3, 4)
        (5, 0, 2)
        """
        fresh = min(count, max(0, first + count - self._said))
        self._said = max(self._said, first + count)
        return fresh
