"""The state of a training between two steps: training resumes from it with the same bits.

Members are the first axis of every array, so the snapshot of an ensemble can be split into those of smaller ensembles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb.xcebra.trainers.adam import MOMENTS, Adam


@dataclass(frozen=True)
class Snapshot:
    """The state of an ensemble of M members between two steps.

    Attributes:
        step: Number of steps done.
        arrays: Leaves, Adam's moments and the loss curve by name, each (M, ...).
        generators: State of each member's bit generator.
    """

    step: int
    arrays: Mapping[str, NDArray]
    generators: Sequence[Mapping[str, Any]]

    def only(self, members: slice) -> Snapshot:
        """Return the state of the members in a slice."""
        return Snapshot(self.step, {n: a[members] for n, a in self.arrays.items()}, self.generators[members])


@dataclass(frozen=True)
class ResumePoint:
    """Where training resumes, and the hook that may save a checkpoint.

    Attributes:
        start: State to resume from; None starts at step 0.
        on_checkpoint: Called between steps with the number of steps done and a function that copies the current state.
            The function must be called before training continues.
    """

    start: Snapshot | None = None
    on_checkpoint: Callable[[int, Callable[[], Snapshot]], None] = lambda step, take: None

    def steps_left(self, steps: int) -> int:
        """Return how many of ``steps`` remain to be done."""
        return steps - (self.start.step if self.start else 0)


def generator_states(generators: Sequence[np.random.Generator]) -> list[Mapping[str, Any]]:
    """Return the states of ``generators``, for :func:`restore_generators`."""
    return [generator.bit_generator.state for generator in generators]


def restore_generators(generators: Sequence[np.random.Generator], snapshot: Snapshot) -> None:
    """Set ``generators`` to the states of the snapshot, so that their draws continue."""
    for generator, state in zip(generators, snapshot.generators, strict=True):
        generator.bit_generator.state = state


def leaf_arrays(optimizer: Adam) -> dict[str, NDArray]:
    """Return copies of the leaves and of Adam's moments of each, by name."""
    arrays: dict[str, NDArray] = {}
    for number, (leaf, state) in enumerate(zip(optimizer.leaves, optimizer.state, strict=True)):
        tensors = {"leaf": leaf.detach(), **{name: state[name] for name in MOMENTS}}
        arrays |= {f"{name}.{number}": tensor.cpu().numpy().copy() for name, tensor in tensors.items()}
    return arrays


def restore_leaves(optimizer: Adam, snapshot: Snapshot) -> None:
    """Set leaves and Adam's state to those of a snapshot, the leaves in place.

    Args:
        optimizer: Adam of the leaves.
        snapshot: State to set.
    """
    moments = []
    for number, leaf in enumerate(optimizer.leaves):
        tensors = {name: torch.tensor(snapshot.arrays[f"{name}.{number}"]) for name in ("leaf", *MOMENTS)}
        with torch.no_grad():
            leaf.copy_(tensors.pop("leaf"))
        moments.append(tensors)
    optimizer.restore(snapshot.step, moments)
