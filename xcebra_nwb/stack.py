"""From a session dataset to the arrays that the method works on: bins, split, members and their pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.config import Config, Objective
from xcebra_nwb.errors import Refusal
from xcebra_nwb.layout import Layout
from xcebra_nwb.session import labels
from xcebra_nwb.xcebra.nulls import draw_shifts, shifted
from xcebra_nwb.xcebra.pairs import (
    DiscretePairs,
    Groups,
    PositiveRule,
    TimeDeltaPairs,
    TimePairs,
    label_increments,
    successors,
)
from xcebra_nwb.xcebra.training import Samples
from xcebra_nwb.xcebra.windows import TRAIN, runs

SEED, NULL, SHIFTS, TEST, ATTRIBUTION = range(5)  # what a generator is for: part of its seed


@dataclass(frozen=True)
class Member:
    """One encoder of the stack: trained on the true labels (a seed) or on labels shifted by ``shift`` bins (a null)."""

    role: str
    number: int
    shift: int

    def generator(self, random_seed: int, *purpose: int) -> np.random.Generator:
        """Return the member's own generator; it does not depend on which members are trained beside it."""
        return np.random.default_rng([random_seed, SEED if self.role == "seed" else NULL, self.number, *purpose])


def members(bins: int, config: Config) -> list[Member]:
    """Return the seeds and the nulls of a stack over ``bins`` usable bins."""
    generator = np.random.default_rng([config.random_seed, SHIFTS])
    shifts = draw_shifts(bins, config.training.nulls, generator)
    seeds = [Member("seed", number, 0) for number in range(config.training.seeds)]
    return seeds + [Member("null", number, int(shift)) for number, shift in enumerate(shifts)]


def label_values(session: xr.Dataset, name: str, bins: NDArray[np.int64], shift: int = 0) -> NDArray:
    """Return a label at ``bins``, (sample, axis) or class codes (sample,), shifted in a circle along them."""
    values = shifted(labels(session)[name].values[bins], shift)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return values.astype(np.float64).reshape(len(bins), -1)


def samples(
    session: xr.Dataset, used: Layout, objectives: list[Objective], stack: list[Member], part: int = TRAIN
) -> Samples:
    """Return the samples of one part of the split with every member's rules for positives.

    Raises:
        Refusal: no bin has a positive for every objective.
    """
    numbers = used.numbers(part)
    bins = used.bins[numbers]
    run = runs(bins, used.segment)
    reachable = np.ones(len(bins), dtype=bool)
    rules: dict[tuple[str, int], PositiveRule] = {}
    for objective in objectives:
        if objective.label is None:
            following = successors(run, objective.offset)
            reachable &= following >= 0
            rules |= {(objective.name, member.shift): TimePairs(following) for member in stack}
        else:
            for shift in {member.shift for member in stack}:
                rules[objective.name, shift] = _label_rule(session, used, objective, numbers, shift)
    if not reachable.any():
        raise Refusal(
            f"no bin of the {'training' if part == TRAIN else 'held-out'} part has a positive for every objective",
            "shorten the window or the offsets, or hold out longer blocks",
        )
    by_member = [[rules[o.name, member.shift] for o in objectives] for member in stack]
    return Samples(bins, np.flatnonzero(reachable), by_member)


def _label_rule(
    session: xr.Dataset, used: Layout, objective: Objective, numbers: NDArray[np.int64], shift: int
) -> PositiveRule:
    assert objective.label is not None
    values = label_values(session, objective.label, used.bins, shift)[numbers]
    if objective.positive == "discrete":
        return DiscretePairs(Groups.of(values))
    circular = labels(session)[objective.label].attrs["kind"] == "circular"
    return TimeDeltaPairs.of(values, _increments(session, used, objective, circular), circular)


def _increments(session: xr.Dataset, used: Layout, objective: Objective, circular: bool) -> NDArray[np.float64]:
    """The steps of the label where it was recorded without a break, in the training part."""
    assert objective.label is not None
    train = used.numbers(TRAIN)
    values = label_values(session, objective.label, used.bins)[train]
    steps = label_increments(values, runs(used.bins[train], used.segment), objective.delta, circular)
    if not len(steps):
        raise Refusal(f"label {objective.label}: no {objective.delta + 1} bins follow each other", "a smaller delta")
    return steps
