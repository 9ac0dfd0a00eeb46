"""RatInABox cells on a real rat's walk: the paper's second experiment, and three labels from spikes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import HYBRID, Budget, Case, JobContext, Task, perfect_case
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.simulate.population import ratinabox_rates
from xcebra_nwb.benchmark.simulate.truth import cell_types
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.ground_truth import CARRIERS
from xcebra_nwb.core.session import load

BIN_WIDTH = 0.1  # s
PAPER_OUTPUTS, PAPER_BLOCK = 14, 4
PAPER_DELTA = 10  # bins; over a single one the steps are so small that the square is wrapped round the sphere
METHODS = ["inverted_neuron_gradient", "neuron_gradient", "inverted_neuron_gradient_plain"]


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    paper: Budget
    spiking: Budget
    duration: float  # s
    paper_cells: int  # of each type
    spiking_cells: int  # of each type
    datasets: int
    seeds: int
    nulls: int


DESIGNS = {
    "quick": Design(Budget(30, 128, 1e-3), Budget(30, 128, 1e-3), 60.0, 5, 5, 1, 2, 3),
    "reduced": Design(Budget(1_000, 512, 3e-3), Budget(1_000, 512, 1e-3), 2_000.0, 100, 40, 2, 2, 3),
    "full": Design(Budget(10_000, 2_500, 3e-4), Budget(5_000, 512, 3e-4), 2_000.0, 100, 100, 10, 4, 8),
}


@dataclass(frozen=True)
class Spikes:
    """A recording of spikes with three labels, and the width of its blocks."""

    name: str
    width: int = 3
    rates: float = 1.0
    mixed: bool = False
    duration: float | None = None  # s; None: that of the design


SPIKES = (
    Spikes("spikes, blocks of 2", width=2),
    Spikes("spikes, blocks of 3"),
    Spikes("spikes, blocks of 4", width=4),
    Spikes("spikes, a tenth of the rates", rates=0.1),
    Spikes("spikes, five minutes", duration=300.0),
    Spikes("spikes, mixed neurons", mixed=True),
)


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    jobs = [perfect_case("position")]
    for dataset in range(design.datasets):
        for noise in (0.0, 0.25):
            for weight in (0.0, 0.1):
                work = partial(_paper, design, noise, weight, dataset)
                jobs.append(_case(f"paper, noise {noise:g}", dataset, weight, work))
        jobs += [_case(spikes.name, dataset, 0.1, partial(_spikes, design, spikes, dataset)) for spikes in SPIKES]
    return jobs


def _case(setting: str, dataset: int, weight: float, work: Any) -> Case:
    name = f"{setting.replace(', ', '-').replace(' ', '-')}-{weight:g}-{dataset}"
    columns = {"setting": setting, "dataset": dataset, "training": HYBRID, "regularizer": weight}
    return Case(name, columns, work)


def _paper(design: Design, noise: float, weight: float, dataset: int, context: JobContext) -> list[Score]:
    """Rates, the cosine, 14 outputs of which position has four: the paper's settings."""
    from xcebra_nwb.benchmark.solve import scores  # the list of jobs is made without torch

    data = ratinabox_rates(design.duration, BIN_WIDTH, design.paper_cells, noise, seed=dataset)
    config = schema.validate(
        {
            "encoder": {"outputs": PAPER_OUTPUTS},
            "objectives": [_time(PAPER_OUTPUTS), _label("position", 0, PAPER_BLOCK) | {"delta": PAPER_DELTA}],
            "training": design.paper.training(weight, similarity="cosine"),
            "attribution": {"methods": METHODS},
            "random_seed": dataset,
        }
    )
    session = session_of(data.activity, {"position": data.position}, bin_width=BIN_WIDTH)
    carriers = np.isin(data.cell_type, CARRIERS["position"])
    return scores(context, Task(session, config, {"position": carriers}))


def _spikes(design: Design, spikes: Spikes, dataset: int, context: JobContext) -> list[Score]:
    """Poisson spikes, three labels, the product from the NWB file to the verdict."""
    from xcebra_nwb.benchmark.solve import judged  # the list of jobs is made without torch

    source = context.directory / "sub-simulated_ses-1.nwb"
    duration = min(design.duration, spikes.duration or design.duration)
    context.commands.simulate(source, dataset, duration, design.spiking_cells, spikes.rates, spikes.mixed)
    config = _three_labels(design, spikes.width, dataset)
    context.commands.extract(source, context.directory, config, "simulated")
    session, types = load(context.directory / "session.nc"), cell_types(source)
    assert types is not None  # a simulated file says them
    kinds = [types[str(unit)] for unit in session["unit_id"].values]
    return judged(context, Task(session, config, {label: np.isin(kinds, tuned) for label, tuned in CARRIERS.items()}))


def _three_labels(design: Design, width: int, dataset: int) -> schema.Config:
    outputs = 3 * width + 2
    blocks = [_label(name, n * width, (n + 1) * width) for n, name in enumerate(CARRIERS)]
    return schema.validate(
        {
            "time": {"bin_width": BIN_WIDTH},
            "encoder": {"outputs": outputs},
            "objectives": [_time(outputs), *blocks],
            "training": design.spiking.training(0.1, seeds=design.seeds, nulls=design.nulls),
            "attribution": {"methods": METHODS},
            "random_seed": dataset,
        }
    )


def _time(outputs: int) -> dict[str, Any]:
    return {"name": "time", "outputs": [0, outputs], "positive": "time"}


def _label(name: str, first: int, last: int) -> dict[str, Any]:
    return {"name": name, "outputs": [first, last], "positive": "time_delta", "label": name}
