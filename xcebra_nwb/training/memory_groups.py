"""The members of a stack in groups that fit the memory: measured at the start, and again when it runs out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from xcebra_nwb.core.errors import Failure
from xcebra_nwb.training import memory
from xcebra_nwb.training.checkpoint import Checkpoint
from xcebra_nwb.xcebra.out_of_memory import unless_out_of_memory
from xcebra_nwb.xcebra.trainers.snapshot import Survival

SHARE = 0.6  # of the free memory that is planned with: allocators waste some, and others may want some
GIGABYTE = 1e9
Result = TypeVar("Result")
logger = logging.getLogger("xcebra_nwb")


def train_in_groups(
    checkpoint: Checkpoint,
    device: torch.device,
    taken: Callable[[range], int],
    work: Callable[[range, Survival], Result],
) -> list[Result]:
    """Return what ``work`` returns of every group of members, in the order of the members; say how long it took.

    The groups are those of ``checkpoint``, split where they do not fit the memory. A group that runs out of memory all
    the same is halved, and its halves go on from its last snapshot.

    Args:
        checkpoint: of the groups; those that an unfinished run left are gone on with.
        device: where the work is done.
        taken: the bytes that a group takes at most, measured (:func:`of_each`).
        work: trains members, by number.

    Raises:
        Failure: the memory is too small for a single member.
    """
    started = time.monotonic()
    _fit(checkpoint, device, taken)
    done: list[Result] = []
    while len(done) < len(checkpoint.groups):
        members = checkpoint.groups[len(done)].members
        found = unless_out_of_memory(partial(work, members, checkpoint.survival(len(done))))
        if found is not None:
            done += found
            continue
        free = memory.free_bytes(device)
        if len(members) == 1:
            raise Failure(
                f"out of memory on {device} with one encoder at a time ({free / GIGABYTE:.1f} GB free)",
                "lower training.batch_size or encoder.hidden, or wait until others have left the device",
            )
        halves = _halves(members, taken, SHARE * free)
        logger.warning("out of memory with %d encoders at once, going on with %d", len(members), _most(halves))
        checkpoint.split(len(done), halves)
    _say_how_long(checkpoint, device, time.monotonic() - started)
    return done


def of_each(step_of_one: Callable[[], object], device: torch.device) -> Callable[[range], int]:
    """Return what members that are alike take: as often what ``step_of_one``, a step of one of them, takes."""
    needed = max(1, memory.peak_bytes(step_of_one, device))
    return lambda members: needed * len(members)


def pieces(members: range, fits: Callable[[range], bool]) -> list[range]:
    """Return ``members`` in stretches that fit, or of one member."""
    found = [members[:1]]
    for number in members[1:]:
        longer = range(found[-1].start, number + 1)
        if fits(longer):
            found[-1] = longer
        else:
            found.append(range(number, number + 1))
    return found


def _say_how_long(checkpoint: Checkpoint, device: torch.device, seconds: float) -> None:
    """In the log, and in no file: what it takes is no result, and files of equal results are equal."""
    members, threads = checkpoint.groups[-1].members.stop, torch.get_num_threads()
    logger.info("%d members in %.1f s on %s, threads: %d", members, seconds, device, threads)


def _halves(members: range, taken: Callable[[range], int], budget: float) -> list[range]:
    """Stretches of at most half of ``members``, of fewer where those do not fit either."""
    return pieces(members, lambda some: len(some) <= len(members) // 2 and taken(some) <= budget)


def _fit(checkpoint: Checkpoint, device: torch.device, taken: Callable[[range], int]) -> None:
    """Split the groups that would not fit the memory that is free now."""
    free = memory.free_bytes(device)
    for number in reversed(range(len(checkpoint.groups))):
        members = checkpoint.groups[number].members
        fitting = pieces(members, lambda some: taken(some) <= SHARE * free)
        if len(fitting) > 1:
            logger.info(
                "%d encoders at once of %d, which take %.2f GB: %.1f GB are free on %s",
                *(_most(fitting), len(members), taken(members) / GIGABYTE, free / GIGABYTE, device),
            )
            checkpoint.split(number, fitting)


def _most(groups: Sequence[range]) -> int:
    return max(len(group) for group in groups)
