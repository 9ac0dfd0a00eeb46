"""Aligned training: a session is trained into the latent space of reference sessions, which stays fixed."""

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
    """Train one session in the latent space of reference sessions.

    Implements :class:`~xcebra_nwb.training.run.Strategy`.
    """

    directory: Path
    session: PreparedSession
    references: Mapping[Path, Reference]
    space: str  # digest of the references' latent space
    recording: EncoderInput  # (time, unit)
    config: Config
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
        """Return the aligned training of a session on a device.

        Args:
            directory: the session's results folder.
            session: the prepared session, with the members of the references.
            references: reference sessions by results folder.
            space: digest of the references' latent space.
            config: settings that the references were trained with.
            device: device that computes.
        """
        recording = encoder_inputs(session.session, device, directory, session.bytes_a_step(config))
        return cls(directory, session, references, space, recording, config)

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
        files_of_references = [folder / name for folder in self.references for name in REFERENCE_FILES]
        return [self.directory / "session.nc", *files_of_references]

    @property
    def ensembles(self) -> list[range]:
        """One ensemble of all members."""
        return [range(len(self.session.members))]

    def title(self, members: range) -> str:
        """Return the title of training ``members``."""
        return f"aligning {len(members)} members"

    def data(self, members: range) -> PreparedSession:
        """Return the session with only ``members``."""
        return self.session.only(members)

    def learn(self, data: PreparedSession, chosen: Options, advance: Advance, resume: ResumePoint) -> list[Trained]:
        """Return the trained members, in a list of one session.

        Args:
            data: the session with the members to train.
            chosen: options of the training.
            advance: called with the number of steps that are done.
            resume: state to resume from, and the checkpoint hook.
        """
        part, generators = self._part(data, TRAIN), data.generators(self.config)
        frozen = self._frozen(data, TRAIN)
        return [align.train_aligned(part, frozen, data.blocks, generators, chosen, advance, resume)]

    def judge(self, data: PreparedSession, trained: list[Trained]) -> list[SessionPart]:
        """Return the members with their held-out losses and latents."""
        (members,), chosen = trained, options(self.config)
        part, tests = self._part(data, HELD_OUT), data.generators(self.config, TEST)
        frozen = self._frozen(data, HELD_OUT)
        losses = align.held_out_losses_aligned(part, frozen, members.layers, data.blocks, tests, chosen)
        latents = embed(data.shape, members.layers, self.recording, data.split.bins)
        return [SessionPart(0, with_chance_level(members, losses, data, chosen), latents)]

    def bytes_needed(self, members: range) -> int:
        """Return the bytes of device memory that a step of ``members`` takes."""
        # The recording lies on the device already.
        return self._step_bytes(members)

    @cached_property
    def _step_bytes(self) -> BytesNeeded:
        return bytes_of_a_step(self, range(1), self.recording.device)

    def attrs(self, parts: Sequence[Sequence[TrainedEnsemble]]) -> list[dict[str, Any]]:
        """Return the digest of the latent space of the references, and their folders by name."""
        names = {opened.name: os.path.relpath(folder, self.directory) for folder, opened in self.references.items()}
        return [{"space": self.space, "aligned_to": json.dumps(names)}]

    def _part(self, data: PreparedSession, part: int) -> Part:
        return Part(self.recording, data.shape, data.samples(part))

    def _frozen(self, data: PreparedSession, part: int) -> list[align.Frozen]:
        device = self.recording.device
        return [reference.frozen(data.members, part, device) for reference in self.references.values()]
