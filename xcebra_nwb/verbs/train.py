"""train: session.nc -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from xcebra_nwb import model_file
from xcebra_nwb.config import Config, Objective
from xcebra_nwb.device import device
from xcebra_nwb.layout import Layout, layout
from xcebra_nwb.objectives import resolve
from xcebra_nwb.progress import progress
from xcebra_nwb.provenance import software
from xcebra_nwb.session import encoder_input, load, save_dataset
from xcebra_nwb.stack import TEST, Member, members, samples
from xcebra_nwb.trainable import check_trainable
from xcebra_nwb.xcebra import training
from xcebra_nwb.xcebra.encoder import architecture, embed
from xcebra_nwb.xcebra.loss import Contrast, chance_loss
from xcebra_nwb.xcebra.training import Block, Options, Trained
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train all members on the session of ``directory`` and write the model, its history and its embedding there."""
    session = load(directory / "session.nc")
    check_trainable(session, config)
    objectives, outputs = resolve(config, session)
    blocks = [Block(o.name, *o.outputs) for o in objectives]
    shape = architecture(
        config.encoder.architecture, session.sizes["unit"], config.encoder.hidden, outputs, config.encoder.clip
    )
    used = layout(session, config)
    stack = members(len(used.bins), config)
    started = time.monotonic()
    with device(config.training.device, threads) as place:
        inputs = torch.as_tensor(encoder_input(session), device=place)
        trained, held_out = _train(inputs, shape, blocks, session, used, objectives, stack, config)
        latents = embed(shape, trained.layers, inputs, used.bins)
    history = _history(session, used, objectives, stack, config, trained, held_out)
    history.attrs |= {"seconds": time.monotonic() - started, "device": str(place), "threads": threads}
    paths = [directory / name for name in ("model.safetensors", "training.nc", "embedding.nc")]
    model_file.save(trained.layers, shape, paths[0])
    save_dataset(history, paths[1])
    save_dataset(_embedding(session, used, stack, latents), paths[2])
    return paths


def options(config: Config) -> Options:
    """Return the numeric core's options of a config."""
    t = config.training
    return Options(
        steps=t.steps,
        batch_size=t.batch_size,
        learning_rate=t.learning_rate,
        contrast=Contrast(t.similarity, t.temperature, t.denominator),
        regularizer_weight=t.regularizer.weight,
        regularizer_ramp=t.regularizer.ramp,
    )


def _train(
    inputs: torch.Tensor,
    shape: training.Architecture,
    blocks: list[Block],
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    config: Config,
) -> tuple[Trained, np.ndarray]:
    """Return the trained stack and its losses on the held-out part (member, objective)."""
    chosen = options(config)
    generators = [member.generator(config.random_seed) for member in stack]
    tests = [member.generator(config.random_seed, TEST) for member in stack]
    train_samples = samples(session, used, objectives, stack, TRAIN)
    held_out_samples = samples(session, used, objectives, stack, HELD_OUT)
    with progress(f"training {len(stack)} members", chosen.steps, "steps") as advance:
        trained = training.train(inputs, shape, blocks, train_samples, generators, chosen, advance)
    held_out = training.held_out_losses(inputs, shape, trained.layers, blocks, held_out_samples, tests, chosen)
    return trained, held_out


def _member_coordinates(stack: list[Member]) -> dict[str, tuple[str, list]]:
    return {
        "member": ("member", list(range(len(stack)))),
        "role": ("member", [m.role for m in stack]),
        "number": ("member", [m.number for m in stack]),
        "shift": ("member", [m.shift for m in stack]),
    }


def _history(
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    config: Config,
    trained: Trained,
    held_out: np.ndarray,
) -> xr.Dataset:
    """training.nc: see docs/results.md."""
    chosen = options(config)
    count = len(objectives)
    return xr.Dataset(
        {
            "loss": (("member", "objective", "step"), trained.loss, {"units": "nat"}),
            "held_out_loss": (("member", "objective"), held_out, {"units": "nat"}),
            "chance": ("objective", np.full(count, chance_loss(chosen.batch_size, chosen.contrast)), {"units": "nat"}),
            "regularizer_weight": ("step", trained.regularizer_weight),
            "first_latent": ("objective", [o.outputs[0] for o in objectives]),
            "last_latent": ("objective", [o.outputs[1] for o in objectives]),
            "split": ("time", used.split),
        },
        coords={
            **_member_coordinates(stack),
            "objective": [o.name for o in objectives],
            "positive": ("objective", [o.positive for o in objectives]),
            "label": ("objective", [o.label or "" for o in objectives]),
            "step": trained.step,
            "time": session["time"],
        },
        attrs={
            "session": session.attrs["session"],
            "config": json.dumps(config.model_dump(mode="json", include=TRAINING_SECTIONS)),
            "software": json.dumps(software()),
        },
    )


TRAINING_SECTIONS = {"encoder", "objectives", "training", "random_seed"}


def _embedding(session: xr.Dataset, used: Layout, stack: list[Member], latents: np.ndarray) -> xr.Dataset:
    """embedding.nc: every member's latents at the usable bins, NaN elsewhere."""
    full = np.full((len(stack), session.sizes["time"], latents.shape[-1]), np.nan, dtype=np.float32)
    full[:, used.bins] = latents
    return xr.Dataset(
        {"embedding": (("member", "time", "latent"), full)},
        coords={**_member_coordinates(stack), "time": session["time"], "latent": np.arange(latents.shape[-1])},
        attrs={"session": session.attrs["session"], "software": json.dumps(software())},
    )
