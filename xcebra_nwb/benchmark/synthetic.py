"""The paper's first experiment: every training, with and without the regulariser, on four to nine latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, get_args

import numpy as np

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import HYBRID, PEER, Budget, Case, JobContext, Score, Task, perfect_case
from xcebra_nwb.benchmark.simulate.two_populations import LABEL, SHARED, paper_design
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.schema import Method

WEIGHTS = (0.0, 0.1)
OTHERS = ("label only", "time only", "supervised")
NOTHING = 1e-9  # a weight that training does not feel
METHODS = list(get_args(Method))


ALL = (4, 5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Arm:
    """A training, the number of its datasets, and their numbers of latents."""

    training: str
    datasets: int
    latents: tuple[int, ...] = ALL


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    samples: int
    arms: tuple[Arm, ...]
    hidden: int = 128  # units of a hidden layer: with 64 the floor under units that carry nothing is higher


DESIGNS: dict[str, Design] = {
    "quick": Design(Budget(150, 256, 3e-3), 4_000, (Arm(HYBRID, 1, (4,)),), hidden=64),
    "reduced": Design(
        Budget(4_000, 512, 1e-3, decay=0.5),
        50_000,
        (Arm(HYBRID, 10), *(Arm(training, 1) for training in OTHERS), Arm(PEER, 1, (6,))),
    ),
    "full": Design(  # the paper's
        Budget(20_000, 5_000, 3e-4), 100_000, tuple(Arm(training, 10) for training in (HYBRID, *OTHERS, PEER))
    ),
}


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    jobs = [
        _case(design, latents, dataset, arm.training, weight)
        for arm in design.arms
        for latents, dataset, weight in product(arm.latents, range(arm.datasets), WEIGHTS)
    ]
    return [perfect_case(LABEL), *jobs]


def _case(design: Design, latents: int, dataset: int, training: str, weight: float) -> Case:
    name = f"d{latents}-{dataset}-{training.replace(' ', '-')}-{weight:g}"
    columns = {"setting": f"d = {latents}", "dataset": dataset, "training": training, "regularizer": weight}
    return Case(name, columns, partial(_work, design, latents, dataset, training, weight))


def _work(design: Design, latents: int, dataset: int, training: str, weight: float, context: JobContext) -> list[Score]:
    from xcebra_nwb.benchmark.cebra_peer import peer_scores  # the list of jobs is made without torch
    from xcebra_nwb.benchmark.solve import scores

    solve = peer_scores if training == PEER else scores
    return solve(context, task(design, latents, dataset, training, weight))


def task(
    design: Design, latents: int, dataset: int, training: str, weight: float, methods: Sequence[str] = METHODS
) -> Task:
    """Return a dataset of the experiment and how to train on it.

    Args:
        design: size of the experiment.
        latents: number of latents.
        dataset: number of the dataset, its seed.
        training: name of the training.
        weight: of the regulariser.
        methods: names of the attribution methods.
    """
    data = paper_design(latents, design.samples, np.random.default_rng([latents, dataset]))
    how = {"label only": _label_only, "time only": _time_only, "supervised": _supervised, PEER: _peer}.get(
        training, hybrid
    )
    encoder, objectives, changes = how(latents)
    config = schema.validate(
        {
            "encoder": encoder | {"hidden": design.hidden},
            "objectives": objectives,
            "training": design.budget.training(weight, **changes),
            "attribution": {"methods": list(methods)},
            "random_seed": dataset,
        }
    )
    session = session_of(data.rates, {LABEL: data.latents[:, SHARED:]})
    return Task(session, config, {LABEL: data.carries[-1]}, data.latents)


Part = dict[str, Any]


def hybrid(latents: int) -> tuple[Part, list[Part], Part]:
    """Return the hybrid training: time on all latents, the label on its own.

    Args:
        latents: number of latents.

    Returns:
        The config's sections ``encoder`` and ``objectives``, and changes to ``training``.

    >>> hybrid(4)[0], [part["outputs"] for part in hybrid(4)[1]]
    ({'outputs': 4}, [[0, 4], [3, 4]])
    """
    time = {"name": "time", "outputs": [0, latents], "positive": "time"}
    return {"outputs": latents}, [time, _label(SHARED, latents)], {}


def _label_only(latents: int) -> tuple[Part, list[Part], Part]:
    return {"outputs": latents - SHARED}, [_label(0, latents - SHARED)], {}


def _time_only(latents: int) -> tuple[Part, list[Part], Part]:
    """The label's loss counts for nothing; its block is where its map is read."""
    encoder, (time, label), changes = hybrid(latents)
    return encoder, [time, label | {"weight": NOTHING}], changes


def _supervised(latents: int) -> tuple[Part, list[Part], Part]:
    return {"outputs": latents - SHARED}, [_label(0, latents - SHARED)], {"loss": "supervised"}


def _peer(latents: int) -> tuple[Part, list[Part], Part]:
    """The paper's: without the positive in the denominator, and so with bounded outputs."""
    encoder, objectives, _ = hybrid(latents)
    return encoder | {"clip": 5.0}, objectives, {"denominator": "negatives"}


def _label(first: int, last: int) -> Part:
    return {"name": LABEL, "outputs": [first, last], "positive": "time_delta", "label": LABEL}
