"""train: session.nc -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from xcebra_nwb import targets, training_files
from xcebra_nwb.config import Config
from xcebra_nwb.device import device
from xcebra_nwb.fitted import Fitted, contrasted, options, space
from xcebra_nwb.progress import progress
from xcebra_nwb.session import encoder_input, load
from xcebra_nwb.stack import TEST
from xcebra_nwb.trainee import Trainee, trainee
from xcebra_nwb.xcebra import supervised, training
from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train all members on the session of ``directory`` and write the model, its history and its embedding there."""
    ready = trainee(load(directory / "session.nc"), config)
    ready.say()
    started = time.monotonic()
    with device(config.training.device, threads) as place:
        inputs = torch.as_tensor(encoder_input(ready.session), device=place)
        fit = _supervised if config.training.loss == "supervised" else _contrastive
        fitted = fit(inputs, ready, config)
        latents = embed(ready.shape, fitted.trained.layers, inputs, ready.used.bins)
    fitted.attrs.update(seconds=time.monotonic() - started, device=str(place), threads=threads)
    fitted.attrs["space"] = space([fitted.trained.layers])
    return training_files.save(directory, ready, fitted, latents, config)


def _contrastive(inputs: torch.Tensor, ready: Trainee, config: Config) -> Fitted:
    chosen, stack = options(config), ready.stack
    generators, tests = ready.generators(config), ready.generators(config, TEST)
    learnt, held_out = ready.samples(TRAIN), ready.samples(HELD_OUT)
    with progress(f"training {len(stack)} members", chosen.steps, "steps") as advance:
        trained = training.train(inputs, ready.shape, ready.blocks, learnt, generators, chosen, advance)
    losses = training.held_out_losses(inputs, ready.shape, trained.layers, ready.blocks, held_out, tests, chosen)
    return contrasted(trained, losses, ready, chosen)


def _supervised(inputs: torch.Tensor, ready: Trainee, config: Config) -> Fitted:
    chosen, session, used, objectives = options(config), ready.session, ready.used, ready.objectives
    scales = targets.scales(session, used, objectives)
    learnt, held_out = (
        targets.targets(session, used, objectives, scales, ready.stack, part) for part in (TRAIN, HELD_OUT)
    )
    with progress(f"training {len(ready.stack)} members", chosen.steps, "steps") as advance:
        trained = supervised.train(inputs, ready.shape, ready.blocks, learnt, ready.generators(config), chosen, advance)
    losses = supervised.held_out_losses(inputs, ready.shape, trained.layers, ready.blocks, held_out)
    said = {name: {"mean": s.mean.tolist(), "deviation": s.deviation.tolist()} for name, s in scales.items()}
    positive = ["supervised"] * len(objectives)
    return Fitted(trained, losses, supervised.CHANCE, "share of variance", positive, {"targets": json.dumps(said)})
