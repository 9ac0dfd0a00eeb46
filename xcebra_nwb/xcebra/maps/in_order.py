"""Pieces of work on several threads, whose results come in the order of the pieces."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


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
