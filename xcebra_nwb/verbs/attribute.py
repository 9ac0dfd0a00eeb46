"""attribute: session.nc, model.safetensors, training.nc -> attribution.nc."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb import members, model_file
from xcebra_nwb.assess.consistency import map_agreement, partner
from xcebra_nwb.assess.moderated import half_interval
from xcebra_nwb.assess.null import LEAST_NULLS, TOO_FEW, log_share, score_maps
from xcebra_nwb.config import Config, Training
from xcebra_nwb.device import device
from xcebra_nwb.inverse_cut import inverse_cut
from xcebra_nwb.objectives import contrast
from xcebra_nwb.progress import progress
from xcebra_nwb.provenance import software
from xcebra_nwb.session import UNIT_COORDINATES, encoder_input, load, load_dataset, save_dataset
from xcebra_nwb.stack import ATTRIBUTION, GENERATOR, member_generator
from xcebra_nwb.xcebra import support
from xcebra_nwb.xcebra.attribution import Maps, Sampling, work
from xcebra_nwb.xcebra.attribution import attribute as maps_of
from xcebra_nwb.xcebra.attribution import sampled as sampled_bins
from xcebra_nwb.xcebra.baselines import METHODS as BASELINES
from xcebra_nwb.xcebra.directions import Directions
from xcebra_nwb.xcebra.encoder import without_units
from xcebra_nwb.xcebra.generator import Options
from xcebra_nwb.xcebra.loss import Contrast
from xcebra_nwb.xcebra.model import Model
from xcebra_nwb.xcebra.support import Observed
from xcebra_nwb.xcebra.training import Block
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN, usable_bins


def attribute(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Compute the maps of every member over all usable bins and write them, with their nulls, to attribution.nc."""
    session, history = load(directory / "session.nc"), load_dataset(directory / "training.nc")
    blocks, seeds = label_blocks(history), members.seeds(history)
    with device(config.training.device, threads) as place:
        shape, layers = model_file.load(directory / "model.safetensors", place)
        bins = np.flatnonzero(usable_bins(session["segment"].values.astype(np.int64), shape.window))
        inputs = torch.as_tensor(encoder_input(session), device=place)
        silent = _silent_units(inputs[torch.as_tensor(bins, device=place)])
        layers = without_units(shape, layers, silent)  # what their weights say was never trained
        methods = config.attribution.methods
        sampling = Sampling(np.random.default_rng([config.random_seed, ATTRIBUTION]), config.attribution.samples, seeds)
        model = Model(inputs, shape, layers, blocks, _contrast_of(history))

        def seen(label: str, member: int) -> NDArray:
            return members.seen_label(session, history, label, member)[bins]

        cut = inverse_cut(session, model, bins, seen, config.attribution.rank_tolerance)
        observed = _observed(session, history, config, place) if support.METHOD in methods else None
        with progress("attribution", work(len(bins), methods, sampling, observed), "bins") as advance:
            maps = maps_of(
                inputs,
                shape,
                layers,
                blocks,
                bins,
                model.contrast,
                cut,
                methods,
                seeds if config.attribution.time_resolved else [],
                advance,
                sampling,
                observed,
            )
    for by_method in (maps.label, maps.latent, maps.over_time):
        for values in by_method.values():
            values[..., silent] = np.nan
    if maps.deviance_explained is not None:
        maps.deviance_explained[:, silent] = np.nan
    path = directory / "attribution.nc"
    dataset = _dataset(session, history, blocks, maps, bins, config)
    if isinstance(cut, Directions):
        dataset["free_directions"] = ("seed", cut.new_count[seeds])
    save_dataset(dataset, path)
    return [path]


def _observed(session: xr.Dataset, history: xr.Dataset, config: Config, place: torch.device) -> Observed:
    """What generators explain: the activity as recorded, fitted and tested on the parts of the encoders' split."""
    split, activity = history["split"].values, session["activity"]
    numbers, broken = history["number"].values, history["broken"].values.astype(str)
    return Observed(
        torch.as_tensor(activity.values.astype(np.float32), device=place),
        activity.attrs["kind"] == "spikes",
        np.flatnonzero(split == TRAIN),
        np.flatnonzero(split == HELD_OUT),
        [member_generator(config.random_seed, n, b, GENERATOR) for n, b in zip(numbers, broken, strict=True)],
        Options(**config.attribution.generator.model_dump()),
    )


def _contrast_of(history: xr.Dataset) -> Contrast:
    """The similarity that the model was trained with, whatever the config says today."""
    return contrast(Training.model_validate(json.loads(history.attrs["config"])["training"]))


def _silent_units(inputs: torch.Tensor) -> NDArray[np.bool_]:
    """Which units (unit,) never change over ``inputs`` (time, unit): they have no map."""
    silent: NDArray[np.bool_] = (inputs.amax(dim=0) == inputs.amin(dim=0)).cpu().numpy()
    return silent


def label_blocks(history: xr.Dataset) -> list[Block]:
    """Return the block of latents of every label that an objective of training.nc reads."""
    named = zip(*(history[v].values for v in ("label", "first_latent", "last_latent")), strict=True)
    return [Block(str(label), int(first), int(last)) for label, first, last in named if label]


