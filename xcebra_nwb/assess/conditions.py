"""The conditions that the theory needs of a label's data and of its encoder: one table, and its judge.

``docs/reference/verdicts.md`` argues each condition; a test compares the page with the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["supported", "weak", "not encoded", "not identifiable"]
Measure = Literal["fit", "block", "activity", "map", "course", "steps", "classes", "training"]
MOST_LEAK = 0.9  # held-out R2 of a block from the other latents, by neighbours or linearly
NOTED = "noted"  # the cost of a condition on which no verdict depends


class Shown(float):
    """A number in a sentence: with a minus sign, not a hyphen, and a space before the sign of per cent.

    >>> f"{Shown(-0.123):.2f}, {Shown(-0.001):.2f}, {Shown(0.5):.0%}"
    '−0.12, 0.00, 50 %'
    """

    def __format__(self, spec: str) -> str:
        sign = "+" if spec.startswith("+") else ""
        shown = super().__format__(f"{sign}z{spec.removeprefix(sign)}")  # z: not -0.00
        return shown.replace("-", "−").replace("%", " %")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A condition: its question, its threshold, and its cost when it does not hold.

    Attributes:
        name: of the condition, in assessment.json.
        question: the condition in plain words.
        at_least: the smallest number for which the condition holds; None where ``at_most`` is given.
        at_most: the largest number for which the condition holds; None where ``at_least`` is given.
        otherwise: the best verdict that is left when the condition does not hold; None if it costs nothing.
        violated: the sentence for a condition that does not hold; ``{value}`` stands for the number.
        measured_by: the part of :class:`xcebra_nwb.assess.measurements.Measurements` that computes the number.
    """

    name: str
    question: str
    at_least: float | None = None
    at_most: float | None = None
    otherwise: Verdict | None
    violated: str
    measured_by: Measure

    @property
    def least(self) -> bool:
        """Whether the number must be at least the threshold, rather than at most."""
        return self.at_least is not None

    @property
    def threshold(self) -> float:
        """The number at which the condition just holds."""
        threshold = self.at_least if self.least else self.at_most
        assert threshold is not None, self.name
        return threshold


RULES = (
    Rule(
        name="loss_gain",
        question="Is the held-out loss below its chance level?",
        at_least=0.01,
        otherwise="weak",
        violated="the held-out loss is no better than chance ({value:+.1%})",
        measured_by="fit",
    ),
    Rule(
        name="loss_gain_over_nulls",
        question="Is the held-out loss below that of every null?",
        at_least=0.0,
        otherwise="weak",
        violated="the held-out loss of a null is as low",
        measured_by="fit",
    ),
    Rule(
        name="generalisation",
        question="Does the fit hold on held-out bins?",
        at_least=0.25,
        otherwise="weak",
        violated="only {value:.0%} of the drop of the training loss below chance holds on held-out bins",
        measured_by="fit",
    ),
    Rule(
        name="still_falling",
        question="Has training settled?",
        at_most=0.15,
        otherwise="weak",
        violated="the loss still falls ({value:.0%} of its drop below chance in the last fifth of the steps): "
        "train for more steps",
        measured_by="fit",
    ),
    Rule(
        name="leak",
        question="Is the block no copy of other latents?",
        at_most=MOST_LEAK,
        otherwise="weak",
        violated="the other latents carry the same as the block (leak {value:.2f})",
        measured_by="block",
    ),
    Rule(
        name="linear_leak",
        question="Is the block no linear copy of other latents?",
        at_most=MOST_LEAK,
        otherwise="weak",
        violated="the block is a linear copy of other latents (leak {value:.2f})",
        measured_by="block",
    ),
    Rule(
        name="mixing",
        question="Do the other latents also vary without the block?",
        at_most=0.8,
        otherwise="weak",
        violated="the other latents vary with the label along their own directions ({value:.2f}): units that carry "
        "something else enter the map",
        measured_by="block",
    ),
    Rule(
        name="effective_rank",
        question="Does the inverse keep a direction of the block?",
        at_least=0.5,
        otherwise="not identifiable",
        violated="the inverse keeps {value:.1f} directions of the block: the map is made of noise",
        measured_by="map",
    ),
    Rule(
        name="rank_of_dimensions",
        question="Does the inverse keep a direction for every dimension of the label?",
        at_least=0.5,
        otherwise="weak",
        violated="the inverse keeps {value:.1f} directions for each dimension of the label",
        measured_by="map",
    ),
    Rule(
        name="idle_directions",
        question="Does the inverse keep only directions along which the block varies?",
        at_most=1.25,
        otherwise="weak",
        violated="the inverse keeps {value:.2f} times the directions along which the block varies: the rest is noise",
        measured_by="map",
    ),
    Rule(
        name="usable_bins",
        question="Do most bins have a gradient?",
        at_least=0.5,
        otherwise="not identifiable",
        violated="only {value:.0%} of the bins have a gradient (saturated outputs)",
        measured_by="map",
    ),
    Rule(
        name="saturated_outputs",
        question="Do few of the block's outputs lie at the clip?",
        at_most=0.25,
        otherwise="weak",
        violated="{value:.0%} of the block's outputs are clipped and have no gradient",
        measured_by="block",
    ),
    Rule(
        name="shared_explained",
        question="Are there enough latents for the variance that units share?",
        at_least=0.5,
        otherwise="weak",
        violated="the latents explain only {value:.0%} of the variance that units share: use more outputs or steps",
        measured_by="activity",
    ),
    Rule(
        name="aliasing",
        question="Does the block tell far values of the label apart?",
        at_most=0.2,
        otherwise="weak",
        violated="values of the label that are far apart look the same to the encoder in {value:.0%} of the bins",
        measured_by="block",
    ),
    Rule(
        name="lost_by_encoder",
        question="Does the block keep the code that the activity holds?",
        at_most=0.3,
        otherwise="weak",
        violated="the activity itself decodes the label better than the block, by {value:.2f}",
        measured_by="activity",
    ),
    Rule(
        name="methods_agree",
        question="Do the inverse and the neuron gradient give the same map?",
        at_least=0.5,
        otherwise="weak",
        violated="the inverse and the neuron gradient disagree ({value:.2f})",
        measured_by="map",
    ),
    Rule(
        name="step_size",
        question="Are the steps to positives small against the label's range?",
        at_most=0.7,
        otherwise="weak",
        violated="steps to positives are {value:.1f} standard deviations of the label: a positive is like any bin",
        measured_by="steps",
    ),
    Rule(
        name="step_anisotropy",
        question="Are the steps to positives alike in every direction?",
        at_most=25.0,
        otherwise="weak",
        violated="the steps to positives are unequal (variances {value:.0f} to 1 over directions): short ones dominate",
        measured_by="steps",
    ),
    Rule(
        name="step_leaps",
        question="Are the steps to positives free of leaps?",
        at_most=0.5,
        otherwise=None,
        violated="{value:.0%} of the variance of the steps to positives comes from leaps",
        measured_by="steps",
    ),
    Rule(
        name="step_by_place",
        question="Are the label's own steps equally long at all its values?",
        at_most=0.5,
        otherwise=None,
        violated="the length of the label's own steps depends on its value (R² {value:.2f})",
        measured_by="steps",
    ),
    Rule(
        name="independent_samples",
        question="Does the label come back often enough to be told from a drift?",
        at_least=10.0,
        otherwise="weak",
        violated="the label has too few independent samples ({value:.0f}): it can hardly be told from a drift",
        measured_by="course",
    ),
    Rule(
        name="fewest_visits",
        question="Was every class visited several times?",
        at_least=3,
        otherwise="weak",
        violated="a class has too few visits ({value:.0f}): it cannot be told from the time of the visit",
        measured_by="classes",
    ),
    Rule(
        name="rarest_class",
        question="Is every class seen often enough to be learnt?",
        at_least=0.02,
        otherwise="weak",
        violated="the rarest class has only {value:.1%} of the bins",
        measured_by="classes",
    ),
    Rule(
        name="covered",
        question="Did training see the values that are held out?",
        at_least=0.9,
        otherwise="weak",
        violated="only {value:.0%} of the held-out bins have a label like one that training saw",
        measured_by="course",
    ),
    Rule(
        name="penalty",
        question="Is the encoder's Jacobian penalised?",
        at_least=1e-06,
        otherwise=None,
        violated="the Jacobian is not penalised: only noise in the activity determines the map",
        measured_by="training",
    ),
)


