"""Compute the maps of a session in groups of members, so that memory grows with neither nulls nor bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.dataset import attribution_dataset
from xcebra_nwb.attribution.inverse_rank import inverse_cut
from xcebra_nwb.attribution.map_bins import SamplingError, map_bins
from xcebra_nwb.attribution.time_resolved import OverTimeFile
from xcebra_nwb.core import activity, members
from xcebra_nwb.core.config.schema import Attribution, Config
from xcebra_nwb.core.progress import progress
from xcebra_nwb.training.design.ensemble import ATTRIBUTION, GENERATOR, MAP_BINS, member_generator
from xcebra_nwb.training.files import load_model
from xcebra_nwb.training.inputs import recorded_inputs
from xcebra_nwb.training.trained_ensemble import contrast
from xcebra_nwb.xcebra.encoder import without_units
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.maps import generator_support
from xcebra_nwb.xcebra.maps.generator import Options
from xcebra_nwb.xcebra.maps.generator_support import Observed
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections
from xcebra_nwb.xcebra.maps.maps import JACOBIAN_METHODS, Maps, OverTime, Sampling, attribute, work
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN, usable_bins
from xcebra_nwb.xcebra.trainers.loss import Contrast

BYTES = 100_000_000  # for the latents of a group of members
BYTES_A_LATENT = 16  # of a member at a bin, with copies and the label bins
BINS_AT_ONCE = 4096  # bins compared at once, to find units that never change


def session_maps(
    directory: Path, session: xr.Dataset, training: xr.Dataset, config: Config, inputs: EncoderInput, file: Path
) -> xr.Dataset:
    """Return the dataset of attribution.nc for a trained session.

    The maps of every bin are not in the dataset. They are written to ``file`` while they are computed.

    Args:
        directory: the session's results folder, which holds model.safetensors.
        session: the session dataset.
        training: training.nc of the session.
        config: methods to compute, and their settings.
        inputs: encoder input, shape (time, unit).
        file: new file for the maps of every bin, if ``attribution.time_resolved`` is set.
    """
    blocks = [Block(label, first, last) for label, (first, last) in members.blocks(training).items()]
    seeds, methods = members.seeds(training), config.attribution.methods
    shape, layers = load_model(directory / "model.safetensors", inputs.device)
    usable = np.flatnonzero(usable_bins(session["segment"].values.astype(np.int64), shape.window))
    bins = map_bins(usable, config.attribution, np.random.default_rng([config.random_seed, MAP_BINS]))
    silent, error = _silent_units(inputs, usable), SamplingError(len(bins), len(usable))
    layers = without_units(shape, layers, silent)  # their weights were never trained
    model = Model(inputs, shape, layers, blocks, _contrast_of(training))
    observed = _observed(directory, session, training, config, inputs) if generator_support.METHOD in methods else None
    with _over_time_file(file, config, (len(blocks), len(bins), shape.units), silent) as resolved:
        maps, free_directions = _grouped_maps(model, bins, session, training, config, observed, resolved, error)
    for by_method in (maps.label, maps.latent):
        for values in by_method.values():
            values[..., silent] = np.nan
    if maps.deviance_explained is not None:
        maps.deviance_explained[:, silent] = np.nan
    dataset = attribution_dataset(session, training, blocks, maps, bins, config)
    dataset["sampling_error"] = ("label", error.relative(len(blocks)))
    dataset.attrs |= {"map_bins": len(bins), "usable_bins": len(usable)}
    if free_directions is not None:
        dataset["free_directions"] = ("seed", free_directions[seeds])
    return dataset


def _grouped_maps(
    model: Model,
    bins: NDArray[np.int64],
    session: xr.Dataset,
    training: xr.Dataset,
    config: Config,
    observed: Observed | None,
    resolved: OverTimeFile | None,
    error: SamplingError,
) -> tuple[Maps, NDArray[np.int64] | None]:
    """Return the maps of all members, and the number of free directions of each if ``rank_tolerance`` is auto.

    The maps of the first seed go to ``error``.
    """
    settings, seeds = config.attribution, members.seeds(training)
    groups = _groups(model.members, len(bins), model.shape.outputs)
    tasks = [_Group.of(group, settings, seeds, config.random_seed, observed) for group in groups]
    total = sum(work(len(bins), task.methods, task.sampling, task.observed) for task in tasks)
    parts, free_directions = [], []
    with progress("attribution", total, "bins") as advance:
        for group, task in zip(groups, tasks, strict=True):
            part, trained_label = model.only(group), partial(_trained_label, session, training, bins, group)
            cut = inverse_cut(session, part, bins, trained_label, settings.rank_tolerance)
            free_directions += [cut.free_count] if isinstance(cut, KeptDirections) else []
            over_time = None
            if resolved is not None:
                over_time = OverTime(task.seeds, partial(_keep, resolved, len(seeds)))
            elif seeds[0] in group:
                over_time = OverTime([group.index(seeds[0])], partial(_add_tested, error, settings.methods[0]))
            parts.append(attribute(part, bins, cut, task.methods, over_time, advance, task.sampling, task.observed))
    return _concatenate(parts, settings.methods), np.concatenate(free_directions) if free_directions else None


def _trained_label(
    session: xr.Dataset, training: xr.Dataset, bins: NDArray[np.int64], group: Sequence[int], label: str, member: int
) -> NDArray:
    """Return a label at ``bins`` as a member of a group, by index, was trained on it."""
    return members.seen_label(session, training, label, group[member])[bins]


@dataclass(frozen=True)
class _Group:
    """The computation of a group of members."""

    seeds: list[int]  # indices within the group
    methods: list[str]
    sampling: Sampling
    observed: Observed | None

    @classmethod
    def of(
        cls,
        group: Sequence[int],
        settings: Attribution,
        seeds: Sequence[int],
        random_seed: int,
        observed: Observed | None,
    ) -> _Group:
        """Return the computation of a group.

        Args:
            group: numbers of the members.
            settings: the config's section ``attribution``.
            seeds: numbers of all members that are seeds.
            random_seed: ``random_seed`` of the config.
            observed: recorded activity for the generators; None if no generator is asked for.
        """
        group_seeds = [number for number, member in enumerate(group) if member in seeds]
        # Every group starts with the same generator, so the grouping does not change the drawn bins.
        sampling = Sampling(np.random.default_rng([random_seed, ATTRIBUTION]), settings.samples, group_seeds)
        methods = _computed(settings.methods, group_seeds)
        if observed is not None:
            observed = replace(observed, generators=[observed.generators[member] for member in group])
        return cls(group_seeds, methods, sampling, observed if generator_support.METHOD in methods else None)


def _groups(count: int, bins: int, latents: int) -> list[range]:
    """Return groups of members, by number, whose latents at all bins take at most ``BYTES``."""
    size = max(1, BYTES // (bins * latents * BYTES_A_LATENT))
    return [range(count)[first : first + size] for first in range(0, count, size)]


def _computed(methods: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Return the methods to compute for a group.

    A group without seeds needs only the tested method, and gets the methods that come with the same Jacobian.
    """
    return [m for m in methods if seeds or m == methods[0] or m in JACOBIAN_METHODS]


