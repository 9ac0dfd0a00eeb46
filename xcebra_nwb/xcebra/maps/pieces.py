"""Work in pieces that fit the caches: their sizes, the memory that they share, and the threads that do them.

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
NEAR = {"cpu": 400_000, "cuda": 16_000_000}  # elements: what processors' caches hold, what keeps a card busy


def pieces(count: int, elements: int, device: torch.device) -> Iterator[slice]:
    """Yield the parts of ``count`` things of so many ``elements`` each that are worked on at once, of like size."""
    most = NEAR.get(device.type, NEAR["cuda"]) / elements
    size = math.ceil(count / max(1, round(count / max(1, most))))
    return (slice(first, first + size) for first in range(0, count, size))


class Workspace:
    """Arrays by name, which grow as they are asked for."""

    def __init__(self) -> None:
        self._arrays: dict[str, Tensor] = {}

    def array(self, name: str, sizes: Sequence[int], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array of ``sizes``, with anything in it, where ``like`` is, and of its type or ``dtype``."""
        count, memory, dtype = math.prod(sizes), self._arrays.get(name), dtype or like.dtype
        if memory is None or len(memory) < count or (memory.dtype, memory.device) != (dtype, like.device):
            memory = self._arrays[name] = torch.empty(count, dtype=dtype, device=like.device)
        return memory[:count].view(*sizes)


def in_order(work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int) -> Iterator[Result]:
    """Yield ``work`` of every piece, in their order; as many as ``threads`` are worked on at once.

    torch has one thread for each piece, so that results are the same, bit by bit, whatever the number of threads.
    """
    with one_thread():
        if threads == 1:
            yield from map(work, pieces)
            return
        with ThreadPoolExecutor(threads) as pool:
            ahead: deque[Future[Result]] = deque()
            for piece in pieces:
                ahead.append(pool.submit(work, piece))
                if len(ahead) > threads:  # one more than are worked on, so that no thread waits for us
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


@contextmanager
def one_thread() -> Iterator[None]:
    """Leave torch a single thread for what it computes meanwhile."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
