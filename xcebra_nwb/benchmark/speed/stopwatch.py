"""The speed of contestants, one after the other in one run, and the best speed of the machine."""

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
MOST_TIMES = 16  # that the largest amount of work is done in a block
TRIES = 7  # of which the fastest counts: what the machine can do, not what others leave of it


class Rates(NamedTuple):
    """The amount of work done a second in every round, (round,)."""

    wall: Floats  # a second
    processor: Floats  # a second of a core: what others take of the machine hardly changes it


class Ceiling(NamedTuple):
    """The best that a core does in a second of its own, or a card in a second."""

    products: float  # float32 operations in a matrix product
    copies: float  # bytes, read and written, in a copy

    def seconds(self, operations: float, moved: float) -> float:
        """Return the least core seconds for some work, whichever part takes longer.

        Args:
            operations: float32 operations in matrix products.
            moved: bytes to be read and written.

        >>> Ceiling(products=10.0, copies=2.0).seconds(operations=10.0, moved=4.0)
        2.0
        """
        return max(operations / self.products, moved / self.copies)


def ceiling(device: torch.device = CPU) -> Ceiling:
    """Measure the ceiling of the machine.

    Args:
        device: what is measured.
    """
    side, copied = (part * SCALE.get(device.type, SCALE["cuda"]) for part in (SIDE, COPIED))
    left, source = torch.rand(side, side, device=device), torch.rand(copied, device=device)
    target = torch.empty_like(source)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    product = min(_seconds(finished(lambda: left @ left, device), clock) for _ in range(TRIES))
    copy = min(_seconds(finished(lambda: target.copy_(source), device), clock) for _ in range(TRIES))
    return Ceiling(2 * side**3 / product, 2 * source.nbytes / copy)


def finished(work: Callable[Arguments, Result], device: torch.device) -> Callable[Arguments, Result]:
    """Return ``work`` that waits until the device has finished.

    Args:
        work: any function.
        device: where it works.
    """

    def done(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
        result = work(*arguments, **keywords)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return done


def block(work: Callable[[int], object], seconds: float, least: int = 1, most: int = 1 << 30) -> Callable[[], int]:
    """Return a function that does about so many seconds of work.

    The work is done twice before: to warm up, and to see how long it takes.

    Args:
        work: function of the amount of work to do.
        seconds: how long a block takes.
        least: the smallest amount.
        most: the largest amount. If it takes less time, it is done several times.

    Returns:
        A function that does the block and returns its amount.
    """
    work(least)
    amount = int(np.clip(least * seconds / _seconds(lambda: work(least)), least, most))
    times = int(np.clip(seconds / _seconds(lambda: work(amount)), 1, MOST_TIMES))

    def done() -> int:
        for _ in range(times):
            work(amount)
        return amount * times

    return done


def in_turn(contestants: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Rates]:
    """Return the rates of contestants that take turns in every round.

    The load of the machine changes from minute to minute: ratios must be taken within rounds.

    Args:
        contestants: functions that do some work and return its amount.
        rounds: number of rounds.
    """
    rates_by_name: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            wall, processor = time.perf_counter(), time.process_time()
            amount = work()
            rates = amount / (time.perf_counter() - wall), amount / (time.process_time() - processor)
            rates_by_name[name].append(rates)
    return {name: Rates(*np.array(by_round).T) for name, by_round in rates_by_name.items()}


def quartiles(ratios: Floats) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile.

    >>> quartiles(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    (2.0, 3.0, 4.0)
    """
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def _seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return clock() - started
