"""From a task to its scores: train with the product's own verb, attribute some of the bins, compare with the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from xcebra_nwb import model_file
from xcebra_nwb.benchmark.case import Place, Task
from xcebra_nwb.benchmark.metrics import (
    Score,
    Truth,
    auroc,
    linear_r2,
    neighbour_r2,
    row_auroc,
    saturated_share,
    trivial_auroc,
)
from xcebra_nwb.config import Config, Objective
from xcebra_nwb.device import device
from xcebra_nwb.inverse_cut import inverse_cut
from xcebra_nwb.members import seen_label
from xcebra_nwb.objectives import contrast
from xcebra_nwb.session import encoder_input, labels, load_dataset, save
from xcebra_nwb.xcebra.attribution import Maps, Sampling, attribute, sampled
from xcebra_nwb.xcebra.model import Model, prepared
from xcebra_nwb.xcebra.training import Block

Floats = NDArray[np.float64]
SCORED_BINS = 10_000  # evenly over the session, for methods that need one Jacobian a bin
PERTURBED_BINS = 500  # of those, for methods that ask the encoder many times a bin


def scores(place: Place, task: Task) -> list[Score]:
    """Train on a task and return one score for every method of its config and every label."""
    save(task.session, place.directory / "session.nc")
    place.verbs.train(place.directory, task.config, place.threads)
    blocks, latents = label_blocks(task.config), embedded(place, task)
    bins = np.flatnonzero(np.isfinite(latents).all(axis=1))
    about = {block.name: embedding_scores(task, block, latents, bins) for block in blocks}
    maps = maps_at(place, task, sampled(bins, SCORED_BINS))
    return [score | about[score["label"]] for score in map_scores(maps, blocks, task.carries)]


def embedded(place: Place, task: Task) -> Floats:
    """Return the latents (time, latent) of the first seed in the job's folder, as the loss compares them."""
    latents = load_dataset(place.directory / "embedding.nc")["embedding"].values[0]
    return prepared(torch.as_tensor(latents), label_blocks(task.config), contrast(task.config.training)).numpy()


def objectives_of(config: Config) -> list[Objective]:
    """Return the objectives that a benchmark's config lists."""
    assert not isinstance(config.objectives, str)  # never auto
    return config.objectives


def label_blocks(config: Config) -> list[Block]:
    """Return the block of latents of every label that an objective of the config reads."""
    return [Block(o.label, *o.outputs) for o in objectives_of(config) if o.label]


def maps_at(place: Place, task: Task, bins: NDArray[np.int64]) -> Maps:
    """Return the maps of the trained encoders in the job's folder, averaged over ``bins``."""
    chosen = task.config.training
    with device(chosen.device, place.threads) as where:
        shape, layers = model_file.load(place.directory / "model.safetensors", where)
        inputs = torch.as_tensor(encoder_input(task.session), device=where)
        model = Model(inputs, shape, layers, label_blocks(task.config), contrast(task.config.training))
        training = load_dataset(place.directory / "training.nc")

        def seen(label: str, member: int) -> NDArray:
            return seen_label(task.session, training, label, member)[bins]

        return attribute(
            inputs,
            shape,
            layers,
            model.labels,
            bins,
            model.contrast,
            inverse_cut(task.session, model, bins, seen, task.config.attribution.rank_tolerance),
            task.config.attribution.methods,
            sampling=Sampling(np.random.default_rng(task.config.random_seed), PERTURBED_BINS),
        )


def map_scores(maps: Maps, blocks: Sequence[Block], carries: Mapping[str, Truth]) -> list[Score]:
    """Return the scores of every method's maps for every label; those of latents are means over seeds."""
    found = []
    for method, latent_maps in maps.latent.items():
        truth = latent_truth(blocks, carries, latent_maps.shape[1:])
        pooled = float(np.mean([auroc(one, truth) for one in latent_maps]))
        for number, block in enumerate(blocks):
            rows = slice(block.first, block.last)
            found.append(
                {
                    "method": method,
                    "label": block.name,
                    "row_auroc": float(np.mean([row_auroc(one[rows], truth[rows]) for one in latent_maps])),
                    "pooled_auroc": pooled,
                    "trivial_auroc": trivial_auroc(truth),
                    "label_auroc": auroc(maps.label[method][:, number].mean(axis=0), carries[block.name]),
                    "usable": float(maps.usable.mean()),
                }
            )
    return found


def latent_truth(blocks: Sequence[Block], carries: Mapping[str, Truth], shape: tuple[int, ...]) -> Truth:
    """Return which unit carries which latent: a label's block the label; the others, as in the paper, all units do."""
    truth = np.ones(shape, dtype=bool)
    for block in blocks:
        truth[block.first : block.last] = carries[block.name]
    return truth


def embedding_scores(task: Task, block: Block, latents: Floats, bins: NDArray[np.int64]) -> Score:
    """Return what ``latents`` (time, latent) say of the true ones, of a block's label, and how far it leaks."""
    label = labels(task.session)[block.name]
    values = label.values[bins].reshape(len(bins), -1)
    if label.attrs["kind"] == "circular":
        values = np.hstack([np.cos(values), np.sin(values)])
    own = latents[bins, block.first : block.last]
    others = np.delete(latents[bins], np.arange(block.first, block.last), axis=1)
    return {
        "r2": np.nan if task.latents is None else linear_r2(latents[bins], task.latents[bins]),
        "label_r2": linear_r2(own, values),
        "label_knn": neighbour_r2(own, values),
        "leak": linear_r2(others, values) if others.shape[1] else np.nan,
        "saturated": saturated_share(latents[bins], task.config.encoder.clip),
    }
