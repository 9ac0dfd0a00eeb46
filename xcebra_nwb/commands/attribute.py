"""attribute: session.nc, model.safetensors, training.nc -> attribution.nc."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution import member_maps
from xcebra_nwb.attribution.comparison import map_agreement, partner
from xcebra_nwb.attribution.inverse_rank import inverse_cut
from xcebra_nwb.attribution.moderated_variance import half_interval
from xcebra_nwb.attribution.null_test import LEAST_NULLS, TOO_FEW, log_share, score_maps
from xcebra_nwb.attribution.time_resolved import OverTimeFile
from xcebra_nwb.core import members
from xcebra_nwb.core.config.schema import Attribution, Config, Training
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.netcdf import add_dataset, load_dataset
from xcebra_nwb.core.progress import progress
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import UNIT_COORDINATES, load
from xcebra_nwb.training.design.ensemble import ATTRIBUTION, GENERATOR, member_generator
from xcebra_nwb.training.device import device
from xcebra_nwb.training.files import load_model
from xcebra_nwb.training.inputs import encoder_inputs, recorded_inputs
from xcebra_nwb.training.trained_ensemble import contrast
from xcebra_nwb.xcebra.encoder import without_units
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.maps import generator_support
from xcebra_nwb.xcebra.maps.baselines import METHODS as BASELINES
from xcebra_nwb.xcebra.maps.generator import Options
from xcebra_nwb.xcebra.maps.generator_support import Observed
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections
from xcebra_nwb.xcebra.maps.maps import Maps, OverTime, Sampling, work
from xcebra_nwb.xcebra.maps.maps import attribute as maps_of
from xcebra_nwb.xcebra.maps.maps import sampled as sampled_bins
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN, usable_bins
from xcebra_nwb.xcebra.trainers.loss import Contrast

BINS_AT_ONCE = 4096  # looked at for units that never change


def attribute(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Compute the maps of every member over all usable bins and write them, with their nulls, to attribution.nc."""
    path = directory / "attribution.nc"
    session, history = load(directory / "session.nc"), load_dataset(directory / "training.nc")
    with atomic(path) as temporary:
        with device(config.training.device, threads) as place:
            inputs = encoder_inputs(session, place, directory)
            dataset = _attributed(directory, session, history, config, inputs, temporary)
        add_dataset(dataset, temporary)
    return [path]


def _attributed(
    directory: Path, session: xr.Dataset, history: xr.Dataset, config: Config, inputs: EncoderInput, file: Path
) -> xr.Dataset:
    """attribution.nc without the maps of every bin: those are written to ``file`` as they come, if they are wanted."""
    blocks, seeds, methods = label_blocks(history), members.seeds(history), config.attribution.methods
    shape, layers = load_model(directory / "model.safetensors", inputs.device)
    bins = np.flatnonzero(usable_bins(session["segment"].values.astype(np.int64), shape.window))
    silent = _silent_units(inputs, bins)
    layers = without_units(shape, layers, silent)  # what their weights say was never trained
    model = Model(inputs, shape, layers, blocks, _contrast_of(history))
    observed = _observed(directory, session, history, config, inputs) if generator_support.METHOD in methods else None
    with _over_time_file(file, config, (len(blocks), len(bins), shape.units), silent) as resolved:
        maps, new = _maps(model, bins, session, history, config, observed, resolved)
    for by_method in (maps.label, maps.latent):
        for values in by_method.values():
            values[..., silent] = np.nan
    if maps.deviance_explained is not None:
        maps.deviance_explained[:, silent] = np.nan
    dataset = _dataset(session, history, blocks, maps, bins, config)
    if new is not None:
        dataset["free_directions"] = ("seed", new[seeds])
    return dataset