def _dataset(
    session: xr.Dataset,
    history: xr.Dataset,
    blocks: list[Block],
    maps: Maps,
    bins: NDArray[np.int64],
    config: Config,
) -> xr.Dataset:
    """attribution.nc: see docs/results.md."""
    methods = list(config.attribution.methods)
    seed = np.array(members.seeds(history))
    label_maps = np.stack([maps.label[method] for method in methods], axis=1)  # (member, method, label, unit)
    latent_maps = np.stack([maps.latent[method] for method in methods], axis=1)
    null = _null_maps(label_maps[:, 0], [members.nulls(history, block.name) for block in blocks])
    tested = score_maps(label_maps[seed, 0], null)
    several = len(seed) > 1
    width = _relative_width(label_maps[seed])
    deviation = label_maps[seed].std(axis=0, ddof=1) if several else np.full(label_maps.shape[1:], np.nan)
    dataset = xr.Dataset(
        {
            "attribution": (("method", "label", "unit"), label_maps[seed].mean(axis=0)),
            "attribution_sd": (("method", "label", "unit"), deviation),
            "attribution_low": (("method", "label", "unit"), label_maps[seed].mean(axis=0) / width),
            "attribution_high": (("method", "label", "unit"), label_maps[seed].mean(axis=0) * width),
            "attribution_seeds": (("seed", "method", "label", "unit"), label_maps[seed]),
            "latent_map": (("seed", "method", "latent", "unit"), latent_maps[seed]),
            "z": (("label", "unit"), tested.z),
            "z_low": (("label", "unit"), tested.z_low),
            "z_high": (("label", "unit"), tested.z_high),
            "p_value": (("label", "unit"), tested.p_value),
            "q_value": (("label", "unit"), tested.q_value),
            "effective_rank": (("seed", "label"), maps.effective_rank[seed]),
            "condition": ("seed", maps.condition[seed]),
            "usable": ("seed", maps.usable[seed]),
            "agreement": ("label", _agreement(label_maps[seed].mean(axis=0), methods)),
            "first_latent": ("label", [block.first for block in blocks]),
            "last_latent": ("label", [block.last for block in blocks]),
        },
        coords={
            "method": methods,
            "label": [block.name for block in blocks],
            "latent": np.arange(latent_maps.shape[2]),
            "seed": history["number"].values[seed],
            # Named like its own dimension, so xarray keeps it among the coordinates.
            "null": (("null", "label", "unit"), null),
            **{name: session[name] for name in UNIT_COORDINATES},
        },
        attrs={
            "session": session.attrs["session"],
            "tested_method": methods[0],
            "config": json.dumps(config.model_dump(mode="json", include={"attribution", "training", "random_seed"})),
            "software": json.dumps(software()),
        },
    )
    dataset.attrs |= _reasons(len(null), several)
    if maps.deviance_explained is not None:
        dataset["generator_deviance_explained"] = (("seed", "unit"), maps.deviance_explained[seed])
    if set(methods) & set(BASELINES):
        dataset["sampled_time"] = ("sample", session["time"].values[sampled_bins(bins, config.attribution.samples)])
    for number, method in enumerate(maps.over_time):
        resolved = maps.over_time[method]
        name = "attribution_over_time" if number == 0 else f"attribution_over_time_{method}"
        dataset[name] = (("label", "time", "unit"), resolved, {"method": method})
    if maps.over_time:
        dataset = dataset.assign_coords(time=session["time"].values[bins])
    return dataset


def _relative_width(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """By which factor the 95 % interval over seeds of ``maps`` (seed, method, label, unit) exceeds their mean."""
    shares = log_share(maps)
    widths = [[half_interval(shares[:, m, k]) for k in range(maps.shape[2])] for m in range(maps.shape[1])]
    return np.exp(np.array(widths))


def _reasons(nulls: int, several: bool) -> dict[str, str]:
    """Why what cannot be known is NaN."""
    untested = {} if nulls >= LEAST_NULLS else dict.fromkeys(("z", "z_low", "z_high", "p_value", "q_value"), TOO_FEW)
    spread = ("attribution_sd", "attribution_low", "attribution_high", "z_low", "z_high")
    alone = {} if several else dict.fromkeys(spread, "a single seed has no spread")
    return {f"{name}_reason": reason for name, reason in (alone | untested).items()}


def _null_maps(maps: NDArray[np.float64], nulls: list[list[int]]) -> NDArray[np.float64]:
    """Every label's own nulls (null, label, unit) of ``maps`` (member, label, unit); NaN where a label has fewer."""
    found = np.full((max(map(len, nulls)), *maps.shape[1:]), np.nan)
    for label, own in enumerate(nulls):
        found[: len(own), label] = maps[own, label]
    return found


def _agreement(maps: NDArray[np.float64], methods: list) -> NDArray[np.float64]:
    """Spearman's correlation over units (label,) of the tested map and another, best the neuron gradient's."""
    other = partner(methods)
    if other is None:
        return np.full(maps.shape[1], np.nan)
    return np.array([map_agreement(pair) for pair in maps[[0, other]].swapaxes(0, 1)])
