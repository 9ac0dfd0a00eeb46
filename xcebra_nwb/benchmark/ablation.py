"""The ablation: each part of the method removed in turn, and the regulariser's weight from 0 to 10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import Budget, Case, JobContext, Task, perfect_case
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.simulate.two_populations import LABEL, SHARED, paper_design
from xcebra_nwb.core.config import schema

LATENTS = 6
WEIGHT = 0.1
STRENGTHS = (0.0, 0.001, 0.01, 0.03, 0.3, 1.0, 3.0, 10.0)  # beside that of the whole method
METHODS = ["inverted_neuron_gradient", "inverted_neuron_gradient_plain", "neuron_gradient"]
NOISE = {"noise-free": 0.0, "noisy": 1.0}  # white, in standard deviations of each unit


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    samples: int
    datasets: int
    members: int
    strengths: tuple[float, ...] = STRENGTHS


DESIGNS = {
    "quick": Design(Budget(60, 128, 3e-3), 2_000, 1, 2, (0.0,)),
    "reduced": Design(Budget(1_500, 512, 2e-3, decay=0.5), 20_000, 2, 2, (0.0, 0.01, 1.0, 10.0)),
    "full": Design(Budget(20_000, 5_000, 3e-4), 100_000, 10, 4),
}


@dataclass(frozen=True)
class Variant:
    """The method with something changed, in the config's words."""

    name: str
    training: Mapping[str, Any] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)
    time: bool = True  # whether there is an objective on time


def variants(strengths: tuple[float, ...]) -> list[Variant]:
    """Return the variants of the method that are compared.

    They are the whole method, the method with each part removed, and the method with each weight of the regulariser.
    The plain inverse, which takes the place of the rank-aware one, is among the methods of every variant.

    Args:
        strengths: weights of the regulariser.

    >>> [variant.name for variant in variants((0.3,))][-1]
    'λ = 0.3'
    """
    return [
        Variant("whole"),
        Variant("one member", {"seeds": 1}),
        Variant("no ramp", {"regularizer": {"weight": WEIGHT, "ramp": [0.0, 0.0]}}),
        Variant("no time objective", time=False),
        Variant("unbounded loss, clipped", {"denominator": "negatives"}, {"clip": 5.0}),
        *(Variant(f"λ = {weight:g}", {"regularizer": {"weight": weight}}) for weight in strengths),
    ]


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    jobs = [perfect_case(LABEL)]
    for noise in NOISE:
        for variant in variants(design.strengths):
            jobs += [_case(design, noise, variant, dataset) for dataset in range(design.datasets)]
    return jobs


def _case(design: Design, noise: str, variant: Variant, dataset: int) -> Case:
    weight = variant.training.get("regularizer", {}).get("weight", WEIGHT)
    columns = {"setting": variant.name, "dataset": dataset, "training": noise, "regularizer": weight}
    words = variant.name.replace("λ = ", "weight ").replace(",", "").replace(" ", "-")
    return Case(f"{noise}-{words}-{dataset}", columns, partial(_work, design, noise, variant, dataset))


def _work(design: Design, noise: str, variant: Variant, dataset: int, context: JobContext) -> list[Score]:
    from xcebra_nwb.benchmark.solve import scores  # the list of jobs is made without torch

    return scores(context, task(design, NOISE[noise], variant, dataset))


def task(design: Design, noise: float, variant: Variant, dataset: int) -> Task:
    """Return a dataset of the paper's design, and how a variant trains on it.

    Args:
        design: size of the experiment.
        noise: white noise on each unit, in its standard deviations.
        variant: the method with something changed.
        dataset: number of the dataset, its seed.
    """
    generator = np.random.default_rng([LATENTS, dataset])
    data = paper_design(LATENTS, design.samples, generator)
    rates = data.rates + noise * data.rates.std(axis=0) * generator.standard_normal(data.rates.shape)
    outputs = LATENTS if variant.time else LATENTS - SHARED
    label = {"name": LABEL, "positive": "time_delta", "label": LABEL, "outputs": [outputs - SHARED, outputs]}
    time = {"name": "time", "outputs": [0, outputs], "positive": "time"}
    config = schema.validate(
        {
            "encoder": {"outputs": outputs, **variant.encoder},
            "objectives": [time, label] if variant.time else [label],
            "training": design.budget.training(WEIGHT, seeds=design.members) | dict(variant.training),
            "attribution": {"methods": METHODS},
            "random_seed": dataset,
        }
    )
    session = session_of(rates, {LABEL: data.latents[:, SHARED:]})
    return Task(session, config, {LABEL: data.carries[-1]}, data.latents)
