"""The paper's synthetic data: the walk, the networks, and what each unit depends on."""

import numpy as np
import pytest

from xcebra_nwb.benchmark.simulate.two_populations import SHARED, UNITS, paper_design, random_network, truncated_walk


def test_the_walk_stays_in_its_box_and_takes_the_steps_asked_for() -> None:
    walk = truncated_walk(20_000, np.array([0.1, 0.01]), np.random.default_rng(0))
    assert np.abs(walk).max() <= 1
    assert np.diff(walk, axis=0).std(axis=0) == pytest.approx([0.1, 0.01], rel=0.05)
    assert walk.std(axis=0)[0] == pytest.approx(np.sqrt(1 / 3), rel=0.1)  # it visits the whole box


def test_jumps_are_as_frequent_as_asked_for() -> None:
    walk = truncated_walk(5_000, np.full(2, 0.01), np.random.default_rng(0), jumps=0.1)
    far = np.abs(np.diff(walk, axis=0)).max(axis=1) > 0.1
    assert 0.08 < far.mean() < 0.12


def test_the_jacobian_of_a_network_is_that_of_finite_differences() -> None:
    generator = np.random.default_rng(0)
    network, inputs = random_network(4, 25, generator), generator.uniform(-1, 1, (5, 4))
    steps = 1e-6 * np.eye(4)
    differences = np.stack([(network(inputs + step) - network(inputs - step)) / 2e-6 for step in steps], axis=-1)
    np.testing.assert_allclose(network.jacobian(inputs), differences, atol=1e-8)


def test_a_network_is_injective_every_layer_has_full_rank() -> None:
    for weight in random_network(9, 25, np.random.default_rng(0)).weights:
        assert np.linalg.cond(weight) == pytest.approx(1.0)


@pytest.mark.parametrize("latents", [4, 9])
def test_the_first_population_depends_on_the_shared_latents_only(latents: int) -> None:
    data = paper_design(latents, 500, np.random.default_rng(0))
    depends = np.abs(data.jacobian(data.latents)).max(axis=0).T > 0  # (latent, unit)
    np.testing.assert_array_equal(depends, data.carries)
    assert data.rates.shape == (500, 2 * UNITS)
    assert not data.carries[SHARED:, :UNITS].any()


def test_the_same_seed_gives_the_same_data_and_another_other() -> None:
    first, again, other = (paper_design(4, 100, np.random.default_rng(seed)).rates for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
