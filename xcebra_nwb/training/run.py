"""Train sessions: select the device, form memory groups, resume from a checkpoint and write the files.

Separate, joint and aligned training each supply a :class:`Strategy`, which trains and judges the encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.progress import Advance, progress
from xcebra_nwb.core.session import load
from xcebra_nwb.training import files
from xcebra_nwb.training.checkpoint import Checkpoint, identity, remove
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.training.device import device, warn_of_precision
from xcebra_nwb.training.memory_groups import of_each, train_in_groups
from xcebra_nwb.training.trained_ensemble import TrainedEnsemble, concatenate, one_step, options
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint

Data = TypeVar("Data")


class SessionPart(NamedTuple):
    """Members of one session, trained and judged."""

    session: int  # index of the session
    ensemble: TrainedEnsemble
    latents: NDArray[np.float32]  # (member, sample, latent) at the usable bins


class Strategy(Protocol[Data]):
    """A way of training: the sessions, and how their encoders are trained and judged."""

    @property
    def command(self) -> str:
        """The module of ``commands`` whose code the results depend on."""

    @property
    def config(self) -> Config:
        """The settings that are written into the results."""

    @property
    def directories(self) -> Sequence[Path]:
        """The results folder of each session."""

    @property
    def sessions(self) -> Sequence[PreparedSession]:
        """The prepared sessions, in the order of ``directories``."""

    @property
    def inputs(self) -> Sequence[Path]:
        """The files whose content the results depend on."""

    @property
    def ensembles(self) -> Sequence[range]:
        """The numbers of the members that train at once if the memory holds them."""

    @property
    def independent(self) -> bool:
        """Whether a session can be trained again without the others."""

    def title(self, members: range) -> str:
        """Return the title of training ``members``, for the progress bar and the log."""

    def data(self, members: range) -> Data:
        """Return the training data of ``members``, with the recordings on the device."""

    def learn(self, data: Data, chosen: Options, advance: Advance, resume: ResumePoint) -> list[Trained]:
        """Return the trained members of every session.

        Args:
            data: training data of the members.
            chosen: options of the training.
            advance: called with the number of steps that are done.
            resume: state to resume from, and the checkpoint hook.
        """

    def judge(self, data: Data, trained: list[Trained]) -> list[SessionPart]:
        """Return the members of every session with held-out losses and latents."""

    def bytes_needed(self, members: range) -> int:
        """Return the bytes of device memory that training ``members`` takes at most."""

    def attrs(self, parts: Sequence[Sequence[TrainedEnsemble]]) -> list[dict[str, Any]]:
        """Return, by session, the attributes of training.nc that only this way of training has.

        Args:
            parts: by session, its ensemble in parts, in the order of the members.
        """


def train_sessions(
    strategy_on: Callable[[torch.device], Strategy[Any]], config: Config, threads: int
) -> dict[Path, list[Path] | Failure]:
    """Train the sessions of a strategy and write their files.

    A training that was killed is resumed.

    Args:
        strategy_on: returns the strategy on a device.
        config: device, precision and options of the training.
        threads: CPU threads.

    Returns:
        The files written for each session, or the failure to write them. A failure does not stop other sessions.

    Raises:
        Failure: the memory does not hold a single member.
    """
    chosen = options(config)
    with device(config.training.device, threads) as target:
        warn_of_precision(config.training.precision, target)
        strategy = strategy_on(target)
        inputs = identity(strategy.command, strategy.config, strategy.inputs, target.type)
        first = min(strategy.directories, key=lambda directory: directory.resolve().name)
        checkpoint = Checkpoint(first, inputs, strategy.ensembles, chosen.steps)

        def work(members: range, resume: ResumePoint) -> list[SessionPart]:
            data = strategy.data(members)
            with progress(strategy.title(members), resume.steps_left(chosen.steps), "steps") as advance:
                trained = strategy.learn(data, chosen, advance, resume)
            return strategy.judge(data, trained)

        groups = train_in_groups(checkpoint, target, strategy.bytes_needed, work)
    return _save(strategy, [part for group in groups for part in group], str(target))


def bytes_of_a_step(strategy: Strategy[Any], members: range, target: torch.device) -> Callable[[range], int]:
    """Return a function that gives the bytes of a training step of members.

    The recordings are not counted, because they lie on the device before the step.

    Args:
        strategy: trains the members.
        members: the step of the first of these members is measured.
        target: device that computes.
    """
    data = strategy.data(members[:1])
    chosen = one_step(options(strategy.config))
    return of_each(lambda: strategy.learn(data, chosen, lambda steps: None, ResumePoint()), target)


def load_each(directories: Iterable[Path]) -> tuple[dict[Path, xr.Dataset], dict[Path, Failure]]:
    """Load session datasets, and return those that can be read and the failures.

    Args:
        directories: results folders of the sessions.

    Returns:
        Sessions by folder, and failures by folder.
    """
    sessions: dict[Path, xr.Dataset] = {}
    failures: dict[Path, Failure] = {}
    for directory in directories:
        try:
            sessions[directory] = load(directory / "session.nc")
        except Failure as failure:
            failures[directory] = failure
        except UsageError as error:
            # A damaged file is a failure, not a refusal: it says nothing about the data.
            failures[directory] = Failure(error.message, error.remedy)
    return sessions, failures


def _save(strategy: Strategy[Any], parts: Sequence[SessionPart], device_name: str) -> dict[Path, list[Path] | Failure]:
    by_session = [[part for part in parts if part.session == number] for number in range(len(strategy.sessions))]
    attrs = strategy.attrs([[part.ensemble for part in session_parts] for session_parts in by_session])
    written: dict[Path, list[Path] | Failure] = {}
    for number, (directory, session) in enumerate(zip(strategy.directories, strategy.sessions, strict=True)):
        ensemble = concatenate([part.ensemble for part in by_session[number]])
        ensemble.attrs.update(device=device_name, **attrs[number])
        latents = [part.latents for part in by_session[number]]
        try:
            written[directory] = files.save(directory, session, ensemble, latents, strategy.config)
        except Failure as failure:
            written[directory] = failure
    _remove_checkpoints(strategy, written)
    return written


def _remove_checkpoints(strategy: Strategy[Any], written: dict[Path, list[Path] | Failure]) -> None:
    """Remove the checkpoint, unless a failed session must be trained again with the others."""
    failed = {directory for directory, outcome in written.items() if isinstance(outcome, Failure)}
    if strategy.independent or not failed:
        for directory in written.keys() - failed:
            remove(directory)
