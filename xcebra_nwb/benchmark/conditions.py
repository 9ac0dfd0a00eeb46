"""The theory's conditions broken, one at a time: the map against the truth, and the product's verdict beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xcebra_nwb.benchmark import broken
from xcebra_nwb.benchmark.broken import CONTEXT, LABEL, LATENTS, Draw
from xcebra_nwb.benchmark.budget import Budget
from xcebra_nwb.benchmark.case import Case, Place, Task, perfect_case
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.simulate.synthetic import SHARED
from xcebra_nwb.core.config import schema


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    bins: int
    datasets: int
    seeds: int
    nulls: int


DESIGNS = {
    "quick": Design(Budget(60, 128, 3e-3), 1_500, 1, 2, 3),
    "reduced": Design(Budget(1_000, 512, 2e-3, decay=0.5), 10_000, 3, 2, 4),
    "full": Design(Budget(10_000, 512, 3e-4), 40_000, 10, 4, 8),
}


@dataclass(frozen=True)
class Condition:
    """A condition that fails: how its data are drawn, and how much of them and of the encoder there is."""

    name: str
    draw: Draw
    share: float = 1.0  # of the bins
    outputs: int = LATENTS
    labels: tuple[str, ...] = (LABEL,)


CONDITIONS = (
    Condition("none fails", broken.intact),
    Condition("mixing not injective", broken.folded),
    Condition("more latents than outputs", broken.intact, outputs=4),
    Condition("anisotropic label", broken.anisotropic),
    Condition("jumping label", broken.jumping),
    Condition("confounded labels", broken.confounded, labels=(LABEL, CONTEXT)),
    Condition("observation noise", broken.noisy),
    Condition("Poisson counts", broken.spiking),
    Condition("unobserved gaps", broken.interrupted),
    Condition("too little data", broken.intact, share=0.1),
    Condition("label not encoded", broken.unrelated),
)


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    jobs = [_case(design, condition, dataset) for condition in CONDITIONS for dataset in range(design.datasets)]
    return [perfect_case(LABEL), *jobs]


def _case(design: Design, condition: Condition, dataset: int) -> Case:
    columns = {"setting": condition.name, "dataset": dataset, "training": "hybrid", "regularizer": 0.1}
    name = f"{condition.name.replace(' ', '-')}-{dataset}"
    return Case(name, columns, partial(_work, design, condition, dataset))


def _work(design: Design, condition: Condition, dataset: int, place: Place) -> list[Score]:
    from xcebra_nwb.benchmark.solve import judged  # the list of jobs is made without torch

    return judged(place, task(design, condition, dataset))


def task(design: Design, condition: Condition, dataset: int) -> Task:
    """Return a dataset on which ``condition`` fails, and how to train on it."""
    bins = round(condition.share * design.bins)
    drawn = condition.draw(bins, np.random.default_rng(dataset))
    training = design.budget.training(0.1, seeds=design.seeds, nulls=design.nulls)
    chosen = schema.validate(
        {
            "encoder": {"outputs": condition.outputs},
            "objectives": _objectives(condition),
            "training": training | {"batch_size": min(design.budget.batch_size, bins // 4)},
            "random_seed": dataset,
        }
    )
    return Task(drawn.session, chosen, drawn.carries, drawn.latents)


def _objectives(condition: Condition) -> list[dict[str, Any]]:
    """Time on all outputs; the label on the last half of them; the context, where it is a label, on the first."""
    half = condition.outputs - min(SHARED, condition.outputs // 2)
    blocks = {LABEL: [half, condition.outputs], CONTEXT: [0, half]}
    time = {"name": "time", "outputs": [0, condition.outputs], "positive": "time"}
    rule = "time_delta"
    return [time, *({"name": n, "outputs": blocks[n], "positive": rule, "label": n} for n in condition.labels)]
