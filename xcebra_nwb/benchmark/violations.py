"""The conditions of the theory violated one at a time: the map against the truth, and the verdict beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import HYBRID, Budget, Case, JobContext, Task, perfect_case
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.simulate.two_populations import (
    LABEL,
    SHARED,
    STEP,
    UNITS,
    Synthetic,
    synthetic,
    truncated_walk,
)
from xcebra_nwb.core.config import schema

Floats = NDArray[np.float64]
Generator = np.random.Generator
CONTEXT = "context"  # the latents that both populations see
LATENTS = 6
COUNT = 0.5  # mean spikes a bin of a unit
SMOOTHING = 0.1  # s, where there are spikes


@dataclass(frozen=True)
class Drawn:
    """A session, the units that carry the label, and the true latents."""

    session: xr.Dataset
    carries: dict[str, NDArray[np.bool_]]
    latents: Floats


def _usual(bins: int, generator: Generator) -> Synthetic:
    return synthetic(_walk(bins, generator), generator)


def _walk(bins: int, generator: Generator, steps: tuple[float, ...] = (STEP,) * SHARED, jumps: float = 0.0) -> Floats:
    """Shared latents on the usual walk, the others with other ``steps`` and ``jumps``."""
    shared = truncated_walk(bins, np.full(SHARED, STEP), generator)
    return np.hstack([shared, truncated_walk(bins, np.array(steps), generator, jumps)])


def _drawn(data: Synthetic, activity: Floats | None = None, label: Floats | None = None, **session: object) -> Drawn:
    seen = data.rates if activity is None else activity
    named = {LABEL: data.latents[:, SHARED:] if label is None else label}
    return Drawn(session_of(seen, named, **session), {LABEL: data.carries[-1]}, data.latents)  # type: ignore[arg-type]


def intact(bins: int, generator: Generator) -> Drawn:
    """Return data on which every condition holds."""
    return _drawn(_usual(bins, generator))


def folded(bins: int, generator: Generator) -> Drawn:
    """Return data whose mixing is not injective.

    Units see the absolute value of the label's first axis.
    """
    walk = _walk(bins, generator)
    seen = walk.copy()
    seen[:, SHARED] = np.abs(seen[:, SHARED])
    return _drawn(synthetic(seen, generator), label=walk[:, SHARED:])


def anisotropic(bins: int, generator: Generator) -> Drawn:
    """Return data whose label moves a hundred times faster on one axis."""
    return _drawn(synthetic(_walk(bins, generator, (STEP, STEP / 10, STEP / 100)), generator))


def jumping(bins: int, generator: Generator) -> Drawn:
    """Return data in which every tenth step of the label leads anywhere."""
    return _drawn(synthetic(_walk(bins, generator, jumps=0.1), generator))


def confounded(bins: int, generator: Generator) -> Drawn:
    """Return data with two labels that are nearly the same.

    The shared latents, a label too, are the other label but for a little variation.
    """
    walk = _walk(bins, generator)
    walk[:, :SHARED] = 0.95 * walk[:, SHARED:] + 0.05 * walk[:, :SHARED]
    data = synthetic(walk, generator)
    labels = {LABEL: walk[:, SHARED:], CONTEXT: walk[:, :SHARED]}
    carries = {LABEL: data.carries[-1], CONTEXT: data.carries[0]}
    return Drawn(session_of(data.rates, labels), carries, walk)


def noisy(bins: int, generator: Generator) -> Drawn:
    """Return data with white noise as large as the signal on every unit."""
    data = _usual(bins, generator)
    noise = data.rates.std(axis=0) * generator.standard_normal(data.rates.shape)
    return _drawn(data, activity=data.rates + noise)


def spiking(bins: int, generator: Generator) -> Drawn:
    """Return data as Poisson counts of half a spike a bin, smoothed."""
    data = _usual(bins, generator)
    counts = generator.poisson(COUNT * (1 + data.rates)).astype(float)
    return _drawn(data, activity=counts, units="count", smoothing=SMOOTHING)


def interrupted(bins: int, generator: Generator) -> Drawn:
    """Return data of which two fifths were not observed.

    The gaps and the stretches between them last seconds.
    """
    data = _usual(bins, generator)
    borders = np.cumsum(generator.geometric(1 / 20, size=bins))
    stretch = np.searchsorted(borders, np.arange(bins), side="right")
    return _drawn(data, valid=stretch % 5 > 1)


def unrelated(bins: int, generator: Generator) -> Drawn:
    """Return data whose label has nothing to do with the units."""
    data = _usual(bins, generator)
    session = session_of(data.rates, {LABEL: _walk(bins, generator)[:, SHARED:]})
    return Drawn(session, {LABEL: np.zeros(2 * UNITS, dtype=bool)}, data.latents)


Draw = Callable[[int, Generator], Drawn]


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
class Violation:
    """A condition that fails: its data, their amount, and the encoder's outputs."""

    name: str
    draw: Draw
    share: float = 1.0  # of the bins
    outputs: int = LATENTS
    labels: tuple[str, ...] = (LABEL,)


