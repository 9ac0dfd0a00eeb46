"""The conditions that the theory needs: their numbers on data whose truth is known, and what follows from them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from tests.support.conditions import conditions
from tests.support.paths import DOCS
from xcebra_nwb.assess import verdict as verdicts
from xcebra_nwb.assess.activity import explained_sharing, shared_variance, window_features
from xcebra_nwb.assess.aliasing import aliased_share, two_groups
from xcebra_nwb.assess.conditions import NOTED, RULES
from xcebra_nwb.assess.fit import fit_of
from xcebra_nwb.assess.identifiability import leak, linear_leak, mixing, saturated_share, spanned_directions
from xcebra_nwb.assess.label_course import (
    covered_share,
    fewest_visits,
    independent_samples,
    kernel_statistics,
    steps_by_value,
)
from xcebra_nwb.assess.verdict import Evidence, verdict
from xcebra_nwb.core.session import label_features

GOOD = Evidence(score=0.4, null_scores=(-0.2, -0.1, 0.02), consistency=0.8, carriers=12, units=31)
DOCUMENT = (DOCS / "reference" / "verdicts.md").read_text(encoding="utf-8")
SAMPLES = np.arange(2000)
TRAIN, TEST = SAMPLES[SAMPLES % 500 < 400], SAMPLES[SAMPLES % 500 >= 420]


def walk(rng: np.random.Generator, axes: int = 1, step: float = 0.1, samples: int = len(SAMPLES)) -> np.ndarray:
    """A walk between two walls, (sample, axis) in [-1, 1]."""
    free = np.cumsum(rng.normal(scale=step, size=(samples, axes)), axis=0)
    return np.abs((free - 1) % 4 - 2) - 1


# What follows from them.


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_number_beyond_its_threshold_costs_what_its_rule_says(rule) -> None:  # type: ignore[no-untyped-def]
    assert verdict(GOOD, conditions())[0] == "supported"
    beyond = rule.threshold - 0.1 if rule.least else rule.threshold + 0.1
    broken = conditions(**{rule.name: beyond})
    found, because = verdict(GOOD, broken)
    assert found == (rule.otherwise or "supported")
    said = next(c for c in broken if c.name == rule.name)
    assert said.holds is False and "{" not in said.says
    assert (said.says in because) == (rule.otherwise is not None)


def test_what_does_not_apply_costs_nothing() -> None:
    unknown = conditions(**dict.fromkeys((rule.name for rule in RULES), float("nan")))
    assert {c.holds for c in unknown} == {None}
    assert verdict(GOOD, unknown)[0] == "supported"


@given(st.sets(st.sampled_from([rule.name for rule in RULES])))
def test_more_that_is_broken_never_makes_a_better_verdict(names: set[str]) -> None:
    beyond = {r.name: r.threshold + (-1 if r.least else 1) for r in RULES if r.name in names}
    order = ["supported", "weak", "not identifiable"]
    whole = order.index(verdict(GOOD, conditions(**beyond))[0])
    assert all(order.index(verdict(GOOD, conditions(**{n: v}))[0]) <= whole for n, v in beyond.items())


def test_a_label_at_chance_that_the_loss_sees_is_not_called_not_encoded() -> None:
    chance = Evidence(score=-0.1, null_scores=(-0.2, -0.1, 0.02), consistency=0.8, carriers=0, units=31)
    assert verdict(chance, conditions())[0] == "not encoded"
    folded = conditions(aliasing=0.8, loss_gain_over_nulls=0.2)
    found, because = verdict(chance, folded)
    assert found == "not identifiable" and "80 %" in because.replace("\xa0", " ")
    assert verdict(chance, conditions(aliasing=0.8))[0] == "not encoded"


def test_the_document_names_every_threshold_with_its_value() -> None:
    documented = {name: float(value) for name, value in re.findall(r"`((?:LEAST|MOST)_\w+)` \(([\d.e-]+)\)", DOCUMENT)}
    known = {name: float(value) for name, value in vars(verdicts).items() if name.startswith(("LEAST_", "MOST_"))}
    assert documented == known


def test_the_document_lists_every_condition_in_order_with_what_it_costs() -> None:
    _, conditions_table = DOCUMENT.split("| condition | number | threshold | why | costs |")
    row = r"^\| `(\w+)` \|.*?\| (at \w+) ([\d.e-]+) \|.*\| (\S[^|]*?) \|$"
    rows = re.findall(row, conditions_table, flags=re.MULTILINE)
    listed = [(name, limit, float(threshold), costs.strip("*")) for name, limit, threshold, costs in rows]
    limits = ["at least" if rule.least else "at most" for rule in RULES]
    table = [(r.name, limit, r.threshold, r.otherwise or NOTED) for r, limit in zip(RULES, limits, strict=True)]
    assert listed == table


def test_every_rule_has_one_threshold() -> None:
    assert all((rule.at_least is None) != (rule.at_most is None) for rule in RULES)


# The fit.


def test_losses_become_shares_of_the_way_below_chance() -> None:
    course = np.r_[np.full(80, 3.0), np.full(20, 2.0)][None]
    fit = fit_of(course, held_out=np.array([3.0]), nulls=np.array([3.5, 4.0]), chance=4.0)
    assert (fit.gain, fit.gain_over_nulls) == pytest.approx((0.25, 0.125))
    assert (fit.generalisation, fit.still_falling) == pytest.approx((0.5, 0.5))


def test_a_loss_that_never_went_below_chance_has_gone_no_way() -> None:
    fit = fit_of(np.full((2, 50), 4.2), np.array([4.3, 4.1]), np.array([]), chance=4.0)
    assert fit.gain < 0
    assert np.isnan([fit.generalisation, fit.still_falling, fit.gain_over_nulls]).all()


# The block.


def test_a_linear_copy_among_many_latents_is_a_leak_that_neighbours_miss() -> None:
    rng = np.random.default_rng(0)
    block, noise = walk(rng), rng.normal(scale=3.0, size=(len(SAMPLES), 12))
    latents = np.hstack([block, noise[:, :11], noise[:, :11].sum(axis=1, keepdims=True) + block])
    assert linear_leak(latents, 0, 1, TRAIN, TEST) > 0.99
    assert leak(latents, 0, 1, TRAIN, TEST) < 0.5
    assert np.isnan(linear_leak(block, 0, 1, TRAIN, TEST))


def test_a_block_within_a_block_is_judged_against_the_rest_of_the_larger_one() -> None:
    rng = np.random.default_rng(1)
    inner, free = walk(rng), walk(rng)
    latents = np.hstack([inner, inner + 0.01 * rng.normal(size=inner.shape), free])  # inner [0, 1], outer [0, 2]
    assert leak(latents, 0, 1, TRAIN, TEST) > 0.9
    assert leak(latents, 0, 2, TRAIN, TEST) < 0.2


def test_a_copy_of_the_label_is_no_mixing_but_a_shared_direction_is() -> None:
    rng = np.random.default_rng(12)
    label, other = walk(rng), walk(rng)
    assert mixing(np.hstack([label, label + 0.01 * rng.normal(size=label.shape), other]), 0, 1, TRAIN, TEST) < 0.1
    assert mixing(np.hstack([label, 3 * label + other]), 0, 1, TRAIN, TEST) > 0.8
    assert np.isnan(mixing(label, 0, 1, TRAIN, TEST))


def test_latents_that_hardly_vary_are_not_spanned() -> None:
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, 500)
    circle = np.c_[np.cos(angle), np.sin(angle)]
    assert spanned_directions(np.c_[circle, 0.01 * rng.normal(size=500)]) == 2
    assert spanned_directions(circle[:, :1]) == 1


def test_only_a_clip_saturates() -> None:
    block = np.array([[-2.0, 0.5], [1.0, 2.0]])
    assert saturated_share(block, 2.0) == 0.5
    assert saturated_share(block, None) == 0.0


# Enough latents.


def test_what_latents_leave_out_is_still_shared_by_the_units() -> None:
    rng = np.random.default_rng(3)
    latents = walk(rng, axes=3)
    activity = np.tanh(latents @ rng.normal(size=(3, 30))) + 0.3 * rng.normal(size=(len(SAMPLES), 30))
    whole = explained_sharing(latents, activity, np.arange(len(activity)), TRAIN, TEST, rng)
    part = explained_sharing(latents[:, :1], activity, np.arange(len(activity)), TRAIN, TEST, rng)
    assert whole > 0.9
    assert part < 0.6


def test_units_that_have_nothing_in_common_share_nothing() -> None:
    rng = np.random.default_rng(4)
    alone = walk(rng, axes=10)
    assert shared_variance(alone[TEST], rng) < 0.35 * np.trace(np.cov(alone[TEST], rowvar=False))
    noise = rng.normal(size=(len(SAMPLES), 10))
    assert shared_variance(noise, rng) < 0.05 * np.trace(np.cov(noise, rowvar=False))


# The window.


def test_neighbours_of_a_folded_label_fall_into_two_groups_and_those_of_a_noisy_one_do_not() -> None:
    rng = np.random.default_rng(5)
    label = walk(rng)
    targets = label / label.std()
    folded = np.abs(label) + 0.01 * rng.normal(size=label.shape)
    noisy = label + 0.5 * rng.normal(size=label.shape)
    assert aliased_share(folded, targets, TRAIN, TEST) > 0.3
    assert aliased_share(noisy, targets, TRAIN, TEST) < 0.02
    assert aliased_share(label, targets, TRAIN, TEST) == 0.0
    assert aliased_share(rng.normal(size=label.shape), targets, TRAIN, TEST) < 0.02


def test_two_groups_are_as_wide_and_as_far_apart_as_they_were_made() -> None:
    low, high = np.linspace(-0.1, 0.1, 10), 3 + np.linspace(-0.1, 0.1, 10)
    line = np.r_[low, high][:, None] * np.array([[0.6, 0.8]])  # along a slanted axis
    width, distance = two_groups(line[None])
    assert distance == pytest.approx([3.0])
    assert width == pytest.approx([low.std()])


def test_a_window_is_described_by_all_its_bins() -> None:
    rng = np.random.default_rng(6)
    inputs = rng.normal(size=(500, 30))
    bins = np.arange(5, 495)
    features = window_features(inputs, bins, 10, bins[:300], 300)
    assert features.shape == (490, 20)
    assert window_features(inputs[:, :3], bins, 1, bins[:300], 300).shape == (490, 3)
    later = inputs.copy()
    later[bins[400] + 3] += 10.0  # seen by the windows around ten bins, none of which the components were taken from
    changed = np.flatnonzero((window_features(later, bins, 10, bins[:300], 300) != features).any(axis=1))
    np.testing.assert_array_equal(changed, 403 + np.arange(-4, 6))


# The label's steps.


def steps_of(values: np.ndarray, steps: np.ndarray | None = None, circular: bool = False):  # type: ignore[no-untyped-def]
    """The statistics of the steps that ``values`` take, or of ``steps``, where positives are drawn by them."""
    return kernel_statistics(values[:-1], values[:-1] + (np.diff(values, axis=0) if steps is None else steps), circular)


def test_steps_are_measured_against_the_labels_spread() -> None:
    rng = np.random.default_rng(7)
    assert steps_of(rng.normal(size=(5000, 2))).size == pytest.approx(np.sqrt(2), abs=0.1)
    slow = walk(rng, step=0.02)
    assert steps_of(slow).size == pytest.approx(0.02 / slow.std(), rel=0.1)
    turning = np.cumsum(rng.normal(scale=0.1, size=(len(SAMPLES), 1)), axis=0) % (2 * np.pi)
    assert steps_of(turning, circular=True).size == pytest.approx(0.1 * np.sqrt(3) / np.pi, rel=0.1)


def test_steps_are_the_same_in_every_direction_or_not() -> None:
    rng = np.random.default_rng(8)
    even, along = rng.normal(size=(len(SAMPLES) - 1, 2)), rng.normal(size=(len(SAMPLES) - 1, 1))
    values = walk(rng, axes=2)
    assert steps_of(values, 0.1 * even).anisotropy < 1.3
    assert steps_of(values, 0.1 * (even + 7 * along)).anisotropy == pytest.approx(99, rel=0.2)


def test_a_jump_is_a_leap_and_an_axis_that_stands_still_counts_for_nothing() -> None:
    values = walk(np.random.default_rng(9), step=0.02)
    assert steps_of(values).leaps == 0.0
    with_jump = values + 5.0 * (SAMPLES[:, None] >= 1000)
    assert steps_of(with_jump).leaps > 0.9
    assert steps_of(np.hstack([values, np.ones_like(values)])).size == pytest.approx(steps_of(values).size)
    nothing = steps_of(np.ones((100, 1)))
    assert np.isnan([nothing.size, nothing.anisotropy, nothing.leaps]).all()


def test_steps_that_depend_on_the_place_are_seen() -> None:
    rng = np.random.default_rng(10)
    follows = np.ones(len(SAMPLES) - 1, bool)
    place = np.sin(SAMPLES / 20)
    uneven = (place + np.where(place > 0, 0.3, 0.003) * rng.normal(size=len(SAMPLES)))[:, None]
    assert steps_by_value(uneven, follows, "continuous") > 0.2
    assert steps_by_value(walk(rng), follows, "continuous") < 0.1
    assert np.isnan(steps_by_value(uneven, ~follows, "continuous"))


# Its visits.


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_independent_samples_of_an_autoregression(memory: float) -> None:
    values = lfilter([1.0], [1.0, -memory], np.random.default_rng(11).normal(size=200_000))
    expected = len(values) * (1 - memory) / (1 + memory)
    assert independent_samples(values[:, None]) == pytest.approx(expected, rel=0.15)


def test_a_drift_is_worth_hardly_a_sample() -> None:
    assert independent_samples(np.linspace(0, 1, 1000)[:, None]) < 10
    assert independent_samples(np.ones((100, 1))) == 1.0


def test_visits_are_counted_where_a_class_is_entered() -> None:
    assert fewest_visits(np.array([0, 0, 1, 1, 0, 1, 1, 2, 2, 2])) == 1
    assert fewest_visits(np.array([0, 1] * 5)) == 5


@pytest.mark.parametrize("kind", ["continuous", "circular", "discrete"])
def test_held_out_values_that_training_never_saw_are_not_covered(kind: str) -> None:
    values = {"continuous": SAMPLES[:, None] / 1000, "circular": SAMPLES[:, None] / 1000, "discrete": SAMPLES // 500}
    targets = label_features(values[kind], kind)
    assert covered_share(targets, SAMPLES[::2], SAMPLES[1::2]) == 1.0
    assert covered_share(targets, SAMPLES[:500], SAMPLES[1500:]) == 0.0
