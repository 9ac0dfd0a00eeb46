"""train: session.nc -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb import targets, training_files
from xcebra_nwb.checkpoint import Checkpoint, identity
from xcebra_nwb.config import Config
from xcebra_nwb.device import device
from xcebra_nwb.fitted import Fitted, contrasted, joined, one_step, options, space
from xcebra_nwb.member_groups import train_in_groups
from xcebra_nwb.progress import Advance, progress
from xcebra_nwb.session import encoder_input, load
from xcebra_nwb.stack import TEST
from xcebra_nwb.trainee import Trainee, trainee
from xcebra_nwb.xcebra import supervised, training
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.optimization import Options, Trained
from xcebra_nwb.xcebra.snapshot import Survival
from xcebra_nwb.xcebra.supervised import Targets
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train all members on the session of ``directory`` and write the model, its history and its embedding there.

    A run that was killed is gone on with.

    Raises:
        Failure: the memory does not hold a single member.
    """
    ready = trainee(load(directory / "session.nc"), config)
    ready.say()
    started, chosen = time.monotonic(), options(config)
    learn, judge = (_learn_labels, _judge_labels) if config.training.loss == "supervised" else (_learn, _judge)
    with device(config.training.device, threads) as place:
        inputs = torch.as_tensor(encoder_input(ready.session), device=place)
        same = identity("train", config, [directory / "session.nc"], place.type)
        checkpoint = Checkpoint(directory, same, len(ready.stack), chosen.steps)

        def work(members: Sequence[int], survival: Survival) -> tuple[Fitted, NDArray[np.float32]]:
            some = ready.only(members)
            with progress(f"training {len(members)} members", survival.left(chosen.steps), "steps") as advance:
                trained = learn(inputs, some, config, chosen, advance, survival)
            return judge(inputs, some, config, trained), embed(ready.shape, trained.layers, inputs, ready.used.bins)

        def step_of_one() -> Trained:
            return learn(inputs, ready.only([0]), config, one_step(chosen), lambda steps: None, Survival())

        parts = train_in_groups(checkpoint, place, step_of_one, work)
    fitted, latents = joined([part for part, _ in parts]), np.concatenate([found for _, found in parts])
    fitted.attrs.update(seconds=time.monotonic() - started, device=str(place), threads=threads)
    fitted.attrs["space"] = space([fitted.trained.layers])
    paths = training_files.save(directory, ready, fitted, latents, config)
    checkpoint.remove()
    return paths


def _learn(
    inputs: torch.Tensor, ready: Trainee, config: Config, chosen: Options, advance: Advance, survival: Survival
) -> Trained:
    samples, generators = ready.samples(TRAIN), ready.generators(config)
    return training.train(inputs, ready.shape, ready.blocks, samples, generators, chosen, advance, survival)


def _judge(inputs: torch.Tensor, ready: Trainee, config: Config, trained: Trained) -> Fitted:
    chosen, held_out, tests = options(config), ready.samples(HELD_OUT), ready.generators(config, TEST)
    losses = training.held_out_losses(inputs, ready.shape, trained.layers, ready.blocks, held_out, tests, chosen)
    return contrasted(trained, losses, ready, chosen)


def _learn_labels(
    inputs: torch.Tensor, ready: Trainee, config: Config, chosen: Options, advance: Advance, survival: Survival
) -> Trained:
    learnt, generators = _targets(ready, TRAIN), ready.generators(config)
    return supervised.train(inputs, ready.shape, ready.blocks, learnt, generators, chosen, advance, survival)


def _judge_labels(inputs: torch.Tensor, ready: Trainee, config: Config, trained: Trained) -> Fitted:
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
