"""train --together: session.nc of several sessions -> model.safetensors, training.nc, embedding.nc of each."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError, as_refusal
from xcebra_nwb.core.progress import Advance, progress
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import load
from xcebra_nwb.training import files
from xcebra_nwb.training.checkpoint import Checkpoint, identity
from xcebra_nwb.training.design.ensemble import TEST
from xcebra_nwb.training.design.prepare import Trainee, in_one_space, trainee
from xcebra_nwb.training.design.shared_labels import comparable, largest_group, meaning
from xcebra_nwb.training.device import device, say_precision
from xcebra_nwb.training.fitted import Fitted, contrasted, joined, one_step, options, space
from xcebra_nwb.training.inputs import encoder_inputs
from xcebra_nwb.training.memory_groups import of_each, train_in_groups
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import Inputs
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import joint
from xcebra_nwb.xcebra.trainers.joint import Part
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.snapshot import Survival

logger = logging.getLogger("xcebra_nwb")
REMEDY = "name the labels, objectives and time.bin_width that all sessions share, or train this one by itself"


def train_together(
    directories: Sequence[Path], config: Config, threads: int = 1, *, strict: bool = True
) -> dict[Path, list[Path] | Refusal]:
    """Train the sessions of ``directories`` in one space; return the files written for each, or why it is left out.

    Sessions are taken in the order of their names, so that the order in which they are given changes nothing.

    Args:
        strict: all sessions or none. Otherwise the largest group whose labels mean the same is trained.

    Raises:
        UsageError: two folders have one name, or there are more sessions than samples in a batch.
        Refusal: a session cannot be trained with the others (strict), or none can be trained at all.
    """
    where = {directory.resolve().name: directory for directory in directories}
    if len(where) < len(directories):
        raise UsageError("sessions to train together: two folders have the same name", "rename one")
    ready, refused = prepared({name: where[name] for name in sorted(where)}, config)
    for name, error in refused.items():
        if strict or not ready:
            raise _named(name, error)
    if len(ready) > config.training.batch_size:
        raise UsageError(f"{len(ready)} sessions share a batch of {config.training.batch_size}", "a larger batch_size")
    logger.info("%d sessions in one space: %s", len(ready), ", ".join(ready))
    for name, one in ready.items():
        logger.info("%s:", name)
        one.say()
    written = _train({where[name]: one for name, one in ready.items()}, config, threads)
    return {**written, **{where[name]: as_refusal(error) for name, error in refused.items()}}


def prepared(where: Mapping[str, Path], config: Config) -> tuple[dict[str, Trainee], dict[str, Refusal | UsageError]]:
    """Return the sessions that can be trained together, by name, and why each of the others cannot."""
    ready: dict[str, Trainee] = {}
    refused: dict[str, Refusal | UsageError] = {}
    sessions = comparable([load(path / "session.nc") for path in where.values()])
    for name, session in zip(where, sessions, strict=True):
        try:
            ready[name] = trainee(session, config)
        except (Refusal, UsageError) as error:  # what one session does not hold stops no other
            refused[name] = error
    if ready:
        meanings = {name: meaning(t.session, t.objectives, t.shape.outputs) for name, t in ready.items()}
        kept, differing = largest_group(meanings)
        refused |= {
            name: Refusal(Code.NOT_IN_ONE_SPACE, f"not trained together: {what}", REMEDY)
            for name, what in differing.items()
        }
        ready = dict(zip(kept, in_one_space([ready[name] for name in kept]), strict=True))
    return ready, refused


def _named(name: str, error: Refusal | UsageError) -> Refusal | UsageError:
    """The same error with the session's name before it."""
    message = f"{name}: {error.message}"
    if isinstance(error, Refusal):
        return Refusal(error.code, message, error.remedy)
    return type(error)(message, error.remedy)


def _train(ready: Mapping[Path, Trainee], config: Config, threads: int) -> dict[Path, list[Path] | Refusal]:
    together = config.model_copy(update={"training": config.training.model_copy(update={"together": True})})
    chosen, sessions = options(config), list(ready.values())
    with device(config.training.device, threads) as place:
        say_precision(config.training.precision, place)
        inputs = [
            encoder_inputs(one.session, place, directory, one.bytes_a_step(config)) for directory, one in ready.items()
        ]
        same = identity("train_together", together, [directory / "session.nc" for directory in ready], place.type)
        checkpoint = Checkpoint(next(iter(ready)), same, [range(len(sessions[0].stack))], chosen.steps)

        def learn(members: Sequence[int], steps: Options, advance: Advance, survival: Survival) -> list[Trained]:
            some = [one.only(members) for one in sessions]
            parts, generators = _parts(inputs, some, TRAIN), some[0].generators(config)
            return joint.train_together(parts, some[0].blocks, generators, steps, advance, survival)

        def work(members: Sequence[int], survival: Survival) -> list[tuple[Fitted, NDArray[np.float32]]]:
            what = f"training {len(members)} members of {len(sessions)} sessions"
            with progress(what, survival.left(chosen.steps), "steps") as advance:
                trained = learn(members, chosen, advance, survival)
            return _judged(inputs, [one.only(members) for one in sessions], config, trained)

        def step_of_one() -> list[Trained]:
            return learn([0], one_step(chosen), lambda steps: None, Survival())

        groups = train_in_groups(checkpoint, place, of_each(step_of_one, place), work)
        by_session = zip(*groups, strict=True)
        found = [(joined([f for f, _ in own]), [z for _, z in own]) for own in by_session]
    shared = space([fitted.trained.layers for fitted, _ in found])
    written: dict[Path, list[Path] | Refusal] = {}
    for (directory, one), (fitted, latents) in zip(ready.items(), found, strict=True):
        others = {other.resolve().name: os.path.relpath(other, directory) for other in ready if other != directory}
        fitted.attrs.update(device=str(place), space=shared, trained_with=json.dumps(others))
        written[directory] = files.save(directory, one, fitted, latents, together)
    checkpoint.remove()
    return written


def _judged(
    inputs: Sequence[Inputs], sessions: Sequence[Trainee], config: Config, trained: Sequence[Trained]
) -> list[tuple[Fitted, NDArray[np.float32]]]:
    """Every session's stack with its held-out losses, and its latents."""
    chosen, layers, blocks = options(config), [one.layers for one in trained], sessions[0].blocks
    parts, tests = _parts(inputs, sessions, HELD_OUT), sessions[0].generators(config, TEST)
    held_out = joint.held_out_losses_together(parts, layers, blocks, tests, chosen)
    return [
        (contrasted(own, losses, one, chosen), embed(one.shape, own.layers, x, one.used.bins))
        for own, losses, one, x in zip(trained, held_out, sessions, inputs, strict=True)
    ]


def _parts(inputs: Sequence[Inputs], sessions: Sequence[Trainee], split: int) -> list[Part]:
    return [Part(x, one.shape, one.samples(split)) for x, one in zip(inputs, sessions, strict=True)]
