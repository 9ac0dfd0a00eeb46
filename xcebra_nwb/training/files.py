"""Write and read the files of a trained session: model.safetensors, training.nc and embedding.nc.

Their format is described in docs/reference/results.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import h5netcdf
import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure, Refusal, UsageError
from xcebra_nwb.core.files import atomic, check_disk_space, check_file
from xcebra_nwb.core.members import recorded_config
from xcebra_nwb.core.netcdf import add_dataset, load_dataset, new_variable, save_dataset
from xcebra_nwb.core.provenance import software
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.nulls import NullLabel
from xcebra_nwb.training.design.prepare import PreparedSession
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.training.trained_ensemble import TrainedEnsemble
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer

FLOAT = 4  # bytes
NAMES = ("model.safetensors", "training.nc", "embedding.nc")
TRAINING_SECTIONS = {"encoder", "objectives", "training", "random_seed"}


def save(
    directory: Path,
    prepared: PreparedSession,
    ensemble: TrainedEnsemble,
    latents: Sequence[NDArray[np.float32]],
    config: Config,
) -> list[Path]:
    """Write the three files of a trained session and return their paths.

    Args:
        directory: the session's results folder.
        prepared: the session, its split and its members.
        ensemble: encoders and losses of all members.
        latents: latents of every group of members at the usable bins, shape (member, sample, latent).
        config: settings that are stored with the results.

    Raises:
        Failure: the disk is full, or the folder cannot be written to; none of the three files is left.
    """
    paths, history = [directory / name for name in NAMES], _training_dataset(prepared, ensemble, config)
    members, bins, outputs = len(prepared.members), prepared.session.sizes["time"], latents[0].shape[-1]
    try:
        save_model(ensemble.trained.layers, prepared.shape, paths[0])
        check_disk_space(directory, history.nbytes + FLOAT * members * bins * outputs)
        save_dataset(history, paths[1])
        _save_embedding(prepared, latents, paths[2])
    except OSError as error:
        for path in paths:
            with suppress(OSError):
                path.unlink()
        problem = f"{directory.resolve().name}: {', '.join(NAMES)} cannot be written: {error}"
        raise Failure(problem, "make room there, or give the right to write") from error
    return paths


def settings(training: xr.Dataset) -> Config:
    """Return the config that a training.nc was made with, for any device."""
    config = recorded_config(training)
    training_section = config.training.model_copy(update={"device": "auto", "together": False})
    return config.model_copy(update={"training": training_section})


def made_of(directory: Path) -> str:
    """Return the digest of the inputs of a training.nc; "" if it cannot be read.

    Args:
        directory: results folder of the session.
    """
    try:
        return str(load_dataset(directory / "training.nc").attrs.get("made_of", ""))
    except (UsageError, Refusal):
        return ""


def recorded_members(training: xr.Dataset, split: Split) -> list[Member]:
    """Return the members of a training.nc, in the order of the file."""
    columns = (training[name].values.tolist() for name in ("role", "number", "broken", "null_kind", "shift"))
    orders = np.searchsorted(split.bins, training["null_bin"].values[:, split.bins])
    return [
        Member(role, number, NullLabel(label, kind, shift, order) if label else None)
        for role, number, label, kind, shift, order in zip(*columns, orders, strict=True)
    ]


def recorded_scales(training: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return the label scale (axis,) of every objective that draws label steps.

    >>> scale = ("objective", "axis"), [[np.nan], [2.0]]
    >>> training = xr.Dataset({"label_scale": scale}, {"objective": ["time", "speed"]})
    >>> {name: values.tolist() for name, values in recorded_scales(training).items()}
    {'speed': [2.0]}
    """
    rows = zip(training["objective"].values.astype(str).tolist(), training["label_scale"].values, strict=True)
    return {name: row[np.isfinite(row)] for name, row in rows if np.isfinite(row).any()}


def _member_coordinates(members: list[Member]) -> dict[str, tuple[str, list]]:
    return {
        "member": ("member", list(range(len(members)))),
        "role": ("member", [m.role for m in members]),
        "number": ("member", [m.number for m in members]),
        "broken": ("member", [m.null_label.label if m.null_label else "" for m in members]),
        "null_kind": ("member", [m.null_label.kind if m.null_label else "" for m in members]),
        "shift": ("member", [m.null_label.shift if m.null_label else 0 for m in members]),
    }


def _null_bins(prepared: PreparedSession) -> NDArray[np.int32]:
    """Return the source bin of each member's null label, (member, time); -1 in bins that are not usable."""
    bins = prepared.split.bins
    sources = np.full((len(prepared.members), prepared.session.sizes["time"]), -1, dtype=np.int32)
    for row, member in zip(sources, prepared.members, strict=True):
        row[bins] = bins if member.null_label is None else bins[member.null_label.order]
    return sources


