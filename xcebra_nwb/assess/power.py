"""What settings can show at best: the smallest p and q that so many nulls and shuffled labels allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xcebra_nwb.assess.conditions import RULES, Condition, judge
from xcebra_nwb.assess.label_course import covered_share, fewest_visits, independent_samples, predicted_by_others
from xcebra_nwb.assess.verdict import MOST_PREDICTED
from xcebra_nwb.attribution.information import LEAST_DRAWS
from xcebra_nwb.attribution.information_test import draws_needed
from xcebra_nwb.attribution.null_test import LEAST_NULLS, smallest_p
from xcebra_nwb.attribution.observed_activity import grouped
from xcebra_nwb.core.carriers import FIRST_DRAWS, LEVEL, MOST_DRAWS
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.session import label_features, labels
from xcebra_nwb.training.design.nulls import number_of_orders
from xcebra_nwb.training.design.prepare import PreparedSession, prepare
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN

KNOWN_BEFORE = ("independent_samples", "fewest_visits", "rarest_class", "covered")
HELP = {
    "independent_samples": "give a longer recording, or leave the label out",
    "fewest_visits": "leave the label out, or join its rare classes in the file",
    "rarest_class": "leave the label out, or join its rare classes in the file",
    "covered": "raise training.held_out_blocks, so that each part of the recording is both trained on and held out",
}


@dataclass(frozen=True)
class Power:
    """What can be shown of a label.

    Attributes:
        label: name of the label.
        units: number of units.
        nulls: number of its nulls.
        wanted: number of nulls that the config asks for.
        decoding_p: smallest p of its decoding score; NaN without nulls.
        together: fewest units that must stand out together for their shares to have q at most LEVEL; 0 if none can.
        shuffles: shuffled labels with which the foremost units are compared.
        unit_q: smallest q of a unit that carries the label alone; NaN where units cannot be tested.
        carriers_together: fewest units that must carry it together to be found; 0 if none can.
    """

    label: str
    units: int
    nulls: int
    wanted: int
    decoding_p: float
    together: int
    shuffles: int
    unit_q: float
    carriers_together: int


@dataclass(frozen=True)
class Outlook:
    """What settings can show of a session, before anything is trained.

    Attributes:
        ready: the session with its split and its null labels.
        predicted: how well each other label predicts a label, by label.
        shown: what can be shown of each label.
        limits: what limits each label, and what to change, a sentence each, by label.
    """

    ready: PreparedSession
    predicted: Mapping[str, dict[str, float]]
    shown: Sequence[Power]
    limits: Mapping[str, list[str]]


def outlook(session: xr.Dataset, config: Config) -> Outlook:
    """Return what settings can show of a session.

    Args:
        session: session.nc.
        config: the config with which it is to be trained.

    Raises:
        UsageError: The config asks for something that the session does not have.
        Refusal: The session is too short to train on.
    """
    ready = prepare(session, config)
    train, held_out = (ready.split.numbers(part) for part in (TRAIN, HELD_OUT))
    predicted = predicted_by_others(session, ready.split.bins, train, held_out)
    shown = [power(session, ready.split, design.label, config, len(design.nulls)) for design in ready.designs]
    limits = {
        each.label: advice(each, known_conditions(session, ready.split, each.label), predicted[each.label], config)
        for each in shown
    }
    return Outlook(ready, predicted, shown, limits)


def power(session: xr.Dataset, split: Split, label: str, config: Config, nulls: int) -> Power:
    """Return what can be shown of a label.

    Args:
        session: session.nc.
        split: of its usable bins.
        label: name of the label.
        config: of the training.
        nulls: number of nulls of the label that are left of those asked for.
    """
    units = session.sizes["unit"]
    samples = grouped(split.bins, split.segment).middle
    there = number_of_orders(session, split, label, config, samples)
    shuffles = int(min(there, max(FIRST_DRAWS, draws_needed(units, 1))))
    tested = shuffles >= LEAST_DRAWS
    least = smallest_p(shuffles)
    return Power(
        label=label,
        units=units,
        nulls=nulls,
        wanted=config.training.nulls,
        decoding_p=smallest_p(nulls) if nulls else math.nan,
        together=_together(units, smallest_p(nulls * units)) if nulls >= LEAST_NULLS else 0,
        shuffles=shuffles,
        unit_q=min(1.0, units * least) if tested else math.nan,
        carriers_together=_together(units, least) if tested else 0,
    )


def _together(units: int, least: float) -> int:
    """How many units at the smallest p have q at most LEVEL, by Benjamini and Hochberg; 0 if not even all have.

    >>> _together(50, 1 / 401), _together(50, 0.2)
    (3, 0)
    """
    needed = math.ceil(units * least / LEVEL - 1e-9)
    return needed if needed <= units else 0


def nulls_for_one(units: int) -> int:
    """Return the number of nulls with which the share of one unit alone can have q at most LEVEL.

    >>> nulls_for_one(50)
    20
    """
    return math.ceil((units / LEVEL - 1) / units)


def known_conditions(session: xr.Dataset, split: Split, label: str) -> tuple[Condition, ...]:
    """Return the conditions of a label that are known before training: :data:`KNOWN_BEFORE`.

    Args:
        session: session.nc.
        split: of its usable bins.
        label: name of the label.
    """
    variable = labels(session)[label]
    values, kind = variable.values[split.bins], str(variable.attrs["kind"])
    targets, classes = label_features(values, kind), kind == "discrete"
    numbers = {
        "independent_samples": independent_samples(targets),
        "covered": covered_share(targets, split.numbers(TRAIN), split.numbers(HELD_OUT)),
        "fewest_visits": float(fewest_visits(values)) if classes else math.nan,
        "rarest_class": float(np.unique(values, return_counts=True)[1].min() / len(values)) if classes else math.nan,
    }
    return judge([rule for rule in RULES if rule.name in KNOWN_BEFORE], numbers)


def advice(shown: Power, conditions: Sequence[Condition], predicted: dict[str, float], config: Config) -> list[str]:
    """Return what limits a label, and what to change, a sentence each; empty where nothing does.

    Args:
        shown: what can be shown of the label.
        conditions: those that are known before training.
        predicted: how well each other label predicts it.
        config: of the training.
    """
    said = [*_of_nulls(shown), *_of_units(shown)]
    if config.training.seeds < 2:
        said.append("with one seed the verdict is weak at best: set training.seeds to 2 or more.")
    said += [
        f"where training is perfect the verdict is still {c.otherwise} at best, as {c.says}: {HELP[c.name]}."
        for c in conditions
        if c.holds is False and c.otherwise
    ]
    said += [
        f"{other} predicts it ({score:.2f}), so that the verdict is weak at best: nothing in this recording tells "
        "the two apart. Leave one of them out, or give a recording in which they vary apart."
        for other, score in predicted.items()
        if score > MOST_PREDICTED
    ]
    return said


def _of_nulls(shown: Power) -> list[str]:
    if not shown.wanted:
        return ["without nulls the verdict is weak at best: set training.nulls to 8 or more."]
    if shown.nulls < LEAST_NULLS:
        few = "no null is" if not shown.nulls else "1 null is" if shown.nulls == 1 else f"{shown.nulls} nulls are"
        if shown.wanted < LEAST_NULLS:
            return [f"as {few} asked for, the verdict is weak at best: set training.nulls to 8 or more."]
        rest = "not identifiable" if not shown.nulls else "weak at best"
        return [
            f"as {few} left of {shown.wanted}, the verdict is {rest}: shifted, the label still predicts itself. "
            "Give a label that belongs to trials, or a longer recording."
        ]
    if shown.together > 1:
        return [
            f"a unit whose share alone stands out cannot have q of at most {LEVEL}: {shown.together} units must stand "
            f"out together. With {nulls_for_one(shown.units)} nulls one unit can (training.nulls)."
        ]
    return []


def _of_units(shown: Power) -> list[str]:
    if not shown.carriers_together:
        reason = f"as there are only {shown.shuffles} shuffled labels"
        return [f"no unit can be found to carry it, {reason}: give a recording with more trials."]
    if shown.carriers_together > 1:
        alone = "a unit that carries it alone cannot be found"
        together = f"{shown.carriers_together} units must carry it together"
        if shown.shuffles >= MOST_DRAWS:
            return [f"{alone}, as at most {MOST_DRAWS:,} shuffled labels are drawn: {together}."]
        return [f"{alone}, as there are only {shown.shuffles:,} shuffled labels: {together}. More trials would help."]
    return []
