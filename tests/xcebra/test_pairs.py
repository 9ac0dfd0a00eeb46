"""Positive pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import cKDTree
from scipy.special import ive

from tests.support.label_spaces import SPACES, unit
from xcebra_nwb.training.design.nulls import LEAST_SHIFT, draw_shifts, reversed_order, shifted_order, trial_order
from xcebra_nwb.xcebra.sampling.groups import Groups, distinct_rows
from xcebra_nwb.xcebra.sampling.label_increments import (
    NormalIncrements,
    RecordedIncrements,
    VonMisesFisherIncrements,
    VonMisesIncrements,
    label_increments,
    step_scale,
)
from xcebra_nwb.xcebra.sampling.neighbours import TURN, Neighbours
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, NearPairs, TimePairs
from xcebra_nwb.xcebra.sampling.windows import (
    HELD_OUT,
    NEITHER,
    TRAIN,
    runs,
    split_bins,
    successors,
    usable_bins,
    window_offsets,
)

SEGMENTS = hnp.arrays(np.int64, st.integers(1, 80), elements=st.integers(-1, 3)).map(
    lambda a: np.where(a < 0, -1, np.r_[0, np.cumsum(np.diff(a) != 0)])
)


@given(SEGMENTS, st.integers(1, 12), st.integers(1, 5))
def test_windows_and_time_pairs_never_cross_a_segment(segment: np.ndarray, window: int, offset: int) -> None:
    bins = np.flatnonzero(usable_bins(segment, window))
    for centre in bins:
        covered = segment[centre + window_offsets(window)]
        assert (covered == covered[0]).all()
        assert covered[0] >= 0
    following = successors(runs(bins, segment), offset)
    paired = np.flatnonzero(following >= 0)
    assert (bins[following[paired]] - bins[paired] == offset).all()
    assert (segment[bins[following[paired]]] == segment[bins[paired]]).all()


@given(SEGMENTS, st.integers(1, 4))
def test_label_steps_never_cross_a_segment(segment: np.ndarray, delta: int) -> None:
    bins = np.flatnonzero(usable_bins(segment, 1))
    values = (100.0 * segment[bins] + bins)[:, None]  # a step within a segment is delta, across one it is far more
    steps = label_increments(values, runs(bins, segment), delta, circular=False)
    assert (steps == delta).all()


@given(SEGMENTS, st.integers(1, 12))
def test_every_window_that_fits_is_used(segment: np.ndarray, window: int) -> None:
    expected = np.zeros(len(segment), dtype=bool)
    for centre in range(len(segment)):
        covered = centre + window_offsets(window)
        if covered[0] >= 0 and covered[-1] < len(segment):
            expected[centre] = len(set(segment[covered])) == 1 and segment[centre] >= 0
    np.testing.assert_array_equal(usable_bins(segment, window), expected)


@pytest.mark.slow
@given(st.integers(10, 300), st.floats(0.05, 0.5), st.integers(1, 5), st.integers(0, 9))
def test_training_keeps_away_from_what_is_held_out(bins: int, share: float, blocks: int, guard: int) -> None:
    split = split_bins(np.ones(bins, dtype=bool), share, blocks, guard)
    train, held_out = np.flatnonzero(split == TRAIN), np.flatnonzero(split == HELD_OUT)
    if len(train) and len(held_out):
        assert np.abs(train[:, None] - held_out).min() > guard
    assert abs(len(held_out) - share * bins) <= blocks


def test_held_out_bins_are_contiguous_stretches() -> None:
    split = split_bins(np.ones(1000, dtype=bool), 0.2, 5, 10)
    borders = np.flatnonzero(np.diff((split == HELD_OUT).astype(int)) == 1)
    assert len(borders) == 5
    assert (split == HELD_OUT).sum() == 200
    assert (split == NEITHER).sum() == 100


@pytest.mark.parametrize("space", SPACES)
@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 40), classes=st.integers(1, 4))
def test_the_nearest_sample_is_the_nearest_of_its_class(space: str, seed: int, samples: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    made, distance = SPACES[space]
    values, targets, codes = made(rng, samples), made(rng, 30), rng.integers(classes, size=samples)
    asked = rng.choice(codes, size=30)
    neighbours = Neighbours.of(values, circular=space == "circle", classes=codes)
    found = neighbours.draw(targets.reshape(5, 6, -1), asked.reshape(5, 6), rng).reshape(-1)
    np.testing.assert_array_equal(codes[found], asked)
    every = np.where(codes == asked[:, None], distance(targets[:, None], values[None]), np.inf)
    np.testing.assert_allclose(distance(targets, values[found]), every.min(axis=1), atol=1e-7)
    np.testing.assert_array_equal(neighbours.occurs(np.arange(5)), np.isin(np.arange(5), codes))


@pytest.mark.parametrize("circular", [False, True])
@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 60))
def test_along_one_axis_the_order_of_labels_says_what_a_tree_would(circular: bool, seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.uniform(0, TURN, size=(samples, 1))
    targets = rng.uniform(0, TURN, size=(5, 40, 1)) if circular else rng.normal(3, 3, size=(5, 40, 1))
    (search,) = (own := Neighbours.of(labels, circular)).searches
    _, expected = cKDTree(own.labels, boxsize=TURN if circular else None).query(targets)
    np.testing.assert_array_equal(search.nearest(targets), expected)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.integers(-2, 2)))
def test_distinct_rows_are_in_order_and_know_their_rows(rows: np.ndarray) -> None:
    found, number = distinct_rows(rows)
    expected, inverse = np.unique(rows, axis=0, return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(number, inverse.reshape(-1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_mixed_positive_has_the_class_and_is_nearest_to_the_moved_label(seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    values, codes = rng.normal(size=(samples, 2)), rng.integers(3, size=samples)
    rule = NearPairs.of(values, RecordedIncrements(np.array([[0.5, -0.25]])), classes=codes)
    references = np.arange(samples)
    apart = np.linalg.norm(values[:, None] + [0.5, -0.25] - values[None], axis=-1)
    expected = np.where(codes[:, None] == codes, apart, np.inf).argmin(axis=1)
    np.testing.assert_array_equal(rule.draw(references, rng), expected)


def test_without_classes_a_positive_is_the_nearest_of_all_samples() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 2))
    rule = NearPairs.of(values, RecordedIncrements(np.array([[0.5, -0.25]])))
    expected = np.linalg.norm(values[:, None] + [0.5, -0.25] - values[None], axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(rule.draw(np.arange(200), rng), expected)


def test_angles_are_near_across_the_wrap() -> None:
    values = np.array([[0.05], [np.pi], [-0.05 + 4 * np.pi]])
    rule = NearPairs.of(values, RecordedIncrements(np.array([[-0.1]])), circular=True)
    assert rule.draw(np.array([0]), np.random.default_rng(0)).tolist() == [2]
    steps = label_increments(np.array([[3.1], [-3.1]]), np.zeros(2, dtype=np.int64), 1, circular=True)
    np.testing.assert_allclose(steps, [[2 * np.pi - 6.2]])


@pytest.mark.parametrize("classes", [None, np.r_[np.zeros(25, int), np.ones(26, int)]], ids=["alone", "mixed"])
def test_equal_labels_are_drawn_from_alike(classes: np.ndarray | None) -> None:
    values = np.array([[0.0]] * 50 + [[9.0]])
    rule = NearPairs.of(values, RecordedIncrements(np.array([[0.0]])), classes=classes)
    drawn = np.bincount(rule.draw(np.zeros(5000, dtype=np.int64), np.random.default_rng(0)), minlength=51)
    near = 50 if classes is None else 25
    assert drawn[near:].sum() == 0
    assert 0.5 < drawn[:near].min() * near / 5000 <= drawn[:near].max() * near / 5000 < 1.5


@pytest.mark.parametrize("kappa", [0.5, 20.0, 1e6])
@pytest.mark.parametrize("axes", [2, 3])
def test_steps_on_a_sphere_are_von_mises_fisher_around_every_label(axes: int, kappa: float) -> None:
    rng = np.random.default_rng(0)
    labels = unit(rng.normal(size=(3, axes)))
    labels[0] = np.eye(axes)[0]  # the pole itself
    drawn = VonMisesFisherIncrements(kappa).moved(np.repeat(labels[:, None], 4000, axis=1), rng)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=-1), 1, atol=1e-12)
    order = axes / 2 - 1  # Mardia and Jupp, Directional Statistics, 2000, eq. 10.3.20
    length = ive(order + 1, kappa) / ive(order, kappa)
    np.testing.assert_allclose(drawn.mean(axis=1), length * labels, atol=0.05 * np.sqrt(1 - length**2) + 1e-9)


def test_steps_on_the_circle_are_von_mises_around_the_angle() -> None:
    angles = np.full((20_000, 1), 6.2)
    moved = VonMisesIncrements(4.0).moved(angles, np.random.default_rng(0)) - 6.2
    assert np.cos(moved).mean() == pytest.approx(ive(1, 4.0) / ive(0, 4.0), abs=0.005)
    assert np.sin(moved).mean() == pytest.approx(0, abs=0.01)


def test_normal_steps_are_alike_along_all_axes() -> None:
    moved = NormalIncrements(0.3).moved(np.tile([5.0, -2.0], (20_000, 1)), np.random.default_rng(0))
    np.testing.assert_allclose(moved.mean(axis=0), [5, -2], atol=0.01)
    np.testing.assert_allclose(np.cov(moved.T), 0.09 * np.eye(2), atol=0.004)


def walk(samples: int, step: list[float], rng: np.random.Generator) -> np.ndarray:
    """A walk along two axes in steps of ``step``, mirrored at walls 100 and 20 steps apart."""
    path, walls = np.cumsum(rng.normal(size=(samples, 2)), axis=0), np.array([100, 20])
    return (walls - np.abs(np.mod(path, 2 * walls) - walls)) * step


def scaled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``values`` and their steps, in the space in which the nearest sample is looked for."""
    increments = label_increments(values, np.zeros(len(values), np.int64), 1, circular=False)
    scale = step_scale(values, increments)
    return values / scale, increments / scale


