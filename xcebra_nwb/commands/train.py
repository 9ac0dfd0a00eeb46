"""train: session.nc -> model.safetensors, training.nc, embedding.nc; for a session, or several in one process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure, Refusal, UsageError, as_refusal
from xcebra_nwb.core.session import load
from xcebra_nwb.training import files
from xcebra_nwb.training.design.prepare import PreparedSession, prepare
from xcebra_nwb.training.run import load_each, train_sessions
from xcebra_nwb.training.separate import SeparateTraining, inputs_digest

logger = logging.getLogger("xcebra_nwb")


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train the ensemble of a session and return the files that are written.

    A training that was killed is resumed.

    Args:
        directory: the session's results folder, which holds session.nc.
        config: settings of the training.
        threads: CPU threads.

    Raises:
        UsageError: an objective does not fit the session's labels.
        Refusal: the session is too short to train on, or its labels vary too little.
        Failure: the memory does not hold a single member, or the disk does not hold the files.
    """
    prepared = prepare(load(directory / "session.nc"), config)
    prepared.log_remarks()
    outcome = _train({directory: prepared}, config, threads)[directory]
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


def train_each(
    directories: Sequence[Path], config: Config, threads: int = 1
) -> Mapping[Path, list[Path] | Refusal | Failure]:
    """Train several sessions in one process, each in its own latent space.

    Args:
        directories: results folders of the sessions.
        config: settings of the training.
        threads: CPU threads.

    Returns:
        The files written for each session, or the reason why there are none. A failed session does not stop the others.

    Raises:
        Failure: the memory does not hold a single member.
    """
    sessions, failures = load_each(sorted(directories, key=lambda directory: directory.resolve().name))
    prepared: dict[Path, PreparedSession] = {}
    refused: dict[Path, Refusal] = {}
    for directory, session in sessions.items():
        try:
            prepared[directory] = prepare(session, config)
        except (Refusal, UsageError) as error:
            refused[directory] = as_refusal(error)
    for directory, prepared_session in prepared.items():
        logger.info("%s:", directory.resolve().name)
        prepared_session.log_remarks()
    trained = _train(prepared, config, threads) if prepared else {}
    return {**trained, **refused, **failures}


def current(directory: Path, config: Config) -> list[Path]:
    """Return the files of an earlier training if they are up to date, else none.

    They are if settings, code, session and versions are unchanged (``made_of`` in training.nc).
    """
    paths = [directory / name for name in files.NAMES]
    if not all(path.exists() for path in (directory / "session.nc", *paths)):
        return []
    return paths if files.made_of(directory) == inputs_digest(directory, config) else []


def _train(prepared: Mapping[Path, PreparedSession], config: Config, threads: int) -> dict[Path, list[Path] | Failure]:
    return train_sessions(partial(SeparateTraining.on, prepared, config), config, threads)
