"""train: session.nc -> model.safetensors, training.nc, embedding.nc; of one session, or of several side by side."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure, Refusal, UsageError, as_refusal
from xcebra_nwb.core.input_array import input_array
from xcebra_nwb.core.progress import Advance, progress
from xcebra_nwb.core.session import load
from xcebra_nwb.training import files as training_files
from xcebra_nwb.training.checkpoint import Checkpoint, identity, remove
from xcebra_nwb.training.design import targets
from xcebra_nwb.training.design.ensemble import TEST
from xcebra_nwb.training.design.prepare import Trainee, trainee
from xcebra_nwb.training.device import device, say_precision
from xcebra_nwb.training.fitted import Fitted, contrasted, joined, one_step, options, space
from xcebra_nwb.training.memory_groups import of_each, train_in_groups
from xcebra_nwb.training.session_batch import Cohort
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.inputs import Inputs
from xcebra_nwb.xcebra.sampling.samples import Targets
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN
from xcebra_nwb.xcebra.trainers import contrastive, supervised
from xcebra_nwb.xcebra.trainers.optimize import Options, Trained
from xcebra_nwb.xcebra.trainers.side_by_side import SideBySide
from xcebra_nwb.xcebra.trainers.snapshot import Survival

logger = logging.getLogger("xcebra_nwb")
Result = tuple[int, Fitted, NDArray[np.float32]]  # number of the session, some of its members, and their latents


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train all members on the session of ``directory`` and write the model, its history and its embedding there.

    A run that was killed is gone on with.

    Raises:
        Failure: the memory does not hold a single member, or the disk not what it became.
    """
    ready = trainee(load(directory / "session.nc"), config)
    ready.say()
    outcome = _train({directory: ready}, config, threads)[directory]
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


def train_each(
    directories: Sequence[Path], config: Config, threads: int = 1
) -> Mapping[Path, list[Path] | Refusal | Failure]:
    """Train every session of ``directories`` in a space of its own, all members of all sessions side by side.

    Returns:
        the files written for each session, or why it is left out or could not be read or written, which stops no other.

    Raises:
        Failure: the memory does not hold a single member.
    """
    ready: dict[Path, Trainee] = {}
    left_out: dict[Path, Refusal | Failure] = {}
    for directory in sorted(directories, key=lambda where: where.resolve().name):
        one = _ready(directory, config)
        if isinstance(one, Trainee):
            ready[directory] = one
        else:
            left_out[directory] = one
    for directory, one in ready.items():
        logger.info("%s:", directory.resolve().name)
        one.say()
    return {**(_train(ready, config, threads) if ready else {}), **left_out}


def _ready(directory: Path, config: Config) -> Trainee | Refusal | Failure:
    """The session of ``directory`` made ready, or why not: a file that cannot be read is no answer of the data."""
    try:
        session = load(directory / "session.nc")
    except Failure as failure:
        return failure
    except UsageError as error:
        return Failure(error.message, error.remedy)
    try:
        return trainee(session, config)
    except (Refusal, UsageError) as error:
        return as_refusal(error)


def current(directory: Path, config: Config) -> list[Path]:
    """Return the files of an earlier training if they are what :func:`train` would leave again, else none.

    They are if settings, code, session and versions are the same (``made_of`` in training.nc).
    """
    files = [directory / name for name in training_files.NAMES]
    if not all(file.exists() for file in (directory / "session.nc", *files)):
        return []
    made_of = training_files.made_of(directory)
    return files if made_of == _made_of(directory, config) else []


def _made_of(directory: Path, config: Config) -> str:
    return identity("train", config, [directory / "session.nc"], config.training.device)


