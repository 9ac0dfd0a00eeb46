"""Separate training: every session has its own latent space; several sessions may train in one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from xcebra_nwb.core.activity import input_array
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.progress import Advance
from xcebra_nwb.training.checkpoint import identity
from xcebra_nwb.training.design import targets
from xcebra_nwb.training.design.ensemble import TEST
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.training.run import SessionPart, bytes_of_a_step
from xcebra_nwb.training.session_batch import SessionBatch
from xcebra_nwb.training.trained_ensemble import TrainedEnsemble, options, space, with_chance_level
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.samples import Targets
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import contrastive, supervised
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.padded import PaddedSessions
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint


class _Data(NamedTuple):
    """The training data of a group of members: their sessions by index, and the recordings on the device."""

    sessions: Mapping[int, PreparedSession]
    padded: PaddedSessions


@dataclass(frozen=True)
class SeparateTraining:
    """Train sessions that each have their own latent space.

    Implements :class:`~xcebra_nwb.training.run.Strategy`.
    """

    batch: SessionBatch
    config: Config
    device: torch.device
    step_bytes: Callable[[range], int]  # by members of one ensemble
    command: str = "train"
    independent: bool = True

    @classmethod
    def on(cls, prepared: Mapping[Path, PreparedSession], config: Config, device: torch.device) -> SeparateTraining:
        """Return the training of sessions on a device, batched where that is faster.

        Args:
            prepared: prepared sessions by results folder.
            config: settings of the training.
            device: device that computes.
        """
        recordings = {directory: input_array(session.session, directory) for directory, session in prepared.items()}
        batch = SessionBatch.of(prepared, recordings, device)
        batch.log_reading_cost(config, device)
        unmeasured = cls(batch, config, device, lambda members: 0)
        by_ensemble = {ensemble: bytes_of_a_step(unmeasured, ensemble, device) for ensemble in batch.ensembles}

        def step_bytes(members: range) -> int:
            return by_ensemble[batch.ensemble_of(members)](members)

        return replace(unmeasured, batch=batch.near(step_bytes, device), step_bytes=step_bytes)

    @property
    def directories(self) -> Sequence[Path]:
        """The results folders, in the order of the members."""
        return self.batch.directories

    @property
    def sessions(self) -> Sequence[PreparedSession]:
        """The sessions, in the order of the members."""
        return self.batch.sessions

    @property
    def inputs(self) -> list[Path]:
        """The session datasets."""
        return [directory / "session.nc" for directory in self.directories]

    @property
    def ensembles(self) -> Sequence[range]:
        """The members that train at once."""
        return self.batch.ensembles

    def title(self, members: range) -> str:
        """Return the title of training ``members``."""
        of_sessions = f" of {len(self.batch.sessions_of(members))} sessions" if len(self.sessions) > 1 else ""
        return f"training {len(members)} members{of_sessions}"

    def data(self, members: range) -> _Data:
        """Return the sessions of ``members`` and their recordings on the device."""
        return _Data(self.batch.sessions_of(members), self.batch.padded(members, self.device))

    def learn(self, data: _Data, chosen: Options, advance: Advance, resume: ResumePoint) -> list[Trained]:
        """Return the trained members of every session.

        Args:
            data: the sessions with the members to train, and their recordings.
            chosen: options of the training.
            advance: called with the number of steps that are done.
            resume: state to resume from, and the checkpoint hook.
        """
        sessions, padded = list(data.sessions.values()), data.padded
        generators = [generator for session in sessions for generator in session.generators(self.config)]
        members = [len(session.members) for session in sessions]
        inputs, shape, blocks, units = padded.inputs, padded.shape, sessions[0].blocks, padded.units(members)
        if self.config.training.loss == "supervised":
            target_values = padded.data([_targets(session, TRAIN) for session in sessions])
            trained = supervised.train(inputs, shape, blocks, target_values, generators, chosen, advance, resume, units)
        else:
            samples = padded.data([session.samples(TRAIN) for session in sessions])
            trained = contrastive.train(inputs, shape, blocks, samples, generators, chosen, advance, resume, units)
        return padded.by_session(trained, members)

    def judge(self, data: _Data, trained: list[Trained]) -> list[SessionPart]:
        """Return the members of every session with their held-out losses and latents."""
        judged = []
        for index, ((number, session), members) in enumerate(zip(data.sessions.items(), trained, strict=True)):
            inputs = data.padded.recording(index)
            latents = embed(session.shape, members.layers, inputs, session.split.bins)
            judged.append(SessionPart(number, self._ensemble(inputs, session, members), latents))
        return judged

    def bytes_needed(self, members: range) -> int:
        """Return the bytes of device memory that a step of ``members`` takes."""
        # Recordings are padded for every group, so they count.
        return self.step_bytes(members) + self.batch.bytes_of_recordings(members, self.device)

    def attrs(self, parts: Sequence[Sequence[TrainedEnsemble]]) -> list[dict[str, Any]]:
        """Return, by session, the digests of its latent space and of the inputs of the training."""
        return [
            {"space": space([session_parts]), "made_of": inputs_digest(directory, self.config)}
            for directory, session_parts in zip(self.directories, parts, strict=True)
        ]

    def _ensemble(self, inputs: EncoderInput, session: PreparedSession, trained: Trained) -> TrainedEnsemble:
        if self.config.training.loss == "supervised":
            return _judged_by_targets(inputs, session, trained)
        chosen, held_out, tests = options(self.config), session.samples(HELD_OUT), session.generators(self.config, TEST)
        losses = contrastive.held_out_losses(
            inputs, session.shape, trained.layers, session.blocks, held_out, tests, chosen
        )
        return with_chance_level(trained, losses, session, chosen)


def inputs_digest(directory: Path, config: Config) -> str:
    """Return the digest of everything that separate training depends on.

    Args:
        directory: the session's results folder, which holds session.nc.
        config: settings of the training.
    """
    return identity("train", config, [directory / "session.nc"], config.training.device)


def _judged_by_targets(inputs: EncoderInput, session: PreparedSession, trained: Trained) -> TrainedEnsemble:
    """Return the members of a supervised session with the unexplained share of held-out variance."""
    held_out = _targets(session, HELD_OUT)
    losses = supervised.held_out_losses(inputs, session.shape, trained.layers, session.blocks, held_out)
    scales = targets.scales(session.session, session.split, session.objectives)
    recorded = {name: {"mean": s.mean.tolist(), "deviation": s.deviation.tolist()} for name, s in scales.items()}
    positive = ["supervised"] * len(session.objectives)
    attrs = {"targets": json.dumps(recorded)}
    return TrainedEnsemble(trained, losses, supervised.CHANCE, "share of variance", positive, attrs)


def _targets(session: PreparedSession, part: int) -> list[Targets]:
    """Return the targets of every member in one part of the split."""
    scales = targets.scales(session.session, session.split, session.objectives)
    return targets.targets(session.session, session.split, session.objectives, scales, session.members, part)
