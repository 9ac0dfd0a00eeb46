"""From a session dataset to the arrays that the method works on: bins, split, members and their pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.config import Config, Objective
from xcebra_nwb.errors import Refusal
from xcebra_nwb.session import labels, smoothing_reach
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
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN, runs, split_bins, usable_bins

SEED, NULL, SHIFTS, TEST = range(4)  # what a generator is for: part of its seed


@dataclass(frozen=True)
class Member:
    """One encoder of the stack: trained on the true labels (a seed) or on labels shifted by ``shift`` bins (a null)."""

    role: str
    number: int
    shift: int

    def generator(self, random_seed: int, *purpose: int) -> np.random.Generator:
        """Return the member's own generator; it does not depend on which members are trained beside it."""
        return np.random.default_rng([random_seed, SEED if self.role == "seed" else NULL, self.number, *purpose])


@dataclass(frozen=True)
class Grid:
    """Which bins are used for what."""

    bins: NDArray[np.int64]  # (sample,) the usable bins, ascending
    split: NDArray[np.int8]  # (time,) 0 train, 1 held out, -1 neither
    segment: NDArray[np.int64]  # (time,)

    def numbers(self, part: int) -> NDArray[np.int64]:
        """Return which of ``bins`` belong to a part of the split."""
        return np.flatnonzero(self.split[self.bins] == part)


def grid(session: xr.Dataset, window: int, config: Config) -> Grid:
    """Return the usable bins and their split into training and held-out stretches, a window and smoothing apart."""
    segment = session["segment"].values.astype(np.int64)
    usable = usable_bins(segment, window)
    guard = window - 1 + 2 * smoothing_reach(session)
    split = split_bins(usable, config.training.held_out, config.training.held_out_blocks, guard)
    return Grid(np.flatnonzero(usable), split, segment)


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
    session: xr.Dataset, layout: Grid, objectives: list[Objective], stack: list[Member], part: int = TRAIN
) -> Samples:
    """Return the samples of one part of the split with every member's rules for positives.

    Raises:
        Refusal: no bin has a positive for every objective.
    """
    numbers = layout.numbers(part)
    bins = layout.bins[numbers]
    run = runs(bins, layout.segment)
    reachable = np.ones(len(bins), dtype=bool)
    rules: dict[tuple[str, int], PositiveRule] = {}
    for objective in objectives:
        if objective.label is None:
            following = successors(run, objective.offset)
            reachable &= following >= 0
            rules |= {(objective.name, member.shift): TimePairs(following) for member in stack}
        else:
            for shift in {member.shift for member in stack}:
                rules[objective.name, shift] = _label_rule(session, layout, objective, numbers, shift)
    if not reachable.any():
        raise Refusal(
            f"no bin of the {'training' if part == TRAIN else 'held-out'} part has a positive for every objective",
            "shorten the window or the offsets, or hold out longer blocks",
        )
    by_member = [[rules[o.name, member.shift] for o in objectives] for member in stack]
    return Samples(bins, np.flatnonzero(reachable), by_member)


def _label_rule(
    session: xr.Dataset, layout: Grid, objective: Objective, numbers: NDArray[np.int64], shift: int
) -> PositiveRule:
    assert objective.label is not None
    values = label_values(session, objective.label, layout.bins, shift)[numbers]
    if objective.positive == "discrete":
        return DiscretePairs(Groups.of(values))
    circular = labels(session)[objective.label].attrs["kind"] == "circular"
    return TimeDeltaPairs.of(values, _increments(session, layout, objective, circular), circular)


def _increments(session: xr.Dataset, layout: Grid, objective: Objective, circular: bool) -> NDArray[np.float64]:
    """The steps of the label where it was recorded without a break, in the training part."""
    assert objective.label is not None
    train = layout.numbers(TRAIN)
    values = label_values(session, objective.label, layout.bins)[train]
    steps = label_increments(values, runs(layout.bins[train], layout.segment), objective.delta, circular)
    if not len(steps):
        raise Refusal(f"label {objective.label}: no {objective.delta + 1} bins follow each other", "a smaller delta")
    return steps


__all__ = ["HELD_OUT", "TRAIN", "Grid", "Member", "grid", "label_values", "members", "samples"]
