"""Joint training: several sessions share one latent space (``training.together``)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
    """Train sessions that share one latent space.

    Implements :class:`~xcebra_nwb.training.run.Strategy`.
    """

    directories: Sequence[Path]
    sessions: Sequence[PreparedSession]  # all with the same members
    recordings: Sequence[EncoderInput]  # by session: (time, unit)
    config: Config
    command: str = "train_together"
    independent: bool = False

    @classmethod
    def on(cls, prepared: Mapping[Path, PreparedSession], config: Config, device: torch.device) -> JointTraining:
        """Return the joint training of sessions on a device.

        Args:
            prepared: prepared sessions by results folder, all with the same members.
            config: settings of the training.
            device: device that computes.
        """
        recordings = [
            encoder_inputs(session.session, device, directory, session.bytes_a_step(config))
            for directory, session in prepared.items()
        ]
        together = config.training.model_copy(update={"together": True})
        recorded = config.model_copy(update={"training": together})
        return cls(list(prepared), list(prepared.values()), recordings, recorded)

    @property
    def inputs(self) -> list[Path]:
        """The session datasets."""
        return [directory / "session.nc" for directory in self.directories]

    @property
    def ensembles(self) -> list[range]:
        """One ensemble of all members."""
        return [range(len(self.sessions[0].members))]

    def title(self, members: range) -> str:
        """Return the title of training ``members``."""
        return f"training {len(members)} members of {len(self.sessions)} sessions"

    def data(self, members: range) -> list[PreparedSession]:
        """Return every session with only ``members``."""
        return [session.only(members) for session in self.sessions]

    def learn(
        self, data: list[PreparedSession], chosen: Options, advance: Advance, resume: ResumePoint
    ) -> list[Trained]:
        """Return the trained members of every session.

        Args:
            data: the sessions with the members to train.
            chosen: options of the training.
            advance: called with the number of steps that are done.
            resume: state to resume from, and the checkpoint hook.
        """
        parts, generators = self._parts(data, TRAIN), data[0].generators(self.config)
        return joint.train_together(parts, data[0].blocks, generators, chosen, advance, resume)

    def judge(self, data: list[PreparedSession], trained: list[Trained]) -> list[SessionPart]:
        """Return the members of every session with their held-out losses and latents."""
        chosen, layers = options(self.config), [ensemble.layers for ensemble in trained]
        tests = data[0].generators(self.config, TEST)
        losses = joint.held_out_losses_together(self._parts(data, HELD_OUT), layers, data[0].blocks, tests, chosen)
        ensembles = map(with_chance_level, trained, losses, data, [chosen] * len(data))
        latents = [
            embed(session.shape, encoders, recording, session.split.bins)
            for session, encoders, recording in zip(data, layers, self.recordings, strict=True)
        ]
        return [SessionPart(*part) for part in zip(range(len(data)), ensembles, latents, strict=True)]

    def bytes_needed(self, members: range) -> int:
        """Return the bytes of device memory that a step of ``members`` takes."""
        # The recordings lie on the device already.
        return self._step_bytes(members)

    @cached_property
    def _step_bytes(self) -> BytesNeeded:
        return bytes_of_a_step(self, range(1), self.recordings[0].device)

    def attrs(self, parts: Sequence[Sequence[TrainedEnsemble]]) -> list[dict[str, Any]]:
        """Return, by session, the digest of the shared latent space and the folders of the other sessions by name."""
        shared = space(parts)
        return [
            {"space": shared, "trained_with": json.dumps(self._others(directory))} for directory in self.directories
        ]

    def _others(self, directory: Path) -> dict[str, str]:
        others = [other for other in self.directories if other != directory]
        return {other.resolve().name: os.path.relpath(other, directory) for other in others}

    def _parts(self, data: Sequence[PreparedSession], part: int) -> list[Part]:
        return [Part(x, s.shape, s.samples(part)) for x, s in zip(self.recordings, data, strict=True)]