def _nulls(prepared: PreparedSession, wanted: int) -> str:
    """Return as JSON the number of nulls of each label, the number asked for, and the reason."""
    counts = {design.label: prepared.nulls(design.label) for design in prepared.designs}
    reasons = {design.label: design.reason for design in prepared.designs}
    return json.dumps({name: {"wanted": wanted, "count": counts[name], "reason": reasons[name]} for name in counts})


def _label_scale(prepared: PreparedSession) -> xr.Variable:
    """Return the label scales (objective, axis); NaN for an objective that draws no label steps."""
    scales = [prepared.spaces[o.name].scale if o.name in prepared.spaces else np.empty(0) for o in prepared.objectives]
    padded = np.full((len(scales), max(1, *(len(scale) for scale in scales))), np.nan)
    for row, scale in zip(padded, scales, strict=True):
        row[: len(scale)] = scale
    return xr.Variable(("objective", "axis"), padded, {"units": "those of the label"})


def _training_dataset(prepared: PreparedSession, ensemble: TrainedEnsemble, config: Config) -> xr.Dataset:
    """Return the dataset of training.nc."""
    objectives, trained, units = prepared.objectives, ensemble.trained, {"units": ensemble.units}
    return xr.Dataset(
        {
            "loss": (("member", "objective", "step"), trained.loss, units),
            "held_out_loss": (("member", "objective"), ensemble.held_out, units),
            "chance": ("objective", np.full(len(objectives), ensemble.chance), units),
            "regularizer_weight": ("step", trained.regularizer_weight),
            "first_latent": ("objective", [o.outputs[0] for o in objectives]),
            "last_latent": ("objective", [o.outputs[1] for o in objectives]),
            "weight": ("objective", [o.weight for o in objectives]),
            "label_scale": _label_scale(prepared),
            "split": ("time", prepared.split.part),
            "null_bin": (("member", "time"), _null_bins(prepared)),
        },
        coords={
            **_member_coordinates(prepared.members),
            "objective": [o.name for o in objectives],
            "positive": ("objective", ensemble.positive),
            "label": ("objective", [o.label or "" for o in objectives]),
            "step": trained.step,
            "time": prepared.session["time"],
        },
        attrs={
            "session": prepared.session.attrs["session"],
            "config": json.dumps(config.model_dump(mode="json", include=TRAINING_SECTIONS)),
            "software": json.dumps(software()),
            "nulls": _nulls(prepared, config.training.nulls),
            "remarks": json.dumps(prepared.remarks),
        }
        | ensemble.attrs,
    )


def _save_embedding(prepared: PreparedSession, latents: Sequence[NDArray[np.float32]], path: Path) -> None:
    """Write embedding.nc member by member: the latents at the usable bins, NaN in other bins."""
    session, bins, outputs = prepared.session, prepared.split.bins, latents[0].shape[-1]
    row = np.full((session.sizes["time"], outputs), np.nan, dtype=np.float32)
    with atomic(path) as temporary:
        with h5netcdf.File(temporary, "w") as file:
            file.dimensions = {"member": len(prepared.members), "time": len(row), "latent": outputs}
            stored = new_variable(file, "embedding", ("member", "time", "latent"), np.float32, fill=np.nan)
            for member, values in enumerate(chain.from_iterable(latents)):
                row[bins] = values
                stored[member] = row
        coordinates = {
            **_member_coordinates(prepared.members),
            "time": session["time"],
            "latent": np.arange(outputs),
        }
        attrs = {"session": session.attrs["session"], "software": json.dumps(software())}
        add_dataset(xr.Dataset(coords=coordinates, attrs=attrs), temporary)


def save_model(layers: list[Layer], shape: Architecture, path: Path) -> None:
    """Write the layers of all members to a model file.

    Args:
        layers: weights (member, kernel * inputs, outputs) and biases (member, 1, outputs) of every layer.
        shape: architecture of the encoders.
        path: the new file.
    """
    tensors = {}
    for number, (weight, bias) in enumerate(layers):
        tensors[f"layers.{number}.weight"] = weight.cpu().contiguous()
        tensors[f"layers.{number}.bias"] = bias.cpu().contiguous()
    with atomic(path) as temporary:
        temporary.write_bytes(serialize(tensors, metadata={"architecture": json.dumps(asdict(shape))}))


def load_model(path: Path, device: torch.device) -> tuple[Architecture, list[Layer]]:
    """Return the architecture and the layers of a model file.

    Raises:
        UsageError: the file does not exist, or :func:`save_model` did not write it.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt", device=str(device)) as stored:
            fields = json.loads(stored.metadata()["architecture"])
            fields |= {name: tuple(fields[name]) for name in ("kernels", "residual")}
            shape = Architecture(**fields)
            layers = [
                (stored.get_tensor(f"layers.{n}.weight"), stored.get_tensor(f"layers.{n}.bias"))
                for n in range(len(shape.kernels))
            ]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "run train first") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a model file: {error}", "delete it and run train again") from None
    return shape, layers