def _concatenate(parts: Sequence[Maps], methods: Sequence[str]) -> Maps:
    """Return the maps of the members of all parts, in order; NaN for methods that a part has not computed."""
    return Maps(
        label={method: _of_method([part.label for part in parts], method) for method in methods},
        latent={method: _of_method([part.latent for part in parts], method) for method in methods},
        effective_rank=np.concatenate([part.effective_rank for part in parts]),
        condition=np.concatenate([part.condition for part in parts]),
        usable=np.concatenate([part.usable for part in parts]),
        deviance_explained=_deviance_explained(parts),
    )


def _of_method(parts: Sequence[Mapping[str, NDArray[np.float64]]], method: str) -> NDArray[np.float64]:
    return np.concatenate([part.get(method, np.full_like(next(iter(part.values())), np.nan)) for part in parts])


def _deviance_explained(parts: Sequence[Maps]) -> NDArray[np.float64] | None:
    """Return the deviance that generators explain (member, unit), NaN without a generator; None if there is none."""
    fitted = [part.deviance_explained for part in parts if part.deviance_explained is not None]
    if not fitted:
        return None
    missing = [np.full((len(part.usable), fitted[0].shape[1]), np.nan) for part in parts]
    explained = [part.deviance_explained for part in parts]
    return np.concatenate([m if e is None else e for m, e in zip(missing, explained, strict=True)])


def _add_tested(error: SamplingError, tested: str, method: str, first: int, maps: NDArray[np.float32]) -> None:
    if method == tested:
        error.add(maps)


def _keep(file: OverTimeFile, seeds: int, method: str, first: int, maps: NDArray[np.float32]) -> None:
    file.add(method, first, maps / seeds)


@contextmanager
def _over_time_file(
    file: Path, config: Config, sizes: tuple[int, int, int], silent: NDArray[np.bool_]
) -> Iterator[OverTimeFile | None]:
    """Yield the file for the maps of every bin, or None if the config does not ask for them."""
    if not config.attribution.time_resolved:
        yield None
        return
    with OverTimeFile(file, config.attribution.methods, sizes, silent) as opened:
        yield opened


def _observed(
    directory: Path, session: xr.Dataset, training: xr.Dataset, config: Config, inputs: EncoderInput
) -> Observed:
    """Return the recorded activity that generators explain, with the training and held-out bins of the encoders."""
    # If the encoder input equals the recorded activity in valid bins, the activity is not stored twice.
    part, recorded = training["split"].values, inputs
    if not activity.is_raw(session):
        recorded = recorded_inputs(session, inputs.device, directory)
    numbers, null_labels = training["number"].values, training["broken"].values.astype(str)
    return Observed(
        recorded,
        session["activity"].attrs["kind"] == "spikes",
        np.flatnonzero(part == TRAIN),
        np.flatnonzero(part == HELD_OUT),
        [
            member_generator(config.random_seed, number, label, GENERATOR)
            for number, label in zip(numbers, null_labels, strict=True)
        ],
        Options(**config.attribution.generator.model_dump()),
    )


def _contrast_of(training: xr.Dataset) -> Contrast:
    """Return the similarity that the model was trained with, from training.nc."""
    return contrast(members.recorded_config(training).training)


def _silent_units(inputs: EncoderInput, bins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which units (unit,) of ``inputs`` (time, unit) are constant over ``bins``; they have no map."""
    silent = torch.ones(inputs.shape[1], dtype=torch.bool, device=inputs.device)
    compared = torch.as_tensor(bins, device=inputs.device)
    first = inputs.index_select(0, compared[:1])
    for chunk in compared.split(BINS_AT_ONCE):
        silent &= (inputs.index_select(0, chunk) == first).all(dim=0)
    return silent.cpu().numpy()