@given(st.lists(st.sampled_from([2.0**-10, 1.0, 2.0**7]), min_size=2, max_size=2), st.integers(0, 99))
def test_the_unit_of_an_axis_changes_no_positive(units: list[float], seed: int) -> None:
    values = walk(300, [1.0, 1.0], np.random.default_rng(seed))
    plain, other = (
        NearPairs.of(points, RecordedIncrements(steps)).draw(np.arange(300), np.random.default_rng(1))
        for points, steps in (scaled(values), scaled(values * units))
    )
    np.testing.assert_array_equal(plain, other)


def test_a_narrow_axis_is_matched_as_well_as_a_long_one() -> None:
    rng = np.random.default_rng(0)
    values = walk(4000, [0.02, 0.001], rng)  # m: a track of 2 m by 2 cm
    points, steps = scaled(values)
    wanted = RecordedIncrements(steps).moved(points, rng)
    inside = ((wanted > points.min(axis=0)) & (wanted < points.max(axis=0))).all(axis=1)
    matched = points[Neighbours.of(points).draw(wanted, np.zeros(len(wanted), np.int64), rng)]
    x, y = np.sqrt(((matched - wanted)[inside] ** 2).mean(axis=0))  # in steps of the axis
    assert x == pytest.approx(y, rel=0.15)
    assert x < 0.5


