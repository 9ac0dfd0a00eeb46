"""Choose which sessions of one process train as one ensemble; each keeps its own latent space.

Members are numbered over all sessions. The members of an ensemble have successive numbers, and so have the members of a
session. So a group of members is always a range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.training.inputs import log_reading_cost, stays_on_host
from xcebra_nwb.training.memory_groups import joined
from xcebra_nwb.xcebra.inputs import Values
from xcebra_nwb.xcebra.trainers import padded
from xcebra_nwb.xcebra.trainers.padded import PaddedSessions

NEAR = 32_000_000  # bytes of a step; larger steps do not fit the processor's caches, and more members make them slower


@dataclass(frozen=True)
class SessionBatch:
    """The sessions of one process, in the order of their members."""

    directories: Sequence[Path]  # by session
    sessions: Sequence[PreparedSession]
    recordings: Sequence[Values]  # by session: encoder input (time, unit)
    ensembles: Sequence[range]  # of members
    on_host: Set[Path]  # sessions whose recordings do not fit the device; each is a separate ensemble

    @classmethod
    def of(
        cls, prepared: Mapping[Path, PreparedSession], recordings: Mapping[Path, Values], device: torch.device
    ) -> SessionBatch:
        """Return a batch of sessions; equal encoders share an ensemble.

        Encoders count as equal if they differ only in the number of units.

        Args:
            prepared: prepared sessions by results folder.
            recordings: encoder input (time, unit) of each; recordings that do not fit ``device`` stay on the host.
            device: device that computes.
        """
        on_host = {directory for directory, recording in recordings.items() if stays_on_host(recording, device)}
        ensembles = [ensemble for alike in _alike(prepared, on_host) for ensemble in _ensembles(alike, prepared)]
        order = [directory for ensemble in ensembles for directory in ensemble]
        sizes = [sum(len(prepared[directory].members) for directory in ensemble) for ensemble in ensembles]
        ends = np.cumsum([0, *sizes]).tolist()
        return cls(
            directories=order,
            sessions=[prepared[directory] for directory in order],
            recordings=[recordings[directory] for directory in order],
            ensembles=[range(*limits) for limits in pairwise(ends)],
            on_host=on_host,
        )

    def near(self, step_bytes: Callable[[range], int], device: torch.device) -> SessionBatch:
        """Return the batch with ensembles as large as is fastest on a device.

        On a CUDA card, ensembles stay as they are. On a CPU, an ensemble is faster than its sessions one by one
        as long as a step takes at most :data:`NEAR` bytes.

        Args:
            step_bytes: returns the bytes that a step of members takes.
            device: device that computes.
        """
        if device.type != "cpu":
            return self

        def near(members: range) -> bool:
            return members.stop <= self.ensemble_of(members).stop and step_bytes(members) <= NEAR

        return replace(self, ensembles=joined(self._members_of_sessions(), near))

    def log_reading_cost(self, config: Config, device: torch.device) -> None:
        """Log the cost of reading recordings that stay on the host."""
        for directory, session, recording in zip(self.directories, self.sessions, self.recordings, strict=True):
            if directory in self.on_host:
                log_reading_cost(recording, device, session.bytes_a_step(config))

    def sessions_of(self, members: range) -> dict[int, PreparedSession]:
        """Return the sessions of ``members`` by index, with only those members."""
        sessions = {}
        for number, (session, of_session) in enumerate(zip(self.sessions, self._members_of_sessions(), strict=True)):
            shared = range(max(members.start, of_session.start), min(members.stop, of_session.stop))
            if shared:
                sessions[number] = session.only([member - of_session.start for member in shared])
        return sessions

    def padded(self, members: range, device: torch.device) -> PaddedSessions:
        """Return the recordings of the sessions of ``members`` on a device.

        They are padded to the largest number of units of the whole ensemble.
        """
        sessions = self.sessions_of(members)
        shapes = [session.shape for session in sessions.values()]
        recordings, width = [self.recordings[number] for number in sessions], self._width(members)
        return PaddedSessions.of(recordings, shapes, width, device, stays=self._stays_on_host(members))

    def bytes_of_recordings(self, members: range, device: torch.device) -> int:
        """Return the bytes that :meth:`padded` takes on ``device``."""
        recordings, width = [self.recordings[number] for number in self.sessions_of(members)], self._width(members)
        if self._stays_on_host(members) or (device.type == "cpu" and padded.shares_memory(recordings, width)):
            return 0
        return padded.common_type(recordings).itemsize * width * sum(len(recording) for recording in recordings)

    def ensemble_of(self, members: range) -> range:
        """Return the range of all members that are trained together with ``members``."""
        return next(ensemble for ensemble in self.ensembles if members.start in ensemble)

    def _members_of_sessions(self) -> list[range]:
        ends = np.cumsum([0, *(len(session.members) for session in self.sessions)]).tolist()
        return [range(*limits) for limits in pairwise(ends)]

    def _stays_on_host(self, members: range) -> bool:
        return any(self.directories[number] in self.on_host for number in self.sessions_of(members))

    def _width(self, members: range) -> int:
        return max(session.shape.units for session in self.sessions_of(self.ensemble_of(members)).values())


def _alike(prepared: Mapping[Path, PreparedSession], on_host: Set[Path]) -> list[list[Path]]:
    """Return groups of sessions whose blocks and encoders are equal except for the number of units."""
    groups: dict[object, list[Path]] = {}
    for directory, session in prepared.items():
        blocks = tuple((block.first, block.last, block.weight) for block in session.blocks)
        alone = directory if directory in on_host else None
        groups.setdefault((alone, blocks, replace(session.shape, units=0)), []).append(directory)
    return list(groups.values())


def _ensembles(alike: Sequence[Path], prepared: Mapping[Path, PreparedSession]) -> list[list[Path]]:
    members = [len(prepared[directory].members) for directory in alike]
    groups = padded.groups([prepared[directory].shape for directory in alike], members)
    return [[alike[number] for number in group] for group in groups]
