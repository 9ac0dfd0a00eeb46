"""The paper's first experiment: every training, with and without the regulariser, on data with four to nine latents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from xcebra_nwb import config
from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.budget import Budget
from xcebra_nwb.benchmark.case import Case, Place, Score, Task, perfect_case
from xcebra_nwb.simulate.synthetic import SHARED, paper_design

LABEL = "target"  # the latents that only the second population sees
WEIGHTS = (0.0, 0.1)
TRAININGS = ("hybrid", "label only")


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    samples: int
    latents: tuple[int, ...]
    datasets: int
    trainings: tuple[str, ...] = TRAININGS


DESIGNS: dict[str, Design] = {
    "quick": Design(Budget(150, 256, 3e-3), 4_000, (4,), 1, ("hybrid",)),
    "reduced": Design(Budget(3_000, 512, 1e-3), 50_000, (4, 5, 6, 7, 8, 9), 10),
    "full": Design(Budget(20_000, 5_000, 3e-4), 100_000, (4, 5, 6, 7, 8, 9), 10),  # the paper's
}


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    arms = product(design.latents, range(design.datasets), design.trainings, WEIGHTS)
    return [perfect_case(LABEL), *(_case(design, *arm) for arm in arms)]


def _case(design: Design, latents: int, dataset: int, training: str, weight: float) -> Case:
    name = f"d{latents}-{dataset}-{training.replace(' ', '-')}-{weight:g}"
    columns = {"setting": f"d = {latents}", "dataset": dataset, "training": training, "regularizer": weight}
    return Case(name, columns, partial(_work, design, latents, dataset, training, weight))


def _work(design: Design, latents: int, dataset: int, training: str, weight: float, place: Place) -> list[Score]:
    from xcebra_nwb.benchmark.solve import scores  # the list of jobs is made without torch

    return scores(place, task(design, latents, dataset, training, weight))


def task(design: Design, latents: int, dataset: int, training: str, weight: float) -> Task:
    """Return a dataset of the experiment and how to train on it."""
    data = paper_design(latents, design.samples, np.random.default_rng([latents, dataset]))
    chosen = config.validate(
        {
            **architecture(training, latents),
            "training": design.budget.training(weight),
            "random_seed": dataset,
        }
    )
    session = session_of(data.rates, {LABEL: data.latents[:, SHARED:]})
    return Task(session, chosen, {LABEL: data.carries[-1]}, data.latents)


def architecture(training: str, latents: int) -> dict[str, Any]:
    """Return the config's encoder and objectives: time on all latents, the label on those that it names."""
    label = {"name": LABEL, "positive": "time_delta", "label": LABEL}
    if training == "hybrid":
        time = {"name": "time", "outputs": [0, latents], "positive": "time"}
        return {
            "encoder": {"outputs": latents},
            "objectives": [time, label | {"outputs": [SHARED, latents]}],
        }
    return {
        "encoder": {"outputs": latents - SHARED},
        "objectives": [label | {"outputs": [0, latents - SHARED]}],
    }
