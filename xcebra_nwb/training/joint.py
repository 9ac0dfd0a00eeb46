"""Joint training: several sessions share one latent space (``training.together``)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.progress import Advance
from xcebra_nwb.training.design.ensemble import TEST
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.training.inputs import encoder_inputs
from xcebra_nwb.training.memory_groups import BytesNeeded
from xcebra_nwb.training.run import SessionPart, bytes_of_a_step
from xcebra_nwb.training.trained_ensemble import TrainedEnsemble, options, space, with_chance_level
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import joint
from xcebra_nwb.xcebra.trainers.joint import Part
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint


@dataclass(frozen=True)
class JointTraining:
    """The :class:`~xcebra_nwb.training.run.Strategy` of sessions that share a latent space."""

    directories: Sequence[Path]
    sessions: Sequence[PreparedSession]  # all with the same members
    recordings: Sequence[EncoderInput]  # by session: (time, unit)
    config: Config
    step_bytes: BytesNeeded
    command: str = "train_together"
    independent: bool = False

    @classmethod
    def on(cls, prepared: Mapping[Path, PreparedSession], config: Config, device: torch.device) -> JointTraining:
        """Return the joint training of ``prepared`` sessions, which have the same members, on ``device``."""
        recordings = [
            encoder_inputs(session.session, device, directory, session.bytes_a_step(config))
            for directory, session in prepared.items()
        ]
        together = config.training.model_copy(update={"together": True})
        recorded = config.model_copy(update={"training": together})
        opened = cls(list(prepared), list(prepared.values()), recordings, recorded, lambda members: 0)
        return replace(opened, step_bytes=bytes_of_a_step(opened, range(1), device))

    @property
    def inputs(self) -> list[Path]:
        """The session datasets."""
        return [directory / "session.nc" for directory in self.directories]

    @property
    def ensembles(self) -> list[range]:
        """All members, in one."""
        return [range(len(self.sessions[0].members))]

    def title(self, members: range) -> str:
        """Return the words for training ``members``."""
        return f"training {len(members)} members of {len(self.sessions)} sessions"

    def data(self, members: range) -> list[PreparedSession]:
        """Return every session with ``members`` alone."""
        return [session.only(members) for session in self.sessions]

    def learn(
        self, data: list[PreparedSession], chosen: Options, advance: Advance, resume: ResumePoint
    ) -> list[Trained]:
        """Return every session's trained members."""
        parts, generators = self._parts(data, TRAIN), data[0].generators(self.config)
        return joint.train_together(parts, data[0].blocks, generators, chosen, advance, resume)

    def judge(self, data: list[PreparedSession], trained: list[Trained]) -> list[SessionPart]:
        """Return every session's members with their held-out losses and latents."""
        chosen, layers = options(self.config), [own.layers for own in trained]
        tests = data[0].generators(self.config, TEST)
        losses = joint.held_out_losses_together(self._parts(data, HELD_OUT), layers, data[0].blocks, tests, chosen)
        ensembles = map(with_chance_level, trained, losses, data, [chosen] * len(data))
        latents = [
            embed(session.shape, own, recording, session.split.bins)
            for session, own, recording in zip(data, layers, self.recordings, strict=True)
        ]
        return [SessionPart(*part) for part in zip(range(len(data)), ensembles, latents, strict=True)]

    def bytes_needed(self, members: range) -> int:
        """Return the bytes that a step of ``members`` takes; the recordings lie on the device already."""
        return self.step_bytes(members)

    def attrs(self, session: int, ensembles: Sequence[TrainedEnsemble]) -> dict[str, Any]:
        """Return the digest of the shared latent space, and the folders of the other sessions by name."""
        directory = self.directories[session]
        others = {other.resolve().name: os.path.relpath(other, directory) for other in self.directories}
        del others[directory.resolve().name]
        shared = space([ensemble.trained.layers for ensemble in ensembles])
        return {"space": shared, "trained_with": json.dumps(others)}

    def _parts(self, data: Sequence[PreparedSession], part: int) -> list[Part]:
        return [Part(x, s.shape, s.samples(part)) for x, s in zip(self.recordings, data, strict=True)]
