"""From a session dataset to the arrays that the method works on: bins, split, members and their pairs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.members import Key
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import labels
from xcebra_nwb.training.design.label_space import LabelSpace, label_space
from xcebra_nwb.training.design.nulls import Broken, NullDesign, null_design
from xcebra_nwb.training.design.split import Layout
from xcebra_nwb.xcebra.sampling.groups import Groups
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, PositiveRule, TimePairs
from xcebra_nwb.xcebra.sampling.samples import Samples
from xcebra_nwb.xcebra.sampling.windows import TRAIN, runs, successors

SEED, NULL, ORDERS, TEST, ATTRIBUTION, GENERATOR = range(6)  # what a generator is for: part of its seed


@dataclass(frozen=True)
class Member:
    """One encoder of the stack: a seed, trained on the true labels, or a null, for which one label was ``broken``."""

    role: str
    number: int  # among the seeds, or among the nulls of the label
    broken: Broken | None = None

    @property
    def key(self) -> Key:
        """What makes it the same member in another session's stack."""
        return self.role, self.broken.label if self.broken else "", self.number

    def generator(self, random_seed: int, *purpose: int) -> np.random.Generator:
        """Return the member's own generator; it does not depend on which members are trained beside it."""
        return member_generator(random_seed, self.number, self.broken.label if self.broken else "", *purpose)

    def order(self, label: str) -> NDArray[np.int64] | None:
        """Return the order in which the member reads the usable bins of ``label``; None: as it was recorded."""
        return self.broken.order if self.broken is not None and self.broken.label == label else None


def member_generator(random_seed: int, number: int, broken: str, *purpose: int) -> np.random.Generator:
    """Return the generator of a seed, or of a null of the label ``broken``, for a purpose of its own."""
    own = [NULL, _key(broken)] if broken else [SEED]
    return np.random.default_rng([random_seed, *own, number, *purpose])


def members(designs: list[NullDesign], config: Config) -> list[Member]:
    """Return the seeds, and after them the nulls of every label."""
    seeds = [Member("seed", number) for number in range(config.training.seeds)]
    return seeds + [Member("null", number, broken) for d in designs for number, broken in enumerate(d.nulls)]


def null_designs(session: xr.Dataset, used: Layout, objectives: list[Objective], config: Config) -> list[NullDesign]:
    """Return the nulls of every label that an objective reads, in orders that each recording has of its own."""
    names = [o.label for o in objectives if o.label is not None]
    recording = _key(str(session.attrs["sha256"]))
    generators = [np.random.default_rng([config.random_seed, ORDERS, _key(name), recording]) for name in names]
    return [null_design(session, used, name, config, g) for name, g in zip(names, generators, strict=True)]


def _key(name: str) -> int:
    """A number for the name of a label or the digest of a recording: part of a seed, whatever others there are."""
    return zlib.crc32(name.encode())


def label_values(
    session: xr.Dataset, name: str, bins: NDArray[np.int64], order: NDArray[np.int64] | None = None
) -> NDArray:
    """Return a label at ``bins``, (sample, axis) or class codes (sample,), read in ``order`` (sample,)."""
    values = labels(session)[name].values[bins if order is None else bins[order]]
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return values.astype(np.float64).reshape(len(bins), -1)


def samples(
    session: xr.Dataset,
    used: Layout,
    objectives: list[Objective],
    stack: list[Member],
    part: int = TRAIN,
    spaces: Mapping[str, LabelSpace] | None = None,
) -> list[Samples]:
    """Return every member's samples: those of one part of the split, with the member's rules for positives.

    Args:
        spaces: by objective, in which its label is compared; None: the session's own (:func:`label_spaces`).

    Raises:
        Refusal: no bin has a positive for every objective.
    """
    numbers = used.numbers(part)
    bins = used.bins[numbers]
    run = runs(bins, used.segment)
    reachable = np.ones(len(bins), dtype=bool)
    by_objective: list[list[PositiveRule]] = []
    spaces = label_spaces(session, used, objectives) if spaces is None else spaces
    for objective in objectives:
        if objective.label is None:
            following = successors(run, objective.offset)
            reachable &= following >= 0
            by_objective.append([TimePairs(following)] * len(stack))
        else:
            by_objective.append(_label_rules(session, used, objective, spaces.get(objective.name), numbers, stack))
    if not reachable.any():
        raise Refusal(
            Code.BROKEN_UP,
            f"no bin of the {'training' if part == TRAIN else 'held-out'} part has a positive for every objective",
            "shorten the window or the offsets, or hold out longer blocks",
        )
    references = np.flatnonzero(reachable)
    return [Samples(bins, references, rules) for rules in zip(*by_objective, strict=True)]


def _label_rules(
    session: xr.Dataset,
    used: Layout,
    objective: Objective,
    space: LabelSpace | None,
    numbers: NDArray[np.int64],
    stack: list[Member],
) -> list[PositiveRule]:
    """Every member's rule; those that see its labels as they were recorded share one."""

    def rule(member: Member) -> PositiveRule:
        values = {n: label_values(session, n, used.bins, member.order(n))[numbers] for n in objective.labels}
        label, within = values[str(objective.label)], values.get(str(objective.within))
        return DiscretePairs(Groups.of(label)) if space is None else space.rule(label, within)

    true = rule(Member("seed", 0))
    broken = [member.broken is not None and member.broken.label in objective.labels for member in stack]
    return [rule(member) if its else true for member, its in zip(stack, broken, strict=True)]


def label_spaces(session: xr.Dataset, used: Layout, objectives: list[Objective]) -> dict[str, LabelSpace]:
    """Return the space of every objective that moves a label, by its name."""
    moving = [objective for objective in objectives if objective.positive not in {"time", "discrete"}]
    return {objective.name: objective_space(session, used, objective) for objective in moving}


def objective_space(session: xr.Dataset, used: Layout, objective: Objective) -> LabelSpace:
    """Return the space of the label that an objective moves."""
    assert objective.label is not None
    train = used.numbers(TRAIN)
    values = label_values(session, objective.label, used.bins)[train]
    kind = str(labels(session)[objective.label].attrs["kind"])
    return label_space(objective, kind, values, runs(used.bins[train], used.segment))
