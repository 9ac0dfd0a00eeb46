"""The members of a stack in groups that fit the memory: measured at the start, and again when it runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from xcebra_nwb import memory
from xcebra_nwb.checkpoint import Checkpoint
from xcebra_nwb.errors import Failure
from xcebra_nwb.xcebra.out_of_memory import unless_out_of_memory
from xcebra_nwb.xcebra.snapshot import Survival

SHARE = 0.6  # of the free memory that is planned with: allocators waste some, and others may want some
GIGABYTE = 1e9
Result = TypeVar("Result")
logger = logging.getLogger("xcebra_nwb")


def train_in_groups(
    checkpoint: Checkpoint,
    device: torch.device,
    step_of_one: Callable[[], object],
    work: Callable[[Sequence[int], Survival], Result],
) -> list[Result]:
    """Return what ``work`` returns of every group of members, in the order of the members.

    All members are one group if they fit; what a member takes is measured by ``step_of_one``. A group that runs out of
    memory all the same is halved, and its halves go on from its last snapshot.

    Args:
        checkpoint: of the groups; those that an unfinished run left are gone on with.
        device: where the work is done.
        step_of_one: one step of training of one member.
        work: trains members, by number.

    Raises:
        Failure: the memory is too small for a single member.
    """
    needed = max(1, memory.peak_bytes(step_of_one, device))
    _fit(checkpoint, device, needed)
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
        size = max(1, min(len(members) // 2, int(SHARE * free / needed)))
        logger.warning("out of memory with %d encoders at once, going on with %d", len(members), size)
        checkpoint.split(len(done), size)
    return done


def _fit(checkpoint: Checkpoint, device: torch.device, needed: int) -> None:
    """Split the groups that would not fit the memory that is free now."""
    free = memory.free_bytes(device)
    size = max(1, int(SHARE * free / needed))
    most = max(len(group.members) for group in checkpoint.groups)
    if size < most:
        logger.info(
            "%d encoders at once of %d: each takes %.2f GB, %.1f GB are free on %s",
            *(size, most, needed / GIGABYTE, free / GIGABYTE, device),
        )
    for number in reversed(range(len(checkpoint.groups))):
        checkpoint.split(number, size)
