"""Sessions that one process trains, each in a space of its own: which of them share a stack, and who its members are.

Members are numbered over all sessions, those of a stack in a row and in it those of a session, so that a group of
members is a range whatever it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.training.design.prepare import Trainee
from xcebra_nwb.training.inputs import stays, tell
from xcebra_nwb.xcebra.inputs import Values
from xcebra_nwb.xcebra.trainers import side_by_side
from xcebra_nwb.xcebra.trainers.side_by_side import SideBySide

NEAR = 32_000_000  # bytes of a step that a processor's caches hold: beyond, more members at once make it slower


@dataclass(frozen=True)
class Cohort:
    """The sessions in the order of their members."""

    directories: Sequence[Path]  # by session
    trainees: Sequence[Trainee]  # by session
    recordings: Sequence[Values]  # by session: (time, unit) what its encoders see
    stacks: Sequence[range]  # of members
    apart: Set[Path]  # sessions whose recording has no room on the device: each is a stack of its own, and stays

    @classmethod
    def of(cls, ready: Mapping[Path, Trainee], recordings: Mapping[Path, Values], device: torch.device) -> Cohort:
        """Return the sessions of ``ready``; those whose encoders differ in nothing but units share stacks.

        ``recordings`` (time, unit) are what their encoders see; one that ``device`` has no room for stays where it is.
        """
        apart = {directory for directory, own in recordings.items() if stays(own, device)}
        stacks = [stack for alike in _alike(ready, apart) for stack in _stacks(alike, ready)]
        order = [directory for stack in stacks for directory in stack]
        ends = np.cumsum([0, *(sum(len(ready[one].stack) for one in stack) for stack in stacks)]).tolist()
        trainees = [ready[directory] for directory in order]
        seen = [recordings[directory] for directory in order]
        return cls(order, trainees, seen, [range(*e) for e in pairwise(ends)], apart)

    def near(self, bytes_a_step: Callable[[range], int], device: torch.device) -> Cohort:
        """Return the same with stacks of no more sessions than are trained the faster for it on ``device``.

        A card takes the more members the better. On a processor sessions gain from each other while all that a step
        takes is at most :data:`NEAR` bytes.
        """
        if device.type != "cpu":
            return self
        found: list[range] = []
        for own in self._members_of_each():
            longer = range(found[-1].start, own.stop) if found else own
            if found and own.start in self.stack_of(longer) and bytes_a_step(longer) <= NEAR:
                found[-1] = longer
            else:
                found.append(own)
        return replace(self, stacks=found)

    def tell(self, config: Config, device: torch.device) -> None:
        """Say what it costs that recordings stay where they are."""
        for directory, one, recording in zip(self.directories, self.trainees, self.recordings, strict=True):
            if directory in self.apart:
                tell(recording, device, one.bytes_a_step(config))

    def sessions(self, members: range) -> dict[int, Trainee]:
        """Return the sessions, by number, that ``members`` are of, each with those of its members."""
        found = {}
        for number, (one, own) in enumerate(zip(self.trainees, self._members_of_each(), strict=True)):
            some = range(max(members.start, own.start), min(members.stop, own.stop))
            if some:
                found[number] = one.only([member - own.start for member in some])
        return found

    def side_by_side(self, members: range, device: torch.device) -> SideBySide:
        """Return on ``device`` the recordings of the sessions that ``members`` are of, as wide as their whole stack."""
        some = self.sessions(members)
        shapes = [one.shape for one in some.values()]
        recordings, width = [self.recordings[number] for number in some], self._width(members)
        return SideBySide.of(recordings, shapes, width, device, stays=self._stay(members))

    def bytes_of_recordings(self, members: range, device: torch.device) -> int:
        """Return what :meth:`side_by_side` takes on ``device``."""
        recordings, width = [self.recordings[number] for number in self.sessions(members)], self._width(members)
        if self._stay(members) or (device.type == "cpu" and side_by_side.shares_memory(recordings, width)):
            return 0
        return side_by_side.common_type(recordings).itemsize * width * sum(len(own) for own in recordings)

    def stack_of(self, members: range) -> range:
        """Return the whole stack that ``members`` are part of."""
        return next(stack for stack in self.stacks if members.start in stack)

    def _members_of_each(self) -> list[range]:
        ends = np.cumsum([0, *(len(one.stack) for one in self.trainees)]).tolist()
        return [range(*own) for own in pairwise(ends)]

    def _stay(self, members: range) -> bool:
        return any(self.directories[number] in self.apart for number in self.sessions(members))

    def _width(self, members: range) -> int:
        return max(one.shape.units for one in self.sessions(self.stack_of(members)).values())


def _alike(ready: Mapping[Path, Trainee], apart: Set[Path]) -> list[list[Path]]:
    """The sessions by what a stack has in common: its blocks of latents, and the encoder but for its units."""
    groups: dict[object, list[Path]] = {}
    for directory, one in ready.items():
        blocks = tuple((block.first, block.last, block.weight) for block in one.blocks)
        alone = directory if directory in apart else None
        groups.setdefault((alone, blocks, replace(one.shape, units=0)), []).append(directory)
    return list(groups.values())


def _stacks(alike: Sequence[Path], ready: Mapping[Path, Trainee]) -> list[list[Path]]:
    members = [len(ready[directory].stack) for directory in alike]
    found = side_by_side.stacks([ready[directory].shape for directory in alike], members)
    return [[alike[number] for number in stack] for stack in found]
