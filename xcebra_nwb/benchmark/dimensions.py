"""How many latents does a recording need? Two rules on simulations whose number of latents is known.

The first rule reads the held-out loss: it stops falling when there are enough outputs. The second counts the directions
of the latents that two seeds agree on: theory identifies the latents up to a linear map, so encoders with more outputs
than there are latents agree on as many directions as there are latents, and on no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import Budget, Case, JobContext, Task
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.simulate.two_populations import LABEL, SHARED, paper_design
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import save
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN

Floats = NDArray[np.float64]
WEIGHT = 0.1
AGREED = 0.8  # share of the variance (squared correlation) of a direction that another seed must explain
METHOD = "latents"


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    samples: int
    datasets: int
    latents: tuple[int, ...]
    fewer: int  # outputs than latents, at most
    more: int  # outputs than latents, at most
    seeds: int = 2


DESIGNS = {
    "quick": Design(Budget(60, 128, 3e-3), 2_000, 1, (4,), 1, 1),
    "reduced": Design(Budget(1_500, 512, 2e-3, decay=0.5), 20_000, 3, (4, 6, 8), 2, 4),
    "full": Design(Budget(10_000, 2_048, 3e-4), 100_000, 10, (4, 5, 6, 7, 8, 9), 3, 6, seeds=4),
}


def cases(size: str) -> list[Case]:
    """Return the jobs: every number of outputs on every dataset."""
    design = DESIGNS[size]
    jobs = []
    for latents in design.latents:
        for outputs in range(max(latents - design.fewer, latents - SHARED + 1), latents + design.more + 1):
            jobs += [_case(design, latents, outputs, dataset) for dataset in range(design.datasets)]
    return jobs


def _case(design: Design, latents: int, outputs: int, dataset: int) -> Case:
    columns = {"setting": f"{outputs} outputs", "dataset": dataset, "training": f"d = {latents}", "regularizer": WEIGHT}
    return Case(f"d{latents}-outputs{outputs}-{dataset}", columns, partial(_work, design, latents, outputs, dataset))


def _work(design: Design, latents: int, outputs: int, dataset: int, context: JobContext) -> list[Score]:
    asked = task(design, latents, outputs, dataset)
    save(asked.session, context.directory / "session.nc")
    context.commands.train(context.directory, asked.config, context.threads)
    training = load_dataset(context.directory / "training.nc")
    embedding = load_dataset(context.directory / "embedding.nc")["embedding"]
    split = split_session(asked.session, asked.config)
    correlations = agreed_correlations(embedding.values, split.bins_of(TRAIN), split.bins_of(HELD_OUT))
    agreed = agreed_directions(correlations).mean()
    return [{"method": METHOD, "label": LABEL, "gain": held_out_gain(training), "agreed": float(agreed)}]


def task(design: Design, latents: int, outputs: int, dataset: int) -> Task:
    """Return a dataset of the paper's design, and a training with another number of outputs than it has latents.

    Args:
        design: size of the experiment.
        latents: number of latents.
        outputs: number of outputs; the label has as many as it has axes.
        dataset: number of the dataset, its seed.
    """
    data = paper_design(latents, design.samples, np.random.default_rng([latents, dataset]))
    block = [outputs - (latents - SHARED), outputs]
    config = schema.validate(
        {
            "encoder": {"outputs": outputs},
            "objectives": [
                {"name": "time", "outputs": [0, outputs], "positive": "time"},
                {"name": LABEL, "outputs": block, "positive": "time_delta", "label": LABEL},
            ],
            "training": design.budget.training(WEIGHT, seeds=design.seeds),
            "random_seed": dataset,
        }
    )
    session = session_of(data.rates, {LABEL: data.latents[:, SHARED:]})
    return Task(session, config, {LABEL: data.carries[-1]}, data.latents)


def held_out_gain(training: xr.Dataset) -> float:
    """Return by how much the held-out loss lies below that of chance, mean over seeds and objectives, in nats.

    Args:
        training: training.nc.
    """
    return float((training["chance"] - training["held_out_loss"]).mean())


def agreed_directions(correlations: Floats) -> NDArray[np.int64]:
    """Return the number of directions that the seeds of each pair agree on, (pair,).

    Args:
        correlations: canonical correlations on held-out bins, (pair, direction). One that turned its sign is no
            agreement.

    >>> agreed_directions(np.array([[0.99, 0.95, 0.5, -0.95]])).tolist()
    [2]
    """
    return (correlations >= np.sqrt(AGREED)).sum(axis=-1)


def agreed_correlations(latents: Floats, train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
    """Return the canonical correlations of the latents of every two seeds, (pair, direction), on held-out bins.

    Canonical correlation analysis (Hotelling 1936, Biometrika 28:321) pairs directions of one encoder with directions
    of another; it is fitted on ``train`` and scored on ``test``.

    Args:
        latents: shape (seed, time, latent).
        train: bins to fit on.
        test: bins to score on.
    """
    return np.stack([_canonical(*pair, train, test) for pair in combinations(latents.astype(np.float64), 2)])


def _canonical(first: Floats, second: Floats, train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
    centred = [values - values[train].mean(axis=0) for values in (first, second)]
    whitened = [np.linalg.qr(values[train]) for values in centred]
    left, _, right = np.linalg.svd(whitened[0].Q.T @ whitened[1].Q)
    turns = (left, right.T)
    scores = [
        values[test] @ np.linalg.pinv(white.R) @ turn
        for values, white, turn in zip(centred, whitened, turns, strict=True)
    ]
    x, y = (values - values.mean(axis=0) for values in scores)
    return (x * y).sum(axis=0) / np.sqrt(np.square(x).sum(axis=0) * np.square(y).sum(axis=0))