def _train(ready: Mapping[Path, Trainee], config: Config, threads: int) -> dict[Path, list[Path] | Failure]:
    chosen = options(config)
    with device(config.training.device, threads) as place:
        say_precision(config.training.precision, place)
        recordings = {directory: input_array(one.session, directory) for directory, one in ready.items()}
        cohort = Cohort.of(ready, recordings, place)
        cohort.tell(config, place)
        of_a_step = _bytes_a_step(cohort, config, place)
        cohort = cohort.near(of_a_step, place)
        same = identity("train", config, [one / "session.nc" for one in cohort.directories], place.type)
        checkpoint = Checkpoint(next(iter(ready)), same, cohort.stacks, chosen.steps)

        def work(members: range, survival: Survival) -> list[Result]:
            some, beside = cohort.sessions(members), cohort.side_by_side(members, place)
            what = f"training {len(members)} members" + (f" of {len(some)} sessions" if len(ready) > 1 else "")
            with progress(what, survival.left(chosen.steps), "steps") as advance:
                trained = _learn(beside, list(some.values()), config, chosen, advance, survival)
            return list(_judged(beside, some, config, trained))

        def taken(members: range) -> int:
            return of_a_step(members) + cohort.bytes_of_recordings(members, place)

        groups = train_in_groups(checkpoint, place, taken, work)
    found = [part for group in groups for part in group]
    written: dict[Path, list[Path] | Failure] = {}
    for number, (directory, one) in enumerate(zip(cohort.directories, cohort.trainees, strict=True)):
        own = [(fitted, latents) for session, fitted, latents in found if session == number]
        fitted, latents = joined([fitted for fitted, _ in own]), [latents for _, latents in own]
        fitted.attrs.update(device=str(place), space=space([fitted.trained.layers]))
        fitted.attrs.update(made_of=_made_of(directory, config))
        try:
            written[directory] = training_files.save(directory, one, fitted, latents, config)
            remove(directory)
        except Failure as failure:
            written[directory] = failure
    return written


def _bytes_a_step(cohort: Cohort, config: Config, place: torch.device) -> Callable[[range], int]:
    """What a step of some members takes; measured on the widest of every stack."""

    def step_of_one(first: range, beside: SideBySide) -> list[Trained]:
        (one,) = cohort.sessions(first).values()
        return _learn(beside, [one], config, one_step(options(config)), lambda steps: None, Survival())

    def measured(first: range) -> Callable[[range], int]:
        beside = cohort.side_by_side(first, place)  # there before, so that it is not counted
        return of_each(partial(step_of_one, first, beside), place)

    by_stack = {stack: measured(stack[:1]) for stack in cohort.stacks}
    return lambda members: by_stack[cohort.stack_of(members)](members)


def _learn(
    beside: SideBySide,
    sessions: Sequence[Trainee],
    config: Config,
    chosen: Options,
    advance: Advance,
    survival: Survival,
) -> list[Trained]:
    """Every session's part of the stack of all their members."""
    generators = [generator for one in sessions for generator in one.generators(config)]
    members = [len(one.stack) for one in sessions]
    inputs, shape, blocks, units = beside.inputs, beside.shape, sessions[0].blocks, beside.units(members)
    if config.training.loss == "supervised":
        learnt = beside.data([_targets(one, TRAIN) for one in sessions])
        trained = supervised.train(inputs, shape, blocks, learnt, generators, chosen, advance, survival, units)
    else:
        samples = beside.data([one.samples(TRAIN) for one in sessions])
        trained = contrastive.train(inputs, shape, blocks, samples, generators, chosen, advance, survival, units)
    return beside.apart(trained, members)


def _judged(
    beside: SideBySide, sessions: Mapping[int, Trainee], config: Config, trained: Sequence[Trained]
) -> Iterator[Result]:
    """Every session's encoders with their held-out losses, and its latents."""
    judge = _judge_labels if config.training.loss == "supervised" else _judge
    for place, ((number, one), own) in enumerate(zip(sessions.items(), trained, strict=True)):
        inputs = beside.recording(place)
        yield number, judge(inputs, one, config, own), embed(one.shape, own.layers, inputs, one.used.bins)


def _judge(inputs: Inputs, ready: Trainee, config: Config, trained: Trained) -> Fitted:
    chosen, held_out, tests = options(config), ready.samples(HELD_OUT), ready.generators(config, TEST)
    losses = contrastive.held_out_losses(inputs, ready.shape, trained.layers, ready.blocks, held_out, tests, chosen)
    return contrasted(trained, losses, ready, chosen)


def _judge_labels(inputs: Inputs, ready: Trainee, config: Config, trained: Trained) -> Fitted:
    held_out = _targets(ready, HELD_OUT)
    losses = supervised.held_out_losses(inputs, ready.shape, trained.layers, ready.blocks, held_out)
    scales = targets.scales(ready.session, ready.used, ready.objectives)
    said = {name: {"mean": s.mean.tolist(), "deviation": s.deviation.tolist()} for name, s in scales.items()}
    positive = ["supervised"] * len(ready.objectives)
    return Fitted(trained, losses, supervised.CHANCE, "share of variance", positive, {"targets": json.dumps(said)})


def _targets(ready: Trainee, part: int) -> list[Targets]:
    """What every member is to say on one part of the split."""
    scales = targets.scales(ready.session, ready.used, ready.objectives)
    return targets.targets(ready.session, ready.used, ready.objectives, scales, ready.stack, part)
