"""Aligned training: a session is trained into the latent space of reference sessions, which stays as it is."""

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
from xcebra_nwb.training.reference import Reference
from xcebra_nwb.training.run import SessionPart, bytes_of_a_step
from xcebra_nwb.training.trained_ensemble import TrainedEnsemble, options, with_chance_level
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import align
from xcebra_nwb.xcebra.trainers.joint import Part
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint

REFERENCE_FILES = ("session.nc", "training.nc", "embedding.nc")


@dataclass(frozen=True)
class AlignedTraining:
    """The :class:`~xcebra_nwb.training.run.Strategy` of one session in the latent space of others."""

    directory: Path
    session: PreparedSession
    references: Mapping[Path, Reference]
    space: str  # digest of the references' latent space
    recording: EncoderInput  # (time, unit)
    config: Config
    step_bytes: BytesNeeded
    command: str = "align"
    independent: bool = True

    @classmethod
    def on(
        cls,
        directory: Path,
        session: PreparedSession,
        references: Mapping[Path, Reference],
        space: str,
        config: Config,
        device: torch.device,
    ) -> AlignedTraining:
        """Return the training of ``session`` in the latent space of ``references`` on ``device``."""
        recording = encoder_inputs(session.session, device, directory, session.bytes_a_step(config))
        opened = cls(directory, session, references, space, recording, config, lambda members: 0)
        return replace(opened, step_bytes=bytes_of_a_step(opened, range(1), device))

    @property
    def directories(self) -> list[Path]:
        """The results folder."""
        return [self.directory]

    @property
    def sessions(self) -> list[PreparedSession]:
        """The session."""
        return [self.session]

    @property
    def inputs(self) -> list[Path]:
        """The session dataset, and the files of the references."""
        return [self.directory / "session.nc", *(where / name for where in self.references for name in REFERENCE_FILES)]

    @property
    def ensembles(self) -> list[range]:
        """All members, in one."""
        return [range(len(self.session.members))]

    def title(self, members: range) -> str:
        """Return the words for training ``members``."""
        return f"aligning {len(members)} members"

    def data(self, members: range) -> PreparedSession:
        """Return the session with ``members`` alone."""
        return self.session.only(members)

    def learn(self, data: PreparedSession, chosen: Options, advance: Advance, resume: ResumePoint) -> list[Trained]:
        """Return the trained members."""
        part, generators = self._part(data, TRAIN), data.generators(self.config)
        frozen = self._frozen(data, TRAIN)
        return [align.train_aligned(part, frozen, data.blocks, generators, chosen, advance, resume)]

    def judge(self, data: PreparedSession, trained: list[Trained]) -> list[SessionPart]:
        """Return the members with their held-out losses and latents."""
        (own,), chosen = trained, options(self.config)
        part, tests = self._part(data, HELD_OUT), data.generators(self.config, TEST)
        frozen = self._frozen(data, HELD_OUT)
        losses = align.held_out_losses_aligned(part, frozen, own.layers, data.blocks, tests, chosen)
        latents = embed(data.shape, own.layers, self.recording, data.split.bins)
        return [SessionPart(0, with_chance_level(own, losses, data, chosen), latents)]

    def bytes_needed(self, members: range) -> int:
        """Return the bytes that a step of ``members`` takes; the recording lies on the device already."""
        return self.step_bytes(members)

    def attrs(self, session: int, ensembles: Sequence[TrainedEnsemble]) -> dict[str, Any]:
        """Return the digest of the references' latent space, and their folders by name."""
        names = {one.name: os.path.relpath(where, self.directory) for where, one in self.references.items()}
        return {"space": self.space, "aligned_to": json.dumps(names)}

    def _part(self, data: PreparedSession, part: int) -> Part:
        return Part(self.recording, data.shape, data.samples(part))

    def _frozen(self, data: PreparedSession, part: int) -> list[align.Frozen]:
        device = self.recording.device
        return [reference.frozen(data.members, part, device) for reference in self.references.values()]
