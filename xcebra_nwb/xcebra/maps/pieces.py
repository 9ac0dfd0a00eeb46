"""Work in pieces that fit the caches: their sizes, their memory and their threads.

An array that was read from a workspace must no longer be needed when the next one of the same name is asked for.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

Piece = TypeVar("Piece")
Result = TypeVar("Result")
NEAR = {"cpu": 400_000, "cuda": 16_000_000}  # elements: the cache of a CPU holds them, a GPU is busy with them


def pieces(count: int, elements: int, device: torch.device) -> Iterator[slice]:
    """Return the slices of items that are computed together, all of similar size.

    Args:
        count: Number of items.
        elements: Number of elements of an item.
        device: Device that computes.

    >>> list(pieces(10, 100_000, torch.device("cpu")))
    [slice(0, 5, None), slice(5, 10, None)]
    """
    most = NEAR.get(device.type, NEAR["cuda"]) / elements
    size = math.ceil(count / max(1, round(count / max(1, most))))
    return (slice(first, first + size) for first in range(0, count, size))


class Workspace:
    """Arrays by name, whose memory is used again and grows with the largest array."""

    def __init__(self) -> None:
        self._arrays: dict[str, Tensor] = {}

    def array(self, name: str, sizes: Sequence[int], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array with arbitrary contents.

        Args:
            name: Name of the array; its memory is that of the last array of this name.
            sizes: Shape of the array.
            like: The array is on the device of this tensor.
            dtype: Type of the array; None: the type of ``like``.
        """
        count, memory, dtype = math.prod(sizes), self._arrays.get(name), dtype or like.dtype
        if memory is None or len(memory) < count or (memory.dtype, memory.device) != (dtype, like.device):
            memory = self._arrays[name] = torch.empty(count, dtype=dtype, device=like.device)
        return memory[:count].view(*sizes)


def in_order(work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int) -> Iterator[Result]:
    """Yield the result of ``work`` for every piece, in order, computed on threads.

    torch has one thread for each piece, so that results have the same bits with any number of threads.

    Args:
        work: Called with each piece.
        pieces: Pieces of work.
        threads: Number of pieces that are computed at once.

    >>> list(in_order(abs, [-1, 2, -3], threads=2))
    [1, 2, 3]
    """
    with one_thread():
        if threads == 1:
            yield from map(work, pieces)
            return
        with ThreadPoolExecutor(threads) as pool:
            ahead: deque[Future[Result]] = deque()
            for piece in pieces:
                ahead.append(pool.submit(work, piece))
                if len(ahead) > threads:  # one more than the threads, so that none of them waits
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


@contextmanager
def one_thread() -> Iterator[None]:
    """Leave torch a single thread within the context."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
