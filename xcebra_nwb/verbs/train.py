"""train: session.nc -> model.safetensors, training.nc, embedding.nc."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb import model_file, targets
from xcebra_nwb.config import Config
from xcebra_nwb.config_objective import Objective
from xcebra_nwb.device import device
from xcebra_nwb.layout import Layout, layout
from xcebra_nwb.objectives import contrast, remarks, resolve
from xcebra_nwb.progress import progress
from xcebra_nwb.provenance import software
from xcebra_nwb.session import encoder_input, load, save_dataset
from xcebra_nwb.stack import TEST, Member, members, null_designs, objective_space, samples
from xcebra_nwb.trainable import check_trainable
from xcebra_nwb.xcebra import supervised, training
from xcebra_nwb.xcebra.encoder import architecture, embed
from xcebra_nwb.xcebra.loss import chance_loss
from xcebra_nwb.xcebra.training import Block, Options, Trained
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN

logger = logging.getLogger("xcebra_nwb")


def train(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Train all members on the session of ``directory`` and write the model, its history and its embedding there."""
    session = load(directory / "session.nc")
    check_trainable(session, config)
    objectives, outputs = resolve(config, session)
    said = remarks(config, session, objectives, outputs)
    for remark in said:
        logger.warning("%s", remark)
    blocks = [Block(o.name, *o.outputs, o.weight) for o in objectives]
    shape = architecture(
        config.encoder.architecture, session.sizes["unit"], config.encoder.hidden, outputs, config.encoder.clip
    )
    used = layout(session, config)
    designs = null_designs(session, used, objectives, config)
    for design in designs:
        logger.info("nulls of %s: %d; %s", design.label, len(design.nulls), design.reason)
    stack = members(designs, config)
    started = time.monotonic()
    with device(config.training.device, threads) as place:
        inputs = torch.as_tensor(encoder_input(session), device=place)
        fit = _supervised if config.training.loss == "supervised" else _contrastive
        fitted = fit(inputs, shape, blocks, session, used, objectives, stack, config)
        latents = embed(shape, fitted.trained.layers, inputs, used.bins)
    history = _history(session, used, objectives, stack, config, fitted)
    history["label_scale"] = _label_scale(session, used, objectives, fitted)
    history.attrs["remarks"] = json.dumps(said)
    wanted = config.training.nulls
    history.attrs["nulls"] = json.dumps(
        {d.label: {"wanted": wanted, "count": len(d.nulls), "reason": d.reason} for d in designs}
    )
    history.attrs |= {"seconds": time.monotonic() - started, "device": str(place), "threads": threads}
    paths = [directory / name for name in ("model.safetensors", "training.nc", "embedding.nc")]
    model_file.save(fitted.trained.layers, shape, paths[0])
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
        contrast=contrast(t),
        regularizer_weight=t.regularizer.weight,
        regularizer_ramp=t.regularizer.ramp,
    )


@dataclass(frozen=True)
class Fitted:
    """A trained stack, and what its losses are to be compared with."""

    trained: Trained
    held_out: NDArray[np.float32]  # (member, objective) losses on the held-out part
    chance: float  # the loss of an encoder that tells nothing
    units: str  # of the losses
    positive: list[str]  # by objective: the rule for pairs
    attrs: dict[str, str] = field(default_factory=dict)


def _contrastive(
    inputs: torch.Tensor,
    shape: training.Architecture,
    blocks: list[Block],
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    config: Config,
) -> Fitted:
    chosen = options(config)
    generators = [member.generator(config.random_seed) for member in stack]
    tests = [member.generator(config.random_seed, TEST) for member in stack]
    train_samples = samples(session, used, objectives, stack, TRAIN)
    held_out_samples = samples(session, used, objectives, stack, HELD_OUT)
    with progress(f"training {len(stack)} members", chosen.steps, "steps") as advance:
        trained = training.train(inputs, shape, blocks, train_samples, generators, chosen, advance)
    held_out = training.held_out_losses(inputs, shape, trained.layers, blocks, held_out_samples, tests, chosen)
    chance = chance_loss(chosen.batch_size, chosen.contrast)
    return Fitted(trained, held_out, chance, "nat", [objective.positive for objective in objectives])


