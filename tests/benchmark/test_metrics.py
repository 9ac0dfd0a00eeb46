"""The benchmark's metrics, on maps whose scores can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xcebra_nwb.benchmark.metrics import auroc, clipped_sample_share, linear_r2, neighbour_r2, row_auroc, trivial_auroc

PAPER = np.ones((6, 50), dtype=bool)
PAPER[3:, :25] = False
RATINABOX = np.ones((14, 400), dtype=bool)
RATINABOX[:4, 200:] = False


def test_auroc_is_the_share_of_pairs_in_the_right_order_ties_half() -> None:
    assert auroc(np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])) == (1 + 1 + 1 + 0.5) / 4


@pytest.mark.parametrize("truth", [np.ones(3, dtype=bool), np.zeros(3, dtype=bool)])
def test_auroc_is_unknown_when_there_is_nothing_to_tell_apart(truth: np.ndarray) -> None:
    assert np.isnan(auroc(np.arange(3.0), truth))


def test_a_unit_whose_map_is_not_known_is_left_out() -> None:
    assert auroc(np.array([2.0, np.nan, 1.0]), np.array([True, False, False])) == 1.0
    assert np.isnan(auroc(np.array([2.0, np.nan, 1.0]), np.array([True, False, True])))


def test_a_map_of_row_sizes_alone_scores_high_pooled_and_chance_by_row() -> None:
    assert trivial_auroc(PAPER) == pytest.approx(5 / 6)
    assert trivial_auroc(RATINABOX) == pytest.approx(11 / 12)
    sizes = np.broadcast_to(PAPER.mean(axis=1, keepdims=True), PAPER.shape)
    assert auroc(sizes, PAPER) == trivial_auroc(PAPER)
    assert row_auroc(np.array(sizes), PAPER) == 0.5


def test_row_auroc_is_the_mean_over_the_rows_that_hold_zeros() -> None:
    maps = np.zeros((6, 50))
    maps[3, 25:] = 1.0  # perfect
    maps[4, :25] = 1.0  # upside down; row 5 says nothing; rows 0 to 2 cannot be scored
    assert row_auroc(maps, PAPER) == pytest.approx((1.0 + 0.0 + 0.5) / 3)


@settings(deadline=None)
@given(arrays(np.float64, (6, 50), elements=st.integers(0, 50)), arrays(np.float64, 6, elements=st.integers(1, 9)))
def test_row_auroc_does_not_depend_on_the_size_of_a_row_and_pooled_does_not_on_that_of_the_map(
    maps: np.ndarray, sizes: np.ndarray
) -> None:
    assert row_auroc(maps * sizes[:, None], PAPER) == pytest.approx(row_auroc(maps, PAPER))
    assert auroc(2 * maps + 1, PAPER) == pytest.approx(auroc(maps, PAPER))
    assert auroc(-maps, PAPER) == pytest.approx(1 - auroc(maps, PAPER))


def test_linear_r2_is_one_for_a_linear_map_and_zero_for_noise() -> None:
    generator = np.random.default_rng(0)
    latents = generator.standard_normal((4000, 3))
    assert linear_r2(latents @ generator.standard_normal((3, 2)) + 1.0, latents[:, :1]) < 1.0
    assert linear_r2(latents, latents @ generator.standard_normal((3, 2)) + 1.0) == pytest.approx(1.0)
    assert abs(linear_r2(latents, generator.standard_normal((4000, 2)))) < 0.02


def test_neighbours_follow_what_is_not_linear() -> None:
    angle = np.random.default_rng(0).uniform(-np.pi, np.pi, (4000, 1))
    circle = np.hstack([np.cos(angle), np.sin(angle)])
    assert linear_r2(circle, angle**2) < 0.95 < neighbour_r2(circle, angle**2)


def test_a_sample_is_saturated_when_any_output_is_at_the_bound() -> None:
    latents = np.array([[5.0, 0.0], [-5.0, 5.0], [4.9, -4.9], [0.0, 0.0]])
    assert clipped_sample_share(latents, 5.0) == 0.5
    assert clipped_sample_share(latents, None) == 0.0
