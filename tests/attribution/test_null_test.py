"""The test of a map against the maps of nulls: z, p and q of every unit."""

import numpy as np
import pytest

from xcebra_nwb.attribution.moderated_variance import half_interval, moderated
from xcebra_nwb.attribution.null_test import bulk, rank_p_value, score_maps, unit_norm


def lognormal(rng: np.random.Generator, maps: int, units: int = 50) -> np.ndarray:
    """Maps (map, 1, unit) with a firing-rate like pattern that all share."""
    pattern = np.linspace(-1, 1, units)
    return np.exp(pattern + 0.2 * rng.normal(size=(maps, 1, units)))


@pytest.mark.slow
def test_units_that_carry_nothing_have_uniform_p_values() -> None:
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        p = score_maps(lognormal(rng, 1), lognormal(rng, 8)).p_value
        shares.append((p <= 0.05).mean())
    assert 0.03 <= np.mean(shares) <= 0.07


def test_units_that_carry_the_label_are_found_with_eight_nulls_whatever_their_share() -> None:
    rng = np.random.default_rng(1)
    for carriers in (5, 20):
        seeds = lognormal(rng, 2)
        seeds[:, :, :carriers] *= 5
        tested = score_maps(seeds, lognormal(rng, 8))
        assert (tested.q_value[0, :carriers] <= 0.05).mean() > 0.9
        assert (tested.q_value[0, carriers:] <= 0.05).mean() < 0.05


def test_the_overall_size_of_a_map_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    tested, scaled = score_maps(seeds, nulls), score_maps(7 * seeds, nulls * np.arange(1, 9)[:, None, None])
    np.testing.assert_allclose(tested.z, scaled.z, rtol=1e-8)


def test_every_seed_counts_alike_however_large_its_map() -> None:
    rng = np.random.default_rng(2)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    seeds[0, :, :5] *= 5
    larger = seeds * np.array([1000.0, 1.0])[:, None, None]
    for one, other in zip(score_maps(seeds, nulls), score_maps(larger, nulls), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "size"), [(1, 1.0), (4, 1.0), (4, 0.5)])
def test_averaged_seeds_and_a_single_encoder_are_held_to_the_same_level(seeds: int, size: float) -> None:
    """Units carry nothing; with the true label encoders may vary less than nulls do, as where a label is encoded."""
    shares = []
    for number in range(20):
        rng = np.random.default_rng([number, seeds])
        noise = lognormal(rng, seeds) / lognormal(rng, 1).mean()
        pattern = np.exp(np.linspace(-1, 1, 50))
        true = pattern * (noise / pattern) ** size
        shares.append((score_maps(true, lognormal(rng, 8)).p_value <= 0.05).mean())
    assert 0.02 <= np.mean(shares) <= 0.08


@pytest.mark.slow
def test_units_that_carry_nothing_are_not_found_beside_those_that_do() -> None:
    """With the label encoded the others' shares move too, each a little its own way: the bulk shows how far."""
    small, proportion, power = [], [], []
    for number in range(20):
        rng = np.random.default_rng([number, 7])
        carries = np.arange(100) < 20
        moved = np.exp(0.15 * rng.normal(size=100) + np.where(carries, 1.5, -0.1))
        pattern = np.exp(np.linspace(-1, 1, 100))
        seeds = pattern * (lognormal(rng, 3, 100) / pattern) ** 0.7 * moved
        tested = score_maps(seeds, lognormal(rng, 8, 100))
        found = tested.q_value[0] <= 0.05
        small.append((tested.p_value[0, ~carries] <= 0.05).mean())
        proportion.append(found[~carries].sum() / max(1, found.sum()))
        power.append(found[carries].mean())
    assert 0.02 <= np.mean(small) <= 0.08
    assert np.mean(proportion) <= 0.08
    assert np.mean(power) > 0.9


def test_the_bulk_is_found_whatever_stands_out() -> None:
    rng = np.random.default_rng(12)
    centre, variance = bulk(np.r_[rng.normal(1, 0.5, 300), rng.normal(8, 1, 150)])
    assert (centre, variance) == (pytest.approx(1, abs=0.1), pytest.approx(0.25, rel=0.35))
    assert bulk(np.array([0.0, 5.0, 1.0])) == (1.0, 0.0)


def test_the_interval_over_seeds_covers_the_mean_of_all_seeds() -> None:
    rng = np.random.default_rng(13)
    seeds = rng.normal(size=(2, 2000)) * np.exp(0.3 * rng.normal(size=2000))
    covered = np.abs(seeds.mean(axis=0)) <= half_interval(seeds)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    assert np.isnan(half_interval(seeds[:1])).all()


def test_the_smallest_q_is_that_of_all_units_beyond_every_null() -> None:
    rng = np.random.default_rng(14)
    seeds = lognormal(rng, 2, 12)
    seeds[:, :, 0] *= 1e3
    assert score_maps(seeds, lognormal(rng, 4, 12)).q_value.min() == pytest.approx(12 / 49)


def test_labels_with_fewer_nulls_than_others_are_tested_with_their_own() -> None:
    rng = np.random.default_rng(15)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    padded = np.concatenate([nulls, nulls], axis=1)
    padded[5:, 1] = np.nan
    both, alone = score_maps(np.concatenate([seeds, seeds], axis=1), padded), score_maps(seeds, nulls[:5])
    np.testing.assert_array_equal(both.p_value[1], alone.p_value[0])
    padded[2:, 1] = np.nan
    assert np.isnan(score_maps(np.concatenate([seeds, seeds], axis=1), padded).z).all(axis=1).tolist() == [False, True]


def test_a_null_score_as_large_as_all_others_has_the_smallest_p() -> None:
    assert rank_p_value(np.array([9.0, 0.5, np.nan]), np.arange(4.0)).tolist() == [
        pytest.approx(0.2),
        pytest.approx(0.8),
        pytest.approx(np.nan, nan_ok=True),
    ]


def test_a_null_as_large_as_the_score_counts_against_it() -> None:
    assert rank_p_value(np.array([3.0]), np.array([0.0, 1, 2, 3])).tolist() == [pytest.approx(0.4)]


def test_variances_are_drawn_together_and_zero_stays_unknown() -> None:
    rng = np.random.default_rng(4)
    variance = np.r_[rng.normal(size=(8, 400)).var(axis=0, ddof=1), 0.0]
    found = moderated(variance, 7).variance
    assert np.isnan(found[-1])
    assert found[:-1].std() < 0.2 * variance[:-1].std()
    assert found[:-1].mean() == pytest.approx(1, abs=0.1)


def test_a_map_of_zeros_has_no_unit_norm() -> None:
    assert np.isnan(unit_norm(np.zeros((1, 3)))).all()
    np.testing.assert_allclose(np.linalg.norm(unit_norm(np.array([[3.0, 4.0]]))), 1)