def test_an_axis_that_never_moves_within_a_run_is_scaled_by_its_spread() -> None:
    values = np.array([[1.0, 0.0, 7.0], [1.0, 3.0, 7.0], [5.0, 0.0, 7.0], [5.0, 3.0, 7.0]])
    steps = label_increments(values, np.array([0, 0, 1, 1]), 1, circular=False)
    np.testing.assert_allclose(step_scale(values, steps), [2, 3, 1])


@given(hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 4)), st.integers(0, 9))
def test_discrete_positives_are_of_the_same_class(codes: np.ndarray, seed: int) -> None:
    references = np.arange(len(codes))
    positive = DiscretePairs(Groups.of(codes)).draw(references, np.random.default_rng(seed))
    np.testing.assert_array_equal(codes[positive], codes)


def test_the_time_rule_returns_the_successor() -> None:
    rule = TimePairs(np.array([1, 2, -1]))
    assert rule.draw(np.array([0, 1]), np.random.default_rng(0)).tolist() == [1, 2]


@given(st.integers(20, 5000), st.integers(0, 40), st.integers(0, 99))
def test_nulls_are_never_shifted_by_less_than_a_tenth(samples: int, count: int, seed: int) -> None:
    shifts = draw_shifts(samples, count, np.random.default_rng(seed))
    assert len(shifts) == count
    least = LEAST_SHIFT * samples
    assert ((shifts >= least) & (shifts <= samples - least)).all()


def test_a_shift_moves_labels_in_a_circle() -> None:
    assert shifted_order(5, 2).tolist() == [3, 4, 0, 1, 2]
    assert reversed_order(5, 1).tolist() == [0, 4, 3, 2, 1]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(0, 99))
def test_trials_are_dealt_out_whole_and_keep_their_own_timing(lengths: list[int], seed: int) -> None:
    trial = np.repeat(np.arange(len(lengths)), lengths)
    source = np.random.default_rng(seed).permutation(len(lengths))
    order = trial_order(trial, source)
    np.testing.assert_array_equal(trial[order], source[trial])
    assert all((np.diff(order[trial == t]) >= 0).all() for t in range(len(lengths)))


def test_a_trial_of_the_same_length_gives_its_course_as_it_is() -> None:
    trial = np.array([0, 0, 0, 1, 1, 1, 2])
    assert trial_order(trial, np.array([1, 2, 0])).tolist() == [3, 4, 5, 6, 6, 6, 0]