@dataclass(frozen=True)
class Condition:
    """A rule applied to one label, as assessment.json holds it.

    Attributes:
        name: of the rule.
        question: of the rule.
        value: the number; NaN where it does not apply or cannot be known.
        least: whether the number must be at least the threshold, rather than at most.
        threshold: the number at which the condition just holds.
        holds: whether the condition holds; None where the number is NaN.
        otherwise: the best verdict that is left when it does not hold; None if it costs nothing.
        says: the result in words.
    """

    name: str
    question: str
    value: float
    least: bool
    threshold: float
    holds: bool | None
    otherwise: Verdict | None
    says: str


def judge(rules: Iterable[Rule], numbers: Mapping[str, float]) -> tuple[Condition, ...]:
    """Return the condition of every rule.

    Args:
        rules: the rules to apply.
        numbers: the number of each rule by its name, NaN where it does not apply.

    >>> leak = [rule for rule in RULES if rule.name == "leak"]
    >>> [condition.says for condition in judge(leak, {"leak": 0.95})]
    ['the other latents carry the same as the block (leak 0.95)']
    >>> [condition.holds for condition in judge(leak, {"leak": math.nan})]
    [None]
    """
    return tuple(_judged(rule, float(numbers[rule.name])) for rule in rules)


def _judged(rule: Rule, value: float) -> Condition:
    holds = None if math.isnan(value) else value >= rule.threshold if rule.least else value <= rule.threshold
    says = {None: "does not apply, or is not known", True: "holds"}.get(holds, rule.violated.format(value=Shown(value)))
    return Condition(rule.name, rule.question, value, rule.least, rule.threshold, holds, rule.otherwise, says)


def violations(conditions: Iterable[Condition], otherwise: Verdict | None) -> list[str]:
    """Return the sentences of violated conditions with one cost.

    Args:
        conditions: the conditions of a label.
        otherwise: the best verdict that the violated conditions leave.

    >>> leak = judge([rule for rule in RULES if rule.name == "leak"], {"leak": 0.95})
    >>> violations(leak, "weak"), violations(leak, "not identifiable")
    (['the other latents carry the same as the block (leak 0.95)'], [])
    """
    return [condition.says for condition in conditions if condition.holds is False and condition.otherwise == otherwise]
