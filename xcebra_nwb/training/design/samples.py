"""Build the samples of every member, with the rules that draw their positives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import label_values
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.label_space import LabelSpace, label_spaces
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.sampling.groups import Groups
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, PositiveRule, TimePairs
from xcebra_nwb.xcebra.sampling.samples import Samples
from xcebra_nwb.xcebra.sampling.windows import TRAIN, runs, successors


def samples(
    session: xr.Dataset,
    split: Split,
    objectives: list[Objective],
    members: list[Member],
    part: int = TRAIN,
    spaces: Mapping[str, LabelSpace] | None = None,
) -> list[Samples]:
    """Return the samples of every member in one part of the split.

    Args:
        session: session dataset.
        split: usable bins and their parts.
        objectives: objectives of the session, each with a rule that draws positives.
        members: members of the ensemble; a null reads one label shuffled.
        part: part of the split, training or held out.
        spaces: label space of every objective; None: computed from the session (:func:`label_spaces`).

    Raises:
        Refusal: no bin has a positive for every objective.
    """
    numbers = split.numbers(part)
    bins = split.bins[numbers]
    run = runs(bins, split.segment)
    reachable = np.ones(len(bins), dtype=bool)
    by_objective: list[list[PositiveRule]] = []
    spaces = label_spaces(session, split, objectives) if spaces is None else spaces
    for objective in objectives:
        if objective.label is None:
            following = successors(run, objective.offset)
            reachable &= following >= 0
            by_objective.append([TimePairs(following)] * len(members))
        else:
            by_objective.append(_label_rules(session, split, objective, spaces.get(objective.name), numbers, members))
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
    split: Split,
    objective: Objective,
    space: LabelSpace | None,
    numbers: NDArray[np.int64],
    members: list[Member],
) -> list[PositiveRule]:
    """Return the rule of every member; members that read the true labels share one rule."""

    def rule(member: Member) -> PositiveRule:
        values = {n: label_values(session, n, split.bins, member.order(n))[numbers] for n in objective.labels}
        label, within = values[str(objective.label)], values.get(str(objective.within))
        return DiscretePairs(Groups.of(label)) if space is None else space.rule(label, within)

    true = rule(Member("seed", 0))
    is_null = [member.null_label is not None and member.null_label.label in objective.labels for member in members]
    return [rule(member) if null else true for member, null in zip(members, is_null, strict=True)]
