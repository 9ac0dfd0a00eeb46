"""Train the members of an ensemble in groups that fit the memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import torch

from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.scratch import GIGABYTE
from xcebra_nwb.training import memory
from xcebra_nwb.training.checkpoint import Checkpoint
from xcebra_nwb.xcebra.out_of_memory import unless_out_of_memory
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint

SHARE = 0.6  # of the free memory that is used; the rest is for allocators and other programs
Part = TypeVar("Part")
BytesNeeded = Callable[[range], int]  # of device memory, by members
logger = logging.getLogger("xcebra_nwb")


def train_in_groups(
    checkpoint: Checkpoint,
    device: torch.device,
    needed: BytesNeeded,
    work: Callable[[range, ResumePoint], Part],
) -> list[Part]:
    """Train members group by group and return the results in member order.

    Groups that do not fit the memory are split before training. If a group still runs out of memory, it is halved, and
    both halves resume from its last checkpoint.

    Args:
        checkpoint: the groups and their state; those of an unfinished run are resumed.
        device: device that computes.
        needed: peak bytes of a group of members, measured (:func:`of_each`).
        work: trains members, by number, from a resume point.

    Raises:
        Failure: the memory is too small for a single member.
    """
    started = time.monotonic()
    _fit(checkpoint, device, needed)
    results: list[Part] = []
    while len(results) < len(checkpoint.groups):
        members = checkpoint.groups[len(results)].members
        result = unless_out_of_memory(partial(work, members, checkpoint.resume_point(len(results))))
        if result is not None:
            results += result
            continue
        free = memory.free_bytes(device)
        if len(members) == 1:
            raise Failure(
                f"out of memory on {device} with one encoder at a time ({free / GIGABYTE:.1f} GB free)",
                "lower training.batch_size or encoder.hidden, or wait until others have left the device",
            )
        halves = _halves(members, needed, SHARE * free)
        logger.warning("out of memory with %d encoders at once, continuing with %d", len(members), _most(halves))
        checkpoint.split(len(results), halves)
    _log_duration(checkpoint, device, time.monotonic() - started)
    return results


def of_each(step_of_one: Callable[[], object], device: torch.device) -> BytesNeeded:
    """Return a function that gives the bytes that a group of members needs.

    All members are taken to need as much as the one whose step is measured.

    Args:
        step_of_one: runs a training step of one member.
        device: device that computes.
    """
    per_member = max(1, memory.peak_bytes(step_of_one, device))
    return lambda members: per_member * len(members)


def pieces(members: range, fits: Callable[[range], bool]) -> list[range]:
    """Return members split into successive ranges that fit.

    A range of a single member is returned even if it does not fit.

    >>> pieces(range(5), lambda members: len(members) <= 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    return joined((range(number, number + 1) for number in members), fits)


def joined(ranges: Iterable[range], fits: Callable[[range], bool]) -> list[range]:
    """Return successive ranges, each joined to the one before it as long as both together fit.

    >>> joined([range(0, 2), range(2, 3), range(3, 6)], lambda members: len(members) <= 3)
    [range(0, 3), range(3, 6)]
    """
    result: list[range] = []
    for piece in ranges:
        if result and fits(longer := range(result[-1].start, piece.stop)):
            result[-1] = longer
        else:
            result.append(piece)
    return result


def _log_duration(checkpoint: Checkpoint, device: torch.device, seconds: float) -> None:
    # The duration goes to the log only, so that equal results have equal files.
    members, threads = checkpoint.groups[-1].members.stop, torch.get_num_threads()
    logger.info("%d members in %.1f s on %s, threads: %d", members, seconds, device, threads)


def _halves(members: range, needed: BytesNeeded, budget: float) -> list[range]:
    """Return ``members`` split into ranges of at most half of them, and smaller ranges if half does not fit."""
    return pieces(members, lambda stretch: len(stretch) <= len(members) // 2 and needed(stretch) <= budget)


def _fit(checkpoint: Checkpoint, device: torch.device, needed: BytesNeeded) -> None:
    """Split the groups that do not fit the memory that is free now."""
    free = memory.free_bytes(device)
    for number in reversed(range(len(checkpoint.groups))):
        members = checkpoint.groups[number].members
        fitting = pieces(members, lambda stretch: needed(stretch) <= SHARE * free)
        if len(fitting) > 1:
            logger.info(
                "training %d of %d encoders at once: all of them would take %.2f GB, and %.1f GB are free on %s",
                *(_most(fitting), len(members), needed(members) / GIGABYTE, free / GIGABYTE, device),
            )
            checkpoint.split(number, fitting)


def _most(groups: Sequence[range]) -> int:
    return max(len(group) for group in groups)
