"""train --together: session.nc of several sessions -> model.safetensors, training.nc, embedding.nc of each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import xarray as xr

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure, Refusal, UsageError, as_refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.training.design.prepare import PreparedSession, prepare
from xcebra_nwb.training.design.shared_labels import comparable, in_one_space, largest_group, meaning
from xcebra_nwb.training.joint import JointTraining
from xcebra_nwb.training.run import load_each, train_sessions

logger = logging.getLogger("xcebra_nwb")
REMEDY = "name the labels, objectives and time.bin_width that all sessions share, or train this one by itself"


def train_together(
    directories: Sequence[Path], config: Config, threads: int = 1, *, strict: bool = True
) -> dict[Path, list[Path] | Refusal | Failure]:
    """Train several sessions in one shared latent space.

    Sessions are sorted by name, so the order of ``directories`` does not change the results.

    Args:
        directories: results folders of the sessions.
        config: settings of the training.
        threads: CPU threads.
        strict: train all sessions or none. Otherwise the largest group of sessions with equal labels is trained.

    Returns:
        The files written for each session, or the reason why there are none. A failed session does not stop the others.

    Raises:
        UsageError: two folders have the same name, or there are more sessions than samples in a batch.
        Refusal: a session cannot be trained with the others (strict), or none can be trained at all.
        Failure: a session cannot be read, or the memory does not hold a single member.
    """
    folders = {directory.resolve().name: directory for directory in directories}
    if len(folders) < len(directories):
        raise UsageError("sessions to train together: two folders have the same name", "rename one")
    sessions, failures = load_each(folders[name] for name in sorted(folders))
    if failures:  # without the session the shared space would be another
        raise next(iter(failures.values()))
    prepared, refused = prepared_sessions({path.resolve().name: session for path, session in sessions.items()}, config)
    for name, error in refused.items():
        if strict or not prepared:
            raise _named(name, error)
    if len(prepared) > config.training.batch_size:
        problem = f"{len(prepared)} sessions share a batch of {config.training.batch_size}"
        raise UsageError(problem, "a larger batch_size")
    logger.info("%d sessions in one latent space: %s", len(prepared), ", ".join(prepared))
    for name, session in prepared.items():
        logger.info("%s:", name)
        session.log_remarks()
    by_folder = {folders[name]: session for name, session in prepared.items()}
    trained = train_sessions(partial(JointTraining.on, by_folder, config), config, threads)
    return {**trained, **{folders[name]: as_refusal(error) for name, error in refused.items()}}


def prepared_sessions(
    sessions: Mapping[str, xr.Dataset], config: Config
) -> tuple[dict[str, PreparedSession], dict[str, Refusal | UsageError]]:
    """Return the sessions that can share a latent space, and errors of the others.

    Args:
        sessions: session datasets by name.
        config: settings of the training.

    Returns:
        Prepared sessions by name, with the same members and label scales, and errors by name.
    """
    prepared: dict[str, PreparedSession] = {}
    refused: dict[str, Refusal | UsageError] = {}
    for name, session in zip(sessions, comparable(list(sessions.values())), strict=True):
        try:
            prepared[name] = prepare(session, config)
        except (Refusal, UsageError) as error:
            refused[name] = error
    if prepared:
        meanings = {name: meaning(s.session, s.objectives, s.shape.outputs) for name, s in prepared.items()}
        kept, differing = largest_group(meanings)
        refused |= {
            name: Refusal(Code.NOT_IN_ONE_SPACE, f"not trained together: {difference}", REMEDY)
            for name, difference in differing.items()
        }
        prepared = dict(zip(kept, in_one_space([prepared[name] for name in kept]), strict=True))
    return prepared, refused


def _named(name: str, error: Refusal | UsageError) -> Refusal | UsageError:
    """Return the same error with the session's name before its message."""
    message = f"{name}: {error.message}"
    if isinstance(error, Refusal):
        return Refusal(error.code, message, error.remedy)
    return type(error)(message, error.remedy)
