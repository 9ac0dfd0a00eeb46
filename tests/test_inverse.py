"""The rank-aware pseudo-inverse."""

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra.inverse import Spectrum, gram, times


def pseudo_inverse(jacobian: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """The pseudo-inverse (..., N, K) of ``jacobian`` (..., K, N), and what it keeps of each of its rows (..., K)."""
    rows = torch.as_tensor(jacobian)
    inverse, kept = Spectrum.of(gram(rows)).inverse(tolerance)
    return times(inverse, rows.unsqueeze(-2)).squeeze(-2).mT.numpy(), kept.numpy()


def test_it_agrees_with_numpy_at_full_rank() -> None:
    jacobian = np.random.default_rng(0).normal(size=(20, 6, 40))
    inverse, kept = pseudo_inverse(jacobian, 0.0)
    np.testing.assert_allclose(inverse, np.linalg.pinv(jacobian), atol=1e-10)
    np.testing.assert_allclose(kept, 1, atol=1e-10)


@pytest.mark.parametrize("rank", [0, 1, 3, 5])
def test_it_agrees_with_numpy_when_the_rank_is_deficient(rank: int) -> None:
    rng = np.random.default_rng(rank)
    jacobian = rng.normal(size=(10, 6, rank)) @ rng.normal(size=(10, rank, 40))
    inverse, kept = pseudo_inverse(jacobian, 0.0)
    np.testing.assert_allclose(inverse, np.linalg.pinv(jacobian, rcond=1e-6), atol=1e-10)
    np.testing.assert_allclose(kept, np.diagonal(jacobian @ inverse, axis1=1, axis2=2), atol=1e-8)


def test_directions_with_tiny_gradients_are_dropped_not_blown_up() -> None:
    jacobian = np.diag([1.0, 0.5, 0.1])[None]  # Gram eigenvalues 1, 0.25, 0.01
    inverse, kept = pseudo_inverse(jacobian, 0.05)
    np.testing.assert_allclose(inverse[0], np.diag([1.0, 2.0, 0.0]), atol=1e-12)
    np.testing.assert_allclose(kept[0], [1, 1, 0], atol=1e-12)


def test_single_precision_jacobians_are_inverted_in_double_and_lose_no_more_than_their_own_rounding() -> None:
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(50, 6, 40)) * np.geomspace(1, 1e-2, 6)[:, None]  # Gram condition numbers near 1e4
    assert Spectrum.of(gram(torch.as_tensor(jacobian).float())).inverse(0.0)[0].dtype == torch.float64
    single, double = (pseudo_inverse(jacobian.astype(kind), 0.0)[0] for kind in (np.float32, np.float64))
    assert single.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(single, axis=1), np.linalg.norm(double, axis=1), rtol=1e-5)
