"""What training leaves of a session: model.safetensors, training.nc and embedding.nc (docs/reference/results.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.files import atomic, make_room
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import add_dataset, new_variable, save_dataset
from xcebra_nwb.training import model_file
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.nulls import Broken
from xcebra_nwb.training.design.prepare import Trainee
from xcebra_nwb.training.design.split import Layout
from xcebra_nwb.training.fitted import Fitted

FLOAT = 4  # bytes
NAMES = ("model.safetensors", "training.nc", "embedding.nc")
TRAINING_SECTIONS = {"encoder", "objectives", "training", "random_seed"}


def save(
    directory: Path, trainee: Trainee, fitted: Fitted, latents: Sequence[NDArray[np.float32]], config: Config
) -> list[Path]:
    """Write the three files of a trained session into ``directory`` and return them.

    Args:
        latents: of every group of members, (member, sample, latent) at the usable bins.

    Raises:
        Failure: the disk or its rights do not let it; then there is none of the three.
    """
    paths, history = [directory / name for name in NAMES], _history(trainee, fitted, config)
    members, bins, outputs = len(trainee.stack), trainee.session.sizes["time"], latents[0].shape[-1]
    try:
        model_file.save(fitted.trained.layers, trainee.shape, paths[0])
        make_room(directory, history.nbytes + FLOAT * members * bins * outputs)
        save_dataset(history, paths[1])
        _save_embedding(trainee, latents, paths[2])
    except OSError as error:
        for path in paths:
            with suppress(OSError):
                path.unlink()
        what = f"{directory.resolve().name}: {', '.join(NAMES)} cannot be written: {error}"
        raise Failure(what, "make room there, or give the right to write") from error
    return paths


def settings(training: xr.Dataset) -> Config:
    """Return the config that a training.nc was made with; the device is chosen anew."""
    config = Config.model_validate(json.loads(training.attrs["config"]))
    anywhere = config.training.model_copy(update={"device": "auto", "together": False})
    return config.model_copy(update={"training": anywhere})


def made_of(directory: Path) -> str:
    """Return the digest of what the training.nc of ``directory`` was made of; "" where it cannot be read."""
    try:
        with xr.open_dataset(directory / "training.nc", engine="h5netcdf") as stored:
            return str(stored.attrs.get("made_of", ""))
    except OSError:
        return ""


def recorded_stack(training: xr.Dataset, used: Layout) -> list[Member]:
    """Return the members of a training.nc, as they were trained, in its order."""
    columns = (training[name].values.tolist() for name in ("role", "number", "broken", "null_kind", "shift"))
    seen = np.searchsorted(used.bins, training["null_bin"].values[:, used.bins])
    return [
        Member(role, number, Broken(label, kind, shift, order) if label else None)
        for role, number, label, kind, shift, order in zip(*columns, seen, strict=True)
    ]


def recorded_scales(training: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return what the axes of each objective's label were divided by (axis,), for those that move a label."""
    rows = zip(training["objective"].values.astype(str).tolist(), training["label_scale"].values, strict=True)
    return {name: row[np.isfinite(row)] for name, row in rows if np.isfinite(row).any()}


def _member_coordinates(stack: list[Member]) -> dict[str, tuple[str, list]]:
    return {
        "member": ("member", list(range(len(stack)))),
        "role": ("member", [m.role for m in stack]),
        "number": ("member", [m.number for m in stack]),
        "broken": ("member", [m.broken.label if m.broken else "" for m in stack]),
        "null_kind": ("member", [m.broken.kind if m.broken else "" for m in stack]),
        "shift": ("member", [m.broken.shift if m.broken else 0 for m in stack]),
    }


def _null_bins(trainee: Trainee) -> NDArray[np.int32]:
    """The bin whose value of its broken label each member saw, (member, time); -1 in bins that are not usable."""
    bins = trainee.used.bins
    seen = np.full((len(trainee.stack), trainee.session.sizes["time"]), -1, dtype=np.int32)
    for row, member in zip(seen, trainee.stack, strict=True):
        row[bins] = bins if member.broken is None else bins[member.broken.order]
    return seen


def _nulls(trainee: Trainee, wanted: int) -> str:
    """How many nulls each label has, of how many that were wanted, and why, as JSON."""
    counts = {design.label: trainee.nulls(design.label) for design in trainee.designs}
    reasons = {design.label: design.reason for design in trainee.designs}
    return json.dumps({name: {"wanted": wanted, "count": counts[name], "reason": reasons[name]} for name in counts})


def _label_scale(trainee: Trainee) -> xr.Variable:
    """What the axes of each objective's label were divided by (objective, axis), NaN where it moves no label."""
    scales = [trainee.spaces[o.name].scale if o.name in trainee.spaces else np.empty(0) for o in trainee.objectives]
    padded = np.full((len(scales), max(1, *(len(scale) for scale in scales))), np.nan)
    for row, scale in zip(padded, scales, strict=True):
        row[: len(scale)] = scale
    return xr.Variable(("objective", "axis"), padded, {"units": "those of the label"})


def _history(trainee: Trainee, fitted: Fitted, config: Config) -> xr.Dataset:
    """training.nc: see docs/reference/results.md."""
    objectives, trained, units = trainee.objectives, fitted.trained, {"units": fitted.units}
    return xr.Dataset(
        {
            "loss": (("member", "objective", "step"), trained.loss, units),
            "held_out_loss": (("member", "objective"), fitted.held_out, units),
            "chance": ("objective", np.full(len(objectives), fitted.chance), units),
            "regularizer_weight": ("step", trained.regularizer_weight),
            "first_latent": ("objective", [o.outputs[0] for o in objectives]),
            "last_latent": ("objective", [o.outputs[1] for o in objectives]),
            "weight": ("objective", [o.weight for o in objectives]),
            "label_scale": _label_scale(trainee),
            "split": ("time", trainee.used.split),
            "null_bin": (("member", "time"), _null_bins(trainee)),
        },
        coords={
            **_member_coordinates(trainee.stack),
            "objective": [o.name for o in objectives],
            "positive": ("objective", fitted.positive),
            "label": ("objective", [o.label or "" for o in objectives]),
            "step": trained.step,
            "time": trainee.session["time"],
        },
        attrs={
            "session": trainee.session.attrs["session"],
            "config": json.dumps(config.model_dump(mode="json", include=TRAINING_SECTIONS)),
            "software": json.dumps(software()),
            "nulls": _nulls(trainee, config.training.nulls),
            "remarks": json.dumps(trainee.remarks),
        }
        | fitted.attrs,
    )


def _save_embedding(trainee: Trainee, latents: Sequence[NDArray[np.float32]], path: Path) -> None:
    """embedding.nc: every member's latents at the usable bins, NaN elsewhere; written member by member."""
    session, bins, outputs = trainee.session, trainee.used.bins, latents[0].shape[-1]
    one = np.full((session.sizes["time"], outputs), np.nan, dtype=np.float32)
    with atomic(path) as temporary:
        with h5netcdf.File(temporary, "w") as file:
            file.dimensions = {"member": len(trainee.stack), "time": len(one), "latent": outputs}
            stored = new_variable(file, "embedding", ("member", "time", "latent"), np.float32, fill=np.nan)
            for member, own in enumerate(chain.from_iterable(latents)):
                one[bins] = own
                stored[member] = one
        coordinates = {
            **_member_coordinates(trainee.stack),
            "time": session["time"],
            "latent": np.arange(outputs),
        }
        attrs = {"session": session.attrs["session"], "software": json.dumps(software())}
        add_dataset(xr.Dataset(coords=coordinates, attrs=attrs), temporary)
