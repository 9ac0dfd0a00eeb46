"""From a task to its scores, through the package's own commands: train, attribute and, for a verdict, assess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import process_time

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.case import JobContext, Task, judgement
from xcebra_nwb.benchmark.metrics import (
    Score,
    Truth,
    auroc,
    clipped_sample_share,
    linear_r2,
    neighbour_r2,
    row_auroc,
    trivial_auroc,
)
from xcebra_nwb.benchmark.table import MAP_SECONDS, TRAIN_SECONDS
from xcebra_nwb.core.config.schema import Config, Objective
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import labels, save
from xcebra_nwb.training.trained_ensemble import contrast
from xcebra_nwb.xcebra.maps.model import prepared
from xcebra_nwb.xcebra.sampling.samples import Block

Floats = NDArray[np.float64]
# By method: label maps (seed, label, unit), latent maps (seed, latent, unit).
Maps = Mapping[str, tuple[Floats, Floats]]


def scores(context: JobContext, task: Task) -> list[Score]:
    """Train on a task and return the scores of its maps.

    Args:
        context: of the job.
        task: the session, how to train on it, and its truth.

    Returns:
        One score for every method of the config and every label, with the CPU seconds of both commands.
    """
    save(task.session, context.directory / "session.nc")
    began = process_time()
    context.commands.train(context.directory, task.config, context.threads)
    trained = process_time()
    context.commands.attribute(context.directory, task.config, context.threads)
    seconds = {TRAIN_SECONDS: trained - began, MAP_SECONDS: process_time() - trained}
    attribution = load_dataset(context.directory / "attribution.nc")
    blocks, latents = label_blocks(task.config), _embedded(context, task)
    bins = np.flatnonzero(np.isfinite(latents).all(axis=1))
    of_all = {"usable": float(attribution["usable"].mean())} | seconds
    about = {block.name: embedding_scores(task, block, latents, bins) | of_all for block in blocks}
    return [score | about[score["label"]] for score in map_scores(stored_maps(attribution), blocks, task.carries)]


def judged(context: JobContext, task: Task) -> list[Score]:
    """Train on a task and return the scores of its maps with the verdicts.

    Args:
        context: of the job.
        task: the session, how to train on it, and its truth.

    Returns:
        One score for every method and label, with the verdict, the decoding and the leak of the label.
    """
    rows = scores(context, task)
    context.commands.assess(context.directory)
    assessed = read_json(context.directory / "assessment.json")["labels"]
    return [score | judgement(assessed[score["label"]]) for score in rows]


def objectives_of(config: Config) -> list[Objective]:
    """Return the objectives that a benchmark's config lists."""
    assert not isinstance(config.objectives, str)  # never auto
    return config.objectives


def label_blocks(config: Config) -> list[Block]:
    """Return the block of latents of every label in a config's objectives."""
    return [Block(o.label, *o.outputs) for o in objectives_of(config) if o.label]


def stored_maps(attribution: xr.Dataset) -> Maps:
    """Return the maps of every method of attribution.nc."""
    label = attribution["attribution_seeds"].transpose("map_method", "seed", "label", "unit").values
    latent = attribution["latent_map"].transpose("map_method", "seed", "latent", "unit").values
    methods = [str(method) for method in attribution["map_method"].values]
    return dict(zip(methods, zip(label, latent, strict=True), strict=True))


def map_scores(maps: Maps, blocks: Sequence[Block], carries: Mapping[str, Truth]) -> list[Score]:
    """Return the scores of every method's maps for every label.

    Args:
        maps: label maps and latent maps by method.
        blocks: the block of latents of every label.
        carries: the truth by label, (unit,).

    Returns:
        One score for every method and label; the scores of latents are means over seeds.
    """
    rows = []
    for method, (label_maps, latent_maps) in maps.items():
        truth = latent_truth(blocks, carries, latent_maps.shape[1:])
        pooled = float(np.mean([auroc(latent_map, truth) for latent_map in latent_maps]))
        for number, block in enumerate(blocks):
            latents = slice(block.first, block.last)
            by_row = [row_auroc(latent_map[latents], truth[latents]) for latent_map in latent_maps]
            rows.append(
                {
                    "method": method,
                    "label": block.name,
                    "row_auroc": float(np.mean(by_row)),
                    "pooled_auroc": pooled,
                    "trivial_auroc": trivial_auroc(truth),
                    "label_auroc": auroc(label_maps[:, number].mean(axis=0), carries[block.name]),
                }
            )
    return rows


def latent_truth(blocks: Sequence[Block], carries: Mapping[str, Truth], shape: tuple[int, ...]) -> Truth:
    """Return which unit carries which latent.

    The latents of a label's block are carried by the units that carry the label; the others, as in the paper, by all.

    Args:
        blocks: the block of latents of every label.
        carries: the truth by label, (unit,).
        shape: numbers of latents and of units.

    >>> latent_truth([Block("place", 0, 1)], {"place": np.array([True, False])}, (2, 2)).tolist()
    [[True, False], [True, True]]
    """
    truth = np.ones(shape, dtype=bool)
    for block in blocks:
        truth[block.first : block.last] = carries[block.name]
    return truth


def embedding_scores(task: Task, block: Block, latents: Floats, bins: NDArray[np.int64]) -> Score:
    """Return how well an embedding recovers the true latents and a label.

    Args:
        task: the session and its truth.
        block: of the label.
        latents: of the embedding (time, latent).
        bins: time bins to score.
    """
    label = labels(task.session)[block.name]
    values = label.values[bins].reshape(len(bins), -1)
    if label.attrs["kind"] == "circular":
        values = np.hstack([np.cos(values), np.sin(values)])
    block_latents = latents[bins, block.first : block.last]
    others = np.delete(latents[bins], np.arange(block.first, block.last), axis=1)
    return {
        "r2": np.nan if task.latents is None else linear_r2(latents[bins], task.latents[bins]),
        "label_r2": linear_r2(block_latents, values),
        "label_knn": neighbour_r2(block_latents, values),
        "leak": linear_r2(others, values) if others.shape[1] else np.nan,
        "saturated": clipped_sample_share(latents[bins], task.config.encoder.clip),
    }


def _embedded(context: JobContext, task: Task) -> Floats:
    """The latents (time, latent) of the first seed, as the loss compares them."""
    latents = load_dataset(context.directory / "embedding.nc")["embedding"].values[0]
    return prepared(torch.as_tensor(latents), label_blocks(task.config), contrast(task.config.training)).numpy()
