"""align: session.nc, and the results of reference sessions -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.progress import Advance, progress
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import load
from xcebra_nwb.training import files as training_files
from xcebra_nwb.training.checkpoint import Checkpoint, identity
from xcebra_nwb.training.design.ensemble import TEST
from xcebra_nwb.training.design.prepare import Trainee, measured_by, trainee, with_members
from xcebra_nwb.training.design.shared_labels import comparable, difference, meaning
from xcebra_nwb.training.device import device, say_precision
from xcebra_nwb.training.files import recorded_scales, settings
from xcebra_nwb.training.fitted import Fitted, contrasted, joined, one_step, options
from xcebra_nwb.training.inputs import encoder_inputs
from xcebra_nwb.training.memory_groups import of_each, train_in_groups
from xcebra_nwb.training.reference import Reference, reference, trained
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import Inputs
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import align as core
from xcebra_nwb.xcebra.trainers.joint import Part
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.snapshot import Survival

REFERENCE_FILES = ("session.nc", "training.nc", "embedding.nc")
REMEDY = "align it to sessions whose labels mean the same"


def align(directory: Path, references: Sequence[Path], threads: int = 1) -> list[Path]:
    """Train encoders of the session in ``directory`` in the space of ``references``, with the settings of those.

    References are taken in the order of their names.

    Raises:
        UsageError: the references do not share a space, or the session is one of them.
        Refusal: the session's labels mean something else than those of the references.
    """
    references = sorted(references, key=lambda where: where.resolve().name)
    histories = [trained(where) for where in references]
    first = histories[0]
    _check_space(directory, references, [history.attrs["space"] for history in histories])
    config, order = settings(first), [str(label) for label in first["label"].values if label]
    own, *others = comparable([load(where / "session.nc") for where in (directory, *references)], order)
    ready = trainee(own, config)
    opened = [reference(*one, config) for one in zip(references, others, histories, strict=True)]
    _check_meaning(ready, opened)
    ready = with_members(ready, [{member.key for member in one.stack} for one in opened])
    ready = measured_by(ready, recorded_scales(first))
    ready.say()
    with device(config.training.device, threads) as place:
        say_precision(config.training.precision, place)
        inputs, chosen = encoder_inputs(own, place, directory, ready.bytes_a_step(config)), options(config)
        files = [directory / "session.nc", *(where / name for where in references for name in REFERENCE_FILES)]
        same = identity("align", config, files, place.type)
        checkpoint = Checkpoint(directory, same, [range(len(ready.stack))], chosen.steps)

        def learn(members: Sequence[int], steps: Options, advance: Advance, survival: Survival) -> Trained:
            some = ready.only(members)
            frozen = [one.frozen(some.stack, TRAIN, place) for one in opened]
            part, generators = Part(inputs, some.shape, some.samples(TRAIN)), some.generators(config)
            return core.train_aligned(part, frozen, some.blocks, generators, steps, advance, survival)

        def work(members: Sequence[int], survival: Survival) -> tuple[Fitted, NDArray[np.float32]]:
            with progress(f"aligning {len(members)} members", survival.left(chosen.steps), "steps") as advance:
                trained = learn(members, chosen, advance, survival)
            fitted = _judged(inputs, ready.only(members), opened, config, trained)
            return fitted, embed(ready.shape, trained.layers, inputs, ready.used.bins)

        def step_of_one() -> Trained:
            return learn([0], one_step(chosen), lambda steps: None, Survival())

        parts = train_in_groups(checkpoint, place, of_each(step_of_one, place), work)
    fitted, latents = joined([part for part, _ in parts]), [found for _, found in parts]
    where = {one.name: os.path.relpath(folder, directory) for one, folder in zip(opened, references, strict=True)}
    fitted.attrs.update(device=str(place), space=first.attrs["space"], aligned_to=json.dumps(where))
    paths = training_files.save(directory, ready, fitted, latents, config)
    checkpoint.remove()
    return paths


def _check_space(directory: Path, references: Sequence[Path], spaces: Sequence[str]) -> None:
    if directory.resolve() in {where.resolve() for where in references}:
        raise UsageError(f"{directory}: a session cannot be aligned to itself", "name other sessions after --to")
    for where, space in zip(references, spaces, strict=True):
        if space != spaces[0]:
            raise UsageError(
                f"{references[0]} and {where} were not trained together, so they share no space to align to",
                "train them together, or align to one of them",
            )


def _check_meaning(ready: Trainee, references: Sequence[Reference]) -> None:
    own = meaning(ready.session, ready.objectives, ready.shape.outputs)
    for other in references:
        if own != other.meaning:
            raise Refusal(Code.NOT_IN_ONE_SPACE, f"not aligned: {difference(own, other.meaning, other.name)}", REMEDY)


def _judged(
    inputs: Inputs, ready: Trainee, references: Sequence[Reference], config: Config, trained: Trained
) -> Fitted:
    chosen, part = options(config), Part(inputs, ready.shape, ready.samples(HELD_OUT))
    unseen = [one.frozen(ready.stack, HELD_OUT, inputs.device) for one in references]
    tests = ready.generators(config, TEST)
    losses = core.held_out_losses_aligned(part, unseen, trained.layers, ready.blocks, tests, chosen)
    return contrasted(trained, losses, ready, chosen)
