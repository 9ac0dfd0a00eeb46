"""Positive pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xcebra_nwb.xcebra.nulls import LEAST_SHIFT, draw_shifts, reversed_order, shifted_order, trial_order
from xcebra_nwb.xcebra.pairs import DiscretePairs, Groups, TimeDeltaPairs, TimePairs, label_increments, successors
from xcebra_nwb.xcebra.windows import HELD_OUT, NEITHER, TRAIN, runs, split_bins, usable_bins, window_offsets

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


def test_a_time_delta_positive_is_the_nearest_sample_to_the_moved_label() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 2))
    rule = TimeDeltaPairs.of(values, np.array([[0.5, -0.25]]), circular=False)
    references = np.arange(200)
    expected = np.linalg.norm(values[:, None] + [0.5, -0.25] - values[None], axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(rule.draw(references, rng), expected)


def test_angles_are_near_across_the_wrap() -> None:
    values = np.array([[0.05], [np.pi], [-0.05 + 4 * np.pi]])
    rule = TimeDeltaPairs.of(values, np.array([[-0.1]]), circular=True)
    assert rule.draw(np.array([0]), np.random.default_rng(0)).tolist() == [2]
    steps = label_increments(np.array([[3.1], [-3.1]]), np.zeros(2, dtype=np.int64), 1, circular=True)
    np.testing.assert_allclose(steps, [[2 * np.pi - 6.2]])


def test_equal_labels_are_drawn_from_alike() -> None:
    values = np.array([[0.0]] * 50 + [[9.0]])
    rule = TimeDeltaPairs.of(values, np.array([[0.0]]), circular=False)
    drawn = rule.draw(np.zeros(2000, dtype=np.int64), np.random.default_rng(0))
    assert set(drawn) == set(range(50))


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
