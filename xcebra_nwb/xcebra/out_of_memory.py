"""Work that goes on with less at once when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

# What torch says in a plain RuntimeError: of the processor, of a card, and of the libraries of a card.
REFUSED = ("can't allocate memory", "CUDA error: out of memory", "ALLOC_FAILED")
Result = TypeVar("Result")


def ran_out(error: BaseException) -> bool:
    """Return whether ``error`` says that memory ran out, on the processor or on a card."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSED)


def unless_out_of_memory(work: Callable[[], Result]) -> tuple[Result] | None:
    """Return what ``work`` returns, or None if memory ran out; what its frames held is given back by then."""
    try:
        return (work(),)
    except Exception as error:
        if not ran_out(error):
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def halving(work: Callable[[int], Result], size: int, least: int = 1) -> Result:
    """Return what ``work`` returns of ``size``, which is halved as often as memory runs out.

    Raises:
        torch.OutOfMemoryError, MemoryError or RuntimeError: memory runs out at ``least`` too.
    """
    while size > least:
        result = unless_out_of_memory(lambda: work(size))  # noqa: B023 - called before size changes
        if result is not None:
            return result[0]
        size //= 2
    return work(size)


class Once:
    """What has been said of a row of bins already, when the work on them began anew."""

    def __init__(self) -> None:
        self._said = 0

    def new(self, first: int, count: int) -> int:
        """Return how many of ``count`` bins from ``first`` on, the last ones, have not been passed here before."""
        fresh = min(count, max(0, first + count - self._said))
        self._said = max(self._said, first + count)
        return fresh
