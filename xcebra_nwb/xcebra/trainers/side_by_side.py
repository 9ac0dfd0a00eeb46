"""Sessions side by side: members of several sessions, each session in a space of its own, as one stack.

The recordings follow each other along time, and the units that a session lacks are always 0: so are the weights that
would read them, from the first step to the last. A member comes out as if its session had been trained alone, but for
rounding. The zeros are multiplied all the same, so that sessions of like width share a stack (:func:`stacks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import narrowed
from xcebra_nwb.xcebra.inputs import Recording, Values, torch_type
from xcebra_nwb.xcebra.sampling.samples import Samples, Targets
from xcebra_nwb.xcebra.trainers.optimize import Trained

MOST = 1.25  # times the multiplications of its sessions trained alone that a stack may take
Data = TypeVar("Data", Samples, Targets)


@dataclass(frozen=True)
class SideBySide:
    """The recordings of a stack's sessions, one after the other."""

    inputs: Recording  # (time of all sessions, D of the widest)
    shapes: Sequence[Architecture]  # by session
    first: Sequence[int]  # by session, its first bin; and the end

    @classmethod
    def of(
        cls,
        recordings: Sequence[Values],
        shapes: Sequence[Architecture],
        width: int,
        device: torch.device,
        stays: bool = False,
    ) -> SideBySide:
        """Return ``recordings`` (time, D) on ``device``, ``width`` units each; a single one of that width as it is.

        A single one that ``stays`` is read from where it is. Several are kept in the smallest type that holds all.
        """
        first = np.cumsum([0, *(len(own) for own in recordings)]).tolist()
        if stays:
            (only,) = recordings
            return cls(Recording(torch.as_tensor(only), device), shapes, first)
        if shares_memory(recordings, width):
            return cls(Recording(torch.as_tensor(recordings[0], device=device)), shapes, first)
        kept = torch.zeros(first[-1], width, dtype=torch_type(common_type(recordings)), device=device)
        for own, start in zip(recordings, first[:-1], strict=True):
            kept[start : start + len(own), : own.shape[1]] = torch.as_tensor(own, device=device)
        return cls(Recording(kept), shapes, first)

    @property
    def shape(self) -> Architecture:
        """The architecture of the stack: that of the sessions, as wide as the recordings are here."""
        return replace(self.shapes[0], units=self.inputs.shape[1])

    def recording(self, session: int) -> Recording:
        """Return what one session's encoders see, (time, D)."""
        return self.inputs.part(slice(*self.first[session : session + 2]), self.shapes[session].units)

    def units(self, members: Sequence[int]) -> list[int]:
        """Return by member of the stack how many units it sees; ``members``: how many each session has."""
        return [shape.units for shape, count in zip(self.shapes, members, strict=True) for _ in range(count)]

    def data(self, by_session: Sequence[Sequence[Data]]) -> list[Data]:
        """Return every member's data with bins counted over all recordings; arrays that were shared stay so."""
        found: list[Data] = []
        for own, start in zip(by_session, self.first[:-1], strict=True):
            bins = {id(one.bins): one.bins + start for one in own}
            found += [replace(one, bins=bins[id(one.bins)]) for one in own]
        return found

    def apart(self, trained: Trained, members: Sequence[int]) -> list[Trained]:
        """Return each session's part of a trained stack, its encoders as wide as the session."""
        found, ends = [], np.cumsum(members).tolist()
        for shape, count, end in zip(self.shapes, members, ends, strict=True):
            own = slice(end - count, end)
            layers = [(weight[own], bias[own]) for weight, bias in trained.layers]
            found.append(replace(trained, layers=narrowed(self.shape, layers, shape.units), loss=trained.loss[own]))
        return found


def shares_memory(recordings: Sequence[Values], width: int) -> bool:
    """Return whether recordings side by side are the array that they come from: on the processor no copy is made."""
    return len(recordings) == 1 and recordings[0].shape[1] == width


def common_type(recordings: Sequence[Values]) -> np.dtype:
    """Return the smallest type that holds all ``recordings`` exactly."""
    return np.result_type(*(own.dtype for own in recordings))


def stacks(shapes: Sequence[Architecture], members: Sequence[int]) -> list[list[int]]:
    """Return sessions, by number, that share a stack, the widest first in each; all differ in nothing but units.

    A stack is closed where one session more would make its zeros cost more than :data:`MOST` allows.
    """
    found: list[list[int]] = []
    for session in sorted(range(len(shapes)), key=lambda number: -shapes[number].units):
        if found and _cost(shapes, members, [*found[-1], session]) <= MOST:
            found[-1].append(session)
        else:
            found.append([session])
    return found


def _cost(shapes: Sequence[Architecture], members: Sequence[int], stack: Sequence[int]) -> float:
    """The multiplications of a stack, in those of its sessions trained alone."""
    widest = max(shapes[session].products for session in stack)
    padded = sum(widest * members[session] for session in stack)
    return padded / sum(shapes[session].products * members[session] for session in stack)
