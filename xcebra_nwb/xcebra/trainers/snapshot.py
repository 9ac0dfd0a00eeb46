"""A training between two steps: all that it takes to go on from there, bit by bit.

Members are the first axis of every array, so that a snapshot of a stack can be split into those of smaller ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")  # what Adam keeps of every leaf


@dataclass(frozen=True)
class Snapshot:
    """The state of a stack of M members after ``step`` steps."""

    step: int
    arrays: Mapping[str, NDArray]  # (M, ...) each: leaves, Adam's moments, the loss curve
    generators: Sequence[Mapping[str, Any]]  # by member: the state of its bit generator

    def only(self, members: slice) -> Snapshot:
        """Return the state of some of the members."""
        return Snapshot(self.step, {n: a[members] for n, a in self.arrays.items()}, self.generators[members])


@dataclass(frozen=True)
class Survival:
    """Where a training goes on from, and who may keep it.

    ``offer`` is called now and then between two steps, with the number of steps done and a function that takes a
    :class:`Snapshot`; it is no use after the training has gone on.
    """

    begun: Snapshot | None = None
    offer: Callable[[int, Callable[[], Snapshot]], None] = lambda step, take: None

    def left(self, steps: int) -> int:
        """Return how many of ``steps`` are left."""
        return steps - (self.begun.step if self.begun else 0)


def generator_states(generators: Sequence[np.random.Generator]) -> list[Mapping[str, Any]]:
    """Return what :func:`restore_generators` needs to draw on as ``generators`` would."""
    return [generator.bit_generator.state for generator in generators]


def restore_generators(generators: Sequence[np.random.Generator], snapshot: Snapshot) -> None:
    """Let ``generators`` draw on as they would have after the snapshot."""
    for generator, state in zip(generators, snapshot.generators, strict=True):
        generator.bit_generator.state = state


def leaf_arrays(leaves: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> dict[str, NDArray]:
    """Return copies of the ``leaves`` and of Adam's moments of each, by name."""
    arrays: dict[str, NDArray] = {}
    for number, leaf in enumerate(leaves):
        kept = {"leaf": leaf.detach(), **{name: optimizer.state[leaf][name] for name in MOMENTS}}
        arrays |= {f"{name}.{number}": tensor.cpu().numpy().copy() for name, tensor in kept.items()}
    return arrays


def restore_leaves(leaves: Sequence[Tensor], optimizer: torch.optim.Optimizer, snapshot: Snapshot) -> None:
    """Set the ``leaves``, in place, and Adam's state to those of the snapshot."""
    state = {}
    for number, leaf in enumerate(leaves):
        found = {name: torch.tensor(snapshot.arrays[f"{name}.{number}"]) for name in ("leaf", *MOMENTS)}
        with torch.no_grad():
            leaf.copy_(found.pop("leaf"))
        state[number] = {"step": torch.tensor(float(snapshot.step)), **found}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
