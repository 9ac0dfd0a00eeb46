"""The paper authors' demo file, and any other of its form: arrays of neurons, latents and the true map.

It is too small to rank methods, but the authors' own figures exist for it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import HYBRID, PEER, Budget, Case, JobContext, Task, perfect_case
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import UsageError

LABEL = "target"  # the latents that some units do not carry
NEEDED = ("neurons", "latents", "gt_attribution_map")  # (time, unit), (time, latent), (latent, unit)
WEIGHTS = (0.0, 0.1)
METHODS = ["inverted_neuron_gradient", "neuron_gradient"]
ALL_BINS = {"held_out": 0.01, "held_out_blocks": 1}  # there are few of them, and the truth is what the maps are held to


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    seeds: int


DESIGNS = {
    "quick": Design(Budget(60, 128, 3e-3), 1),
    "reduced": Design(Budget(2_000, 512, 1e-3), 5),
    "full": Design(Budget(2_000, 512, 1e-3), 5),
}


def cases(size: str, file: Path) -> list[Case]:
    """Return the jobs on ``file``: seeds take the place of datasets."""
    design = DESIGNS[size]
    arms = product(range(design.seeds), (HYBRID, PEER), WEIGHTS)
    return [perfect_case(LABEL), *(_case(design, file, *arm) for arm in arms)]


def _case(design: Design, file: Path, seed: int, training: str, weight: float) -> Case:
    columns = {"setting": file.stem, "dataset": seed, "training": training, "regularizer": weight}
    name = f"{training.replace(' ', '-')}-{weight:g}-{seed}"
    return Case(name, columns, partial(_work, design, file, seed, training, weight))


def _work(design: Design, file: Path, seed: int, training: str, weight: float, context: JobContext) -> list[Score]:
    from xcebra_nwb.benchmark.cebra_peer import peer_scores  # the list of jobs is made without torch
    from xcebra_nwb.benchmark.solve import scores

    solve = peer_scores if training == PEER else scores
    return solve(context, task(design, read(file), seed, training, weight))


def task(design: Design, arrays: Mapping[str, NDArray], seed: int, training: str, weight: float) -> Task:
    """Return how to train on the arrays of a demo file.

    Time is on all latents, the label on those that some units lack.

    Args:
        design: size of the experiment.
        arrays: of the file.
        seed: of the training.
        training: ours or CEBRA's.
        weight: of the regulariser.
    """
    latents, truth = arrays["latents"].astype(float), arrays["gt_attribution_map"].astype(bool)
    first, last = int(np.argmin(truth.all(axis=1))), len(truth)
    paper = training == PEER
    config = schema.validate(
        {
            "encoder": {"outputs": last, "clip": 5.0 if paper else None},
            "objectives": [
                {"name": "time", "outputs": [0, last], "positive": "time"},
                {"name": LABEL, "outputs": [first, last], "positive": "time_delta", "label": LABEL},
            ],
            "training": design.budget.training(weight, denominator="negatives" if paper else "all", **ALL_BINS),
            "attribution": {"methods": METHODS},
            "random_seed": seed,
        }
    )
    session = session_of(arrays["neurons"], {LABEL: latents[:, first:]})
    return Task(session, config, {LABEL: truth[first]}, latents)


def read(file: Path) -> dict[str, NDArray]:
    """Return the arrays of a demo file.

    Raises:
        UsageError: it is no such file, or its latents do not begin with those that all units carry.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in NEEDED}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file}: not a file of {', '.join(NEEDED)}: {error}", "give that, or an NWB file") from None
    truth = arrays["gt_attribution_map"].astype(bool)
    full = truth.all(axis=1)
    if full.all() or (np.diff(full.astype(int)) > 0).any() or (truth[~full] != truth[~full][0]).any():
        raise UsageError(
            f"{file}: the truth is not of latents that all units carry, then of those that one group lacks"
        )
    return arrays
