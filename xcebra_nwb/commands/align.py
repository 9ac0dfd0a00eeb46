"""align: session.nc and the results of reference sessions -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from xcebra_nwb.core.errors import Failure, Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import load
from xcebra_nwb.training.aligned import AlignedTraining
from xcebra_nwb.training.design.prepare import PreparedSession, prepare
from xcebra_nwb.training.design.shared_labels import comparable, difference, meaning, with_label_scales, with_members
from xcebra_nwb.training.files import recorded_scales, settings
from xcebra_nwb.training.reference import Reference, reference, trained
from xcebra_nwb.training.run import train_sessions

REMEDY = "align it to sessions whose labels mean the same"


def align(directory: Path, references: Sequence[Path], threads: int = 1) -> list[Path]:
    """Train a session into the latent space of others and return the files written.

    The session is trained with the settings of the references. References are sorted by name.

    Args:
        directory: the session's results folder, which holds session.nc.
        references: results folders of sessions that were trained together, or of one session.
        threads: CPU threads.

    Raises:
        UsageError: the references do not share a latent space, or the session is one of them.
        Refusal: the session's labels differ from those of the references in kind, units, axes or classes.
        Failure: the memory does not hold a single member, or the disk does not hold the files.
    """
    references = sorted(references, key=lambda folder: folder.resolve().name)
    histories = [trained(folder) for folder in references]
    first = histories[0]
    _check_space(directory, references, [history.attrs["space"] for history in histories])
    config, order = settings(first), [str(label) for label in first["label"].values if label]
    sessions = [load(folder / "session.nc") for folder in (directory, *references)]
    session, *reference_sessions = comparable(sessions, order)
    prepared = prepare(session, config)
    opened = {
        folder: reference(folder, dataset, history, config)
        for folder, dataset, history in zip(references, reference_sessions, histories, strict=True)
    }
    _check_meaning(prepared, opened.values())
    prepared = with_members(prepared, [{member.key for member in other.members} for other in opened.values()])
    prepared = with_label_scales(prepared, recorded_scales(first))
    prepared.log_remarks()
    strategy = partial(AlignedTraining.on, directory, prepared, opened, first.attrs["space"], config)
    outcome = train_sessions(strategy, config, threads)[directory]
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


def _check_space(directory: Path, references: Sequence[Path], spaces: Sequence[str]) -> None:
    if directory.resolve() in {folder.resolve() for folder in references}:
        raise UsageError(f"{directory}: a session cannot be aligned to itself", "name other sessions after --to")
    for folder, space in zip(references, spaces, strict=True):
        if space != spaces[0]:
            raise UsageError(
                f"{references[0]} and {folder} were not trained together, so they share no space to align to",
                "train them together, or align to one of them",
            )


def _check_meaning(prepared: PreparedSession, references: Iterable[Reference]) -> None:
    properties = meaning(prepared.session, prepared.objectives, prepared.shape.outputs)
    for other in references:
        if properties != other.meaning:
            raise Refusal(
                Code.NOT_IN_ONE_SPACE, f"not aligned: {difference(properties, other.meaning, other.name)}", REMEDY
            )
