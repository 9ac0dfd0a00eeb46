"""How fast contestants are, one after the other in one run, and how fast the machine could be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CPU = torch.device("cpu")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
SCALE = {"cpu": 1, "cuda": 8}  # a card needs more to be busy
SIDE = 1024  # of the matrices of the matrix-product rate
COPIED = 1 << 24  # floats of the copy rate: beyond the caches
TRIES = 7  # of which the fastest counts: what the machine can do, not what others leave of it


class Rates(NamedTuple):
    """How much was done in every round, (round,)."""

    wall: Floats  # a second
    processor: Floats  # a second of a core: what others take of the machine hardly changes it


class Ceiling(NamedTuple):
    """What a core does at best in a second of its own, whoever else uses the machine; or a card in a second."""

    products: float  # float32 operations in a matrix product
    copies: float  # bytes, read and written, in a copy

    def seconds(self, operations: float, moved: float) -> float:
        """Return the least core seconds for ``operations`` and for moving so many bytes, whichever takes longer."""
        return max(operations / self.products, moved / self.copies)


def ceiling(device: torch.device = CPU) -> Ceiling:
    """Measure the machine, as :class:`Ceiling` says."""
    side, copied = (part * SCALE.get(device.type, SCALE["cuda"]) for part in (SIDE, COPIED))
    left, source = torch.rand(side, side, device=device), torch.rand(copied, device=device)
    target = torch.empty_like(source)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    product = min(_seconds(finished(lambda: left @ left, device), clock) for _ in range(TRIES))
    copy = min(_seconds(finished(lambda: target.copy_(source), device), clock) for _ in range(TRIES))
    return Ceiling(2 * side**3 / product, 2 * source.nbytes / copy)


def finished(work: Callable[Arguments, Result], device: torch.device) -> Callable[Arguments, Result]:
    """Return ``work`` that waits until ``device`` has done what it was told to."""

    def done(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
        found = work(*arguments, **keywords)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return found

    return done


def block(work: Callable[[int], object], seconds: float, least: int = 1, most: int = 1 << 30) -> Callable[[], int]:
    """Return a function that does about ``seconds`` of ``work`` and says how much, between ``least`` and ``most``.

    ``work`` takes how much of it to do. It is done twice before: to warm up, and to see how long it takes.
    """
    work(least)
    amount = int(np.clip(least * seconds / _seconds(lambda: work(least)), least, most))

    def done() -> int:
        work(amount)
        return amount

    return done


def in_turn(contestants: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Rates]:
    """Return how much of its work each contestant does; in every round they take turns.

    The load of the machine changes from minute to minute: ratios are to be taken within rounds.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            wall, processor = time.perf_counter(), time.process_time()
            amount = work()
            found[name].append((amount / (time.perf_counter() - wall), amount / (time.process_time() - processor)))
    return {name: Rates(*np.array(rates).T) for name, rates in found.items()}


def quartiles(ratios: Floats) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile."""
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started
