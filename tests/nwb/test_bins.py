"""The bin grid, counts, resampling and masks, on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.nwb.bins import masks, resample
from xcebra_nwb.nwb.bins.grid import Grid, bin_width, common_range, make_grid
from xcebra_nwb.nwb.labels.sampled_label import standing_still
from xcebra_nwb.nwb.reading.intervals import merged
from xcebra_nwb.nwb.reading.series import Samples
from xcebra_nwb.nwb.reading.times import gaps, outliers, restarts, sample_period

GRID = Grid(start=1.0, width=0.5, count=4)  # [1, 1.5) [1.5, 2) [2, 2.5) [2.5, 3)


@given(
    spikes=st.lists(st.floats(-10, 10), max_size=60),
    start=st.floats(-5, 5),
    width=st.floats(0.01, 2),
    count=st.integers(1, 50),
)
def test_counts_add_up_to_the_spikes_inside(spikes: list[float], start: float, width: float, count: int) -> None:
    grid = Grid(start, width, count)
    times = np.sort(np.array(spikes, dtype=float))
    inside = (times >= grid.edges[0]) & (times < grid.edges[-1])
    counts = grid.count_events(times)
    assert counts.shape == (count,)
    assert counts.sum() == inside.sum()


def test_bins_are_half_open() -> None:
    assert GRID.count_events(np.array([0.99, 1.0, 1.5, 1.5, 2.99, 3.0])).tolist() == [1, 2, 0, 1]
    assert GRID.centres.tolist() == [1.25, 1.75, 2.25, 2.75]


def test_automatic_bin_width_follows_slow_neural_data() -> None:
    assert bin_width("auto", []) == 0.05
    assert bin_width("auto", [0.01]) == 0.05
    assert bin_width("auto", [0.1, None]) == 0.1
    assert bin_width(0.2, [0.1]) == 0.2
    with pytest.raises(UsageError, match="shorter than the sample period"):
        bin_width(0.05, [0.1])


def test_sampled_data_sit_at_bin_centres() -> None:
    times = 0.05 + 0.1 * np.arange(30)
    grid = make_grid((0.32, 2.9), 0.1, times, 0.1)
    assert np.allclose(grid.centres[:3], [0.45, 0.55, 0.65])


def test_no_common_time_is_refused() -> None:
    with pytest.raises(Refusal, match="no common time: neural data 0 to 10 s, labels 3000 to 3010 s"):
        common_range([(0, 10)], [(3000, 3010)], None)


def test_an_absurd_number_of_bins_is_refused() -> None:
    with pytest.raises(Refusal, match="some times must be wrong"):
        make_grid((-1.5e9, 2800), 0.05, None, None)


def test_means_interpolation_and_gaps() -> None:
    samples = Samples(np.array([1.1, 1.3, 2.1, 9.0]), np.array([[1.0], [3.0], [6.0], [0.0]]))
    result = resample.continuous(samples, GRID, max_gap=1.0)[:, 0]
    share = (1.75 - 1.3) / (2.1 - 1.3)
    assert np.allclose(result, [2, 3 + share * 3, 6, np.nan], equal_nan=True)
    assert np.isnan(resample.continuous(samples, Grid(1.0, 0.1, 10), max_gap=0.5)[6:9, 0]).all()


def test_missing_values_are_not_sampled_column_by_column() -> None:
    samples = Samples(np.array([1.1, 1.2, 1.6]), np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]]))
    assert resample.continuous(samples, GRID, 1.0)[0].tolist() == [2.0, 5.0]
    assert np.isnan(resample.continuous(samples, GRID, 1.0)[1]).all()


def test_angles_are_averaged_across_the_wrap() -> None:
    angles = np.deg2rad([350.0, 20.0, 90.0, 90.0])[:, None]
    samples = Samples(np.array([1.1, 1.2, 2.0, 2.1]), angles)
    result = np.rad2deg(resample.circular(samples, GRID, 1.0))
    assert result[0] == pytest.approx(5.0)
    assert 5 < result[1] < 90  # interpolated the short way round
    assert result[2] == pytest.approx(90.0)
    opposite = Samples(np.array([1.1, 1.2]), np.array([[0.0], [np.pi]]))
    assert np.isnan(resample.circular(opposite, GRID, 1.0)[0])


def test_the_commonest_class_wins_ties_are_missing_and_holds_until_the_gap() -> None:
    times = np.array([1.0, 1.1, 1.2, 1.5, 1.6, 2.6])
    codes = np.array([2, 2, 0, 0, 1, 1])
    assert resample.discrete(times, codes, GRID, max_gap=1.0).tolist() == [2, -1, 1, 1]
    assert resample.discrete(times, codes, Grid(1.0, 0.1, 20), max_gap=0.5)[8:15].tolist() == [-1] * 7


def test_observation_intervals_cover_whole_bins_of_every_unit() -> None:
    both = [np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[1.2, 2.5]])]
    assert masks.observed_by_all(GRID, both).tolist() == [False, True, True, False]
    assert masks.coverage(GRID, both, np.ones(4, dtype=bool)).tolist() == [1.0, 0.5]
    usable = np.array([False, True, True, False])
    assert masks.coverage(GRID, both, usable).tolist() == [1.0, 1.0]


def test_hundreds_of_thousands_of_intervals_are_quick() -> None:
    starts = np.arange(400_000) * 0.1
    grid = Grid(0.0, 0.05, 800_000)
    intervals = np.stack([starts, starts + 0.05], axis=1)
    assert masks.observed_by_all(grid, [intervals, intervals]).mean() == pytest.approx(0.5)


def test_merging_takes_touching_overlapping_and_improper_intervals() -> None:
    rows = np.array([[3.0, 4.0], [0.0, 1.0], [1.0, 2.0], [0.5, 0.6], [9.0, 8.0], [np.nan, 5.0]])
    assert merged(rows).tolist() == [[0.0, 2.0], [3.0, 4.0]]


def test_invalid_times_take_every_bin_they_touch() -> None:
    assert masks.touching(GRID, np.array([[1.4, 1.6]])).tolist() == [True, True, False, False]
    assert masks.touching(GRID, np.array([[1.5, 2.0]])).tolist() == [False, True, False, False]


def test_segments_break_at_gaps_and_borders() -> None:
    valid = np.array([True, True, False, True, True, True, True])
    grid = Grid(0.0, 1.0, 7)
    assert masks.segments(grid, valid, np.empty(0)).tolist() == [0, 0, -1, 1, 1, 1, 1]
    assert masks.segments(grid, valid, np.array([5.0, 5.0, np.nan, 99.0])).tolist() == [0, 0, -1, 1, 1, 2, 2]
    assert masks.segments(grid, valid, np.array([0.0, 2.4, 4.9])).tolist() == [0, 0, -1, 1, 1, 2, 2]


def test_masks_count_every_bin_once() -> None:
    used = masks.Masks(4)
    used.take_out("one", np.array([True, True, False, False]))
    used.take_out("two", np.array([False, True, True, False]))
    used.take_out("three", np.array([True, False, False, False]))
    assert used.reasons == {"one": 2, "two": 1}
    assert used.valid.tolist() == [False, False, False, True]


def test_long_stretches_of_the_same_position_are_found() -> None:
    times = np.arange(10.0)
    values = np.array([0, 1, 1, 1, 1, 2, 3, 3, 3, 4.0])[:, None]
    still, stretches = standing_still(Samples(times, values), 2.5)
    assert np.flatnonzero(still).tolist() == [1, 2, 3, 4]
    assert stretches.tolist() == [[1.0, 4.0]]


def test_what_times_look_like() -> None:
    jittered = 0.1 * np.arange(100) + np.random.default_rng(0).normal(0, 0.001, 100)
    assert sample_period(np.sort(jittered)) == pytest.approx(0.1, rel=0.01)
    assert sample_period(np.array([1.0])) is None
    assert gaps(np.r_[np.arange(10.0), 20.0, 21.0]).tolist() == [[9.0, 20.0]]
    assert outliers(np.r_[-1.54e9, np.arange(100.0)]).tolist() == [-1.54e9]
    assert not len(outliers(1.5e9 + np.arange(100.0)))
    assert restarts(np.r_[np.arange(100.0), np.arange(50.0)])
    assert not restarts(np.r_[np.arange(50.0, 100.0), np.arange(50.0)])  # out of order, but every time once
    assert not restarts(np.array([0.0, 2.0, 1.0, 3.0]))


def test_two_steps_of_very_different_length_still_have_a_typical_one() -> None:
    assert sample_period(np.array([0.0, 1.0, 11.0])) == 5.5


def test_a_label_that_comes_more_rarely_than_bins_is_interpolated_at_their_centres() -> None:
    samples = Samples(np.arange(0.0, 10, 2), np.arange(0.0, 10, 2)[:, None])
    found = resample.continuous(samples, Grid(0.0, 1.0, 10), 2.0, centred=True)
    assert np.allclose(found[:, 0], [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.0, np.nan], equal_nan=True)
    assert np.isnan(resample.continuous(samples, Grid(0.0, 0.5, 20), 1.0, centred=True)).sum() == 15  # not bridged