def _supervised(
    inputs: torch.Tensor,
    shape: training.Architecture,
    blocks: list[Block],
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    config: Config,
) -> Fitted:
    chosen = options(config)
    generators = [member.generator(config.random_seed) for member in stack]
    scales = targets.scales(session, used, objectives)
    learnt, held_out = (targets.targets(session, used, objectives, scales, stack, part) for part in (TRAIN, HELD_OUT))
    with progress(f"training {len(stack)} members", chosen.steps, "steps") as advance:
        trained = supervised.train(inputs, shape, blocks, learnt, generators, chosen, advance)
    losses = supervised.held_out_losses(inputs, shape, trained.layers, blocks, held_out)
    said = {name: {"mean": s.mean.tolist(), "deviation": s.deviation.tolist()} for name, s in scales.items()}
    positive = ["supervised"] * len(objectives)
    return Fitted(trained, losses, supervised.CHANCE, "share of variance", positive, {"targets": json.dumps(said)})


def _member_coordinates(stack: list[Member]) -> dict[str, tuple[str, list]]:
    return {
        "member": ("member", list(range(len(stack)))),
        "role": ("member", [m.role for m in stack]),
        "number": ("member", [m.number for m in stack]),
        "broken": ("member", [m.broken.label if m.broken else "" for m in stack]),
        "null_kind": ("member", [m.broken.kind if m.broken else "" for m in stack]),
        "shift": ("member", [m.broken.shift if m.broken else 0 for m in stack]),
    }


def _null_bins(session: xr.Dataset, used: Layout, stack: list[Member]) -> np.ndarray:
    """The bin whose value of its broken label each member saw, (member, time); -1 in bins that are not usable."""
    seen = np.full((len(stack), session.sizes["time"]), -1, dtype=np.int32)
    for row, member in zip(seen, stack, strict=True):
        row[used.bins] = used.bins if member.broken is None else used.bins[member.broken.order]
    return seen


def _history(
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    config: Config,
    fitted: Fitted,
) -> xr.Dataset:
    """training.nc: see docs/results.md."""
    trained, units = fitted.trained, {"units": fitted.units}
    return xr.Dataset(
        {
            "loss": (("member", "objective", "step"), trained.loss, units),
            "held_out_loss": (("member", "objective"), fitted.held_out, units),
            "chance": ("objective", np.full(len(objectives), fitted.chance), units),
            "regularizer_weight": ("step", trained.regularizer_weight),
            "first_latent": ("objective", [o.outputs[0] for o in objectives]),
            "last_latent": ("objective", [o.outputs[1] for o in objectives]),
            "weight": ("objective", [o.weight for o in objectives]),
            "split": ("time", used.split),
            "null_bin": (("member", "time"), _null_bins(session, used, stack)),
        },
        coords={
            **_member_coordinates(stack),
            "objective": [o.name for o in objectives],
            "positive": ("objective", fitted.positive),
            "label": ("objective", [o.label or "" for o in objectives]),
            "step": trained.step,
            "time": session["time"],
        },
        attrs={
            "session": session.attrs["session"],
            "config": json.dumps(config.model_dump(mode="json", include=TRAINING_SECTIONS)),
            "software": json.dumps(software()),
        }
        | fitted.attrs,
    )


def _label_scale(session: xr.Dataset, used: Layout, objectives: list[Objective], fitted: Fitted) -> xr.Variable:
    """What the axes of each objective's label were divided by (objective, axis), NaN where it moves no label."""
    scales = [
        np.empty(0) if rule in UNSCALED else objective_space(session, used, objective).scale
        for objective, rule in zip(objectives, fitted.positive, strict=True)
    ]
    padded = np.full((len(scales), max(1, *(len(scale) for scale in scales))), np.nan)
    for row, scale in zip(padded, scales, strict=True):
        row[: len(scale)] = scale
    return xr.Variable(("objective", "axis"), padded, {"units": "those of the label"})


UNSCALED = {"time", "discrete", "supervised"}
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
