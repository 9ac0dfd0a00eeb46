"""From a session to its scores and verdicts, all the way through the product: train, attribute, assess."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from xcebra_nwb.benchmark.case import Place, Task, judgement
from xcebra_nwb.benchmark.metrics import Score, Truth
from xcebra_nwb.benchmark.solve import embedded, embedding_scores, map_scores
from xcebra_nwb.files import read_json
from xcebra_nwb.session import load_dataset, save
from xcebra_nwb.xcebra.attribution import Maps
from xcebra_nwb.xcebra.training import Block


def judged(place: Place, task: Task) -> list[Score]:
    """Return one score for every method and label of a task, with the verdict that the product gives the label."""
    folder = place.directory
    save(task.session, folder / "session.nc")
    place.verbs.train(folder, task.config, place.threads)
    place.verbs.attribute(folder, task.config, place.threads)
    place.verbs.assess(folder)
    attribution = load_dataset(folder / "attribution.nc")
    blocks, latents = attributed_blocks(attribution), embedded(place, task)
    bins = np.flatnonzero(np.isfinite(latents).all(axis=1))
    assessed = read_json(folder / "assessment.json")["labels"]
    about = {b.name: embedding_scores(task, b, latents, bins) | judgement(assessed[b.name]) for b in blocks}
    return [score | about[score["label"]] for score in map_scores(stored_maps(attribution), blocks, task.carries)]


def attributed_blocks(attribution: xr.Dataset) -> list[Block]:
    """Return the block of latents of every label of attribution.nc."""
    named = zip(*(attribution[v].values for v in ("label", "first_latent", "last_latent")), strict=True)
    return [Block(str(label), int(first), int(last)) for label, first, last in named]


def stored_maps(attribution: xr.Dataset) -> Maps:
    """Return the maps of attribution.nc; its seeds are the members."""
    label = attribution["attribution_seeds"].transpose("method", "seed", "label", "unit").values
    latent = attribution["latent_map"].transpose("method", "seed", "latent", "unit").values
    methods = [str(method) for method in attribution["method"].values]
    return Maps(
        label=dict(zip(methods, label, strict=True)),
        latent=dict(zip(methods, latent, strict=True)),
        effective_rank=attribution["effective_rank"].values,
        condition=attribution["condition"].values,
        usable=attribution["usable"].values,
    )


def carriers_of(
    session: xr.Dataset, cell_types: Mapping[str, str], tuned: Mapping[str, tuple[str, ...]]
) -> dict[str, Truth]:
    """Return for every label which units of an extracted session carry it, by their true types."""
    types = [cell_types[str(unit)] for unit in session["unit_id"].values]
    return {label: np.isin(types, kinds) for label, kinds in tuned.items()}