def _maps(
    model: Model,
    bins: NDArray[np.int64],
    session: xr.Dataset,
    history: xr.Dataset,
    config: Config,
    observed: Observed | None,
    resolved: OverTimeFile | None,
) -> tuple[Maps, NDArray[np.int64] | None]:
    """The maps of all members, and how many free directions each keeps, if that is looked at; group by group."""
    chosen, seeds = config.attribution, members.seeds(history)
    groups = member_maps.groups(model.members, len(bins), model.shape.outputs)
    parts, new = [], []
    tasks = [_Group.of(some, chosen, seeds, config.random_seed, observed) for some in groups]
    total = sum(work(len(bins), task.methods, task.sampling, task.observed) for task in tasks)
    with progress("attribution", total, "bins") as advance:
        for some, task in zip(groups, tasks, strict=True):
            few = model.only(some)

            def seen(label: str, member: int, some: Sequence[int] = some) -> NDArray:
                return members.seen_label(session, history, label, some[member])[bins]

            cut = inverse_cut(session, few, bins, seen, chosen.rank_tolerance)
            new += [cut.free_count] if isinstance(cut, KeptDirections) else []
            over_time = OverTime(task.seeds, partial(_keep, resolved, len(seeds))) if resolved is not None else None
            parts.append(
                maps_of(
                    few,
                    bins,
                    cut,
                    task.methods,
                    over_time,
                    advance,
                    task.sampling,
                    task.observed,
                )
            )
    return member_maps.joined(parts, chosen.methods), np.concatenate(new) if new else None


@dataclass(frozen=True)
class _Group:
    """What is computed for the members that are taken together."""

    seeds: list[int]  # numbers within the group
    methods: list[str]
    sampling: Sampling
    observed: Observed | None

    @classmethod
    def of(
        cls, some: Sequence[int], chosen: Attribution, seeds: Sequence[int], random_seed: int, observed: Observed | None
    ) -> _Group:
        own = [number for number, member in enumerate(some) if member in seeds]
        # Every group draws the same, as if all members were one.
        sampling = Sampling(np.random.default_rng([random_seed, ATTRIBUTION]), chosen.samples, own)
        methods = member_maps.computed(chosen.methods, own)
        if observed is not None:
            observed = replace(observed, generators=[observed.generators[member] for member in some])
        return cls(own, methods, sampling, observed if generator_support.METHOD in methods else None)


def _keep(file: OverTimeFile, seeds: int, method: str, first: int, maps: NDArray[np.float32]) -> None:
    file.add(method, first, maps / seeds)


@contextmanager
def _over_time_file(
    file: Path, config: Config, sizes: tuple[int, int, int], silent: NDArray[np.bool_]
) -> Iterator[OverTimeFile | None]:
    """The file for the maps of every bin, if they are wanted."""
    if not config.attribution.time_resolved:
        yield None
        return
    with OverTimeFile(file, config.attribution.methods, sizes, silent) as opened:
        yield opened


def _observed(
    directory: Path, session: xr.Dataset, history: xr.Dataset, config: Config, inputs: EncoderInput
) -> Observed:
    """What generators explain: the activity as recorded, fitted and tested on the parts of the encoders' split.

    Those are valid bins, in which encoders may see the same: then it is not there twice.
    """
    split, activity = history["split"].values, session["activity"]
    recorded = inputs if activity.is_raw(session) else recorded_inputs(session, inputs.device, directory)
    numbers, broken = history["number"].values, history["broken"].values.astype(str)
    return Observed(
        recorded,
        activity.attrs["kind"] == "spikes",
        np.flatnonzero(split == TRAIN),
        np.flatnonzero(split == HELD_OUT),
        [member_generator(config.random_seed, n, b, GENERATOR) for n, b in zip(numbers, broken, strict=True)],
        Options(**config.attribution.generator.model_dump()),
    )


def _contrast_of(history: xr.Dataset) -> Contrast:
    """The similarity that the model was trained with, whatever the config says today."""
    return contrast(Training.model_validate(json.loads(history.attrs["config"])["training"]))


def _silent_units(inputs: EncoderInput, bins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which units (unit,) of ``inputs`` (time, unit) never change over ``bins``: they have no map."""
    silent = torch.ones(inputs.shape[1], dtype=torch.bool, device=inputs.device)
    looked_at = torch.as_tensor(bins, device=inputs.device)
    first = inputs.index_select(0, looked_at[:1])
    for some in looked_at.split(BINS_AT_ONCE):
        silent &= (inputs.index_select(0, some) == first).all(dim=0)
    return silent.cpu().numpy()


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
    """attribution.nc: see docs/reference/results.md."""
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
    if config.attribution.time_resolved:
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
