"""The rank-aware pseudo-inverse."""

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra.inverse import pseudo_inverse


def test_it_agrees_with_numpy_at_full_rank() -> None:
    jacobian = np.random.default_rng(0).normal(size=(20, 6, 40))
    inverse, projector, _ = pseudo_inverse(torch.as_tensor(jacobian), 0.0)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.pinv(jacobian), atol=1e-10)
    np.testing.assert_allclose(projector.numpy(), np.broadcast_to(np.eye(6), (20, 6, 6)), atol=1e-10)


@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_it_agrees_with_numpy_when_the_rank_is_deficient(rank: int) -> None:
    rng = np.random.default_rng(rank)
    jacobian = rng.normal(size=(10, 6, rank)) @ rng.normal(size=(10, rank, 40))
    inverse, projector, _ = pseudo_inverse(torch.as_tensor(jacobian), 0.0)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.pinv(jacobian, rcond=1e-6), atol=1e-10)
    np.testing.assert_allclose(np.trace(projector.numpy(), axis1=1, axis2=2), rank, atol=1e-8)


def test_directions_with_tiny_gradients_are_dropped_not_blown_up() -> None:
    jacobian = np.diag([1.0, 0.5, 0.1])[None]  # Gram eigenvalues 1, 0.25, 0.01
    inverse, projector, _ = pseudo_inverse(torch.as_tensor(jacobian), 0.05)
    np.testing.assert_allclose(inverse[0].numpy(), np.diag([1.0, 2.0, 0.0]), atol=1e-12)
    np.testing.assert_allclose(projector[0].numpy(), np.diag([1.0, 1.0, 0.0]), atol=1e-12)


def test_float32_jacobians_are_inverted_in_float64() -> None:
    assert pseudo_inverse(torch.ones(1, 1, 3), 0.05)[0].dtype == torch.float64
