"""Several sessions as one ensemble, each in its own latent space.

The recordings follow each other along time. Units that a session lacks are always 0, and so are the weights that read
them, from the first step to the last. A member comes out as if its session had been trained alone, except for rounding.
The zeros are multiplied all the same, so sessions of similar width share an ensemble (:func:`groups`).
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

MOST = 1.25  # largest number of multiplications, relative to the sessions trained alone
Data = TypeVar("Data", Samples, Targets)


@dataclass(frozen=True)
class PaddedSessions:
    """The recordings of several sessions, padded with zeros to one width.

    Attributes:
        inputs: All recordings, shape (time of all sessions, D of the widest).
        shapes: Architecture of each session.
        first: First bin of each session, and the end.
    """

    inputs: Recording
    shapes: Sequence[Architecture]
    first: Sequence[int]

    @classmethod
    def of(
        cls,
        recordings: Sequence[Values],
        shapes: Sequence[Architecture],
        width: int,
        device: torch.device,
        stays: bool = False,
    ) -> PaddedSessions:
        """Return recordings on a device, padded to one width.

        Args:
            recordings: Recording (time, D) of each session; the result has the smallest type that holds all of them.
            shapes: Architecture of each session.
            width: Number of units after padding; a single recording of that width is used as it is.
            device: Device that computes.
            stays: Whether the recording, a single one, stays on the host and is read from there.
        """
        first = np.cumsum([0, *(len(recording) for recording in recordings)]).tolist()
        if stays:
            (recording,) = recordings
            return cls(Recording(torch.as_tensor(recording), device), shapes, first)
        if shares_memory(recordings, width):
            return cls(Recording(torch.as_tensor(recordings[0], device=device)), shapes, first)
        joined = torch.zeros(first[-1], width, dtype=torch_type(common_type(recordings)), device=device)
        for recording, start in zip(recordings, first[:-1], strict=True):
            joined[start : start + len(recording), : recording.shape[1]] = torch.as_tensor(recording, device=device)
        return cls(Recording(joined), shapes, first)

    @property
    def shape(self) -> Architecture:
        """The architecture of the ensemble: that of the sessions, at the padded width."""
        return replace(self.shapes[0], units=self.inputs.shape[1])

    def recording(self, session: int) -> Recording:
        """Return the encoder input of one session, (time, D)."""
        return self.inputs.part(slice(*self.first[session : session + 2]), self.shapes[session].units)

    def units(self, members: Sequence[int]) -> list[int]:
        """Return the number of units of each member, from the members of each session."""
        return [shape.units for shape, count in zip(self.shapes, members, strict=True) for _ in range(count)]

    def data(self, by_session: Sequence[Sequence[Data]]) -> list[Data]:
        """Return the data of each member, with bins counted over all recordings.

        Arrays that members share stay shared.
        """
        shifted: list[Data] = []
        for session_data, start in zip(by_session, self.first[:-1], strict=True):
            bins = {id(data.bins): data.bins + start for data in session_data}
            shifted += [replace(data, bins=bins[id(data.bins)]) for data in session_data]
        return shifted

    def by_session(self, trained: Trained, members: Sequence[int]) -> list[Trained]:
        """Return the members of each session, with encoders of the session's width.

        Args:
            trained: The trained ensemble.
            members: Number of members of each session.
        """
        parts, ends = [], np.cumsum(members).tolist()
        for shape, count, end in zip(self.shapes, members, ends, strict=True):
            session = slice(end - count, end)
            layers = narrowed(
                self.shape, [(weight[session], bias[session]) for weight, bias in trained.layers], shape.units
            )
            parts.append(replace(trained, layers=layers, loss=trained.loss[session]))
        return parts


def shares_memory(recordings: Sequence[Values], width: int) -> bool:
    """Return whether the padded recordings need no copy on the CPU."""
    return len(recordings) == 1 and recordings[0].shape[1] == width


def common_type(recordings: Sequence[Values]) -> np.dtype:
    """Return the smallest type that holds all ``recordings`` exactly.

    >>> common_type([np.zeros(1, np.uint8), np.zeros(1, np.float32)])
    dtype('float32')
    """
    return np.result_type(*(recording.dtype for recording in recordings))


def groups(shapes: Sequence[Architecture], members: Sequence[int]) -> list[list[int]]:
    """Return which sessions share an ensemble, the widest first in each.

    The encoders of the sessions differ in their number of units alone. An ensemble is complete when the zeros of one
    session more would cost more than :data:`MOST` allows.

    Args:
        shapes: Architecture of each session.
        members: Number of members of each session.

    Returns:
        Session numbers of each ensemble.

    >>> from xcebra_nwb.xcebra.architecture import architecture
    >>> groups([architecture("mlp", units, 32, 3) for units in (500, 480, 10)], [4, 4, 4])
    [[0, 1], [2]]
    """
    ensembles: list[list[int]] = []
    for session in sorted(range(len(shapes)), key=lambda number: -shapes[number].units):
        if ensembles and _cost(shapes, members, [*ensembles[-1], session]) <= MOST:
            ensembles[-1].append(session)
        else:
            ensembles.append([session])
    return ensembles


def _cost(shapes: Sequence[Architecture], members: Sequence[int], sessions: Sequence[int]) -> float:
    """The multiplications of an ensemble, relative to those of its sessions trained alone."""
    widest = max(shapes[session].products for session in sessions)
    padded = sum(widest * members[session] for session in sessions)
    return padded / sum(shapes[session].products * members[session] for session in sessions)