VIOLATIONS = (
    Violation("none fails", intact),
    Violation("mixing not injective", folded),
    Violation("more latents than outputs", intact, outputs=4),
    Violation("anisotropic label", anisotropic),
    Violation("jumping label", jumping),
    Violation("confounded labels", confounded, labels=(LABEL, CONTEXT)),
    Violation("observation noise", noisy),
    Violation("Poisson counts", spiking),
    Violation("unobserved gaps", interrupted),
    Violation("too little data", intact, share=0.1),
    Violation("label not encoded", unrelated),
)


def cases(size: str) -> list[Case]:
    """Return the jobs of the experiment."""
    design = DESIGNS[size]
    jobs = [_case(design, violation, dataset) for violation in VIOLATIONS for dataset in range(design.datasets)]
    return [perfect_case(LABEL), *jobs]


def _case(design: Design, violation: Violation, dataset: int) -> Case:
    columns = {"setting": violation.name, "dataset": dataset, "training": HYBRID, "regularizer": 0.1}
    name = f"{violation.name.replace(' ', '-')}-{dataset}"
    return Case(name, columns, partial(_work, design, violation, dataset))


def _work(design: Design, violation: Violation, dataset: int, context: JobContext) -> list[Score]:
    from xcebra_nwb.benchmark.solve import judged  # the list of jobs is made without torch

    return judged(context, task(design, violation, dataset))


def task(design: Design, violation: Violation, dataset: int) -> Task:
    """Return a dataset on which a condition fails, and how to train on it.

    Args:
        design: size of the experiment.
        violation: the condition that fails.
        dataset: number of the dataset, its seed.
    """
    bins = round(violation.share * design.bins)
    drawn = violation.draw(bins, np.random.default_rng(dataset))
    training = design.budget.training(0.1, seeds=design.seeds, nulls=design.nulls)
    config = schema.validate(
        {
            "encoder": {"outputs": violation.outputs},
            "objectives": _objectives(violation),
            "training": training | {"batch_size": min(design.budget.batch_size, bins // 4)},
            "random_seed": dataset,
        }
    )
    return Task(drawn.session, config, drawn.carries, drawn.latents)


def _objectives(violation: Violation) -> list[dict[str, Any]]:
    """Time on all outputs; the label on the last half of them; the context, where it is a label, on the first."""
    half = violation.outputs - min(SHARED, violation.outputs // 2)
    blocks = {LABEL: [half, violation.outputs], CONTEXT: [0, half]}
    time = {"name": "time", "outputs": [0, violation.outputs], "positive": "time"}
    rule = "time_delta"
    return [time, *({"name": n, "outputs": blocks[n], "positive": rule, "label": n} for n in violation.labels)]
