"""The rank-aware pseudo-inverse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xcebra_nwb.xcebra.maps.inverse import Spectrum, condition, gram, inverse_along, times
from xcebra_nwb.xcebra.maps.inverse import pseudo_inverse as inverse_of


def pseudo_inverse(jacobian: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """The pseudo-inverse (..., N, K) of ``jacobian`` (..., K, N), and what it keeps of each of its rows (..., K)."""
    rows = torch.as_tensor(jacobian)
    inverse, kept = inverse_of(gram(rows), tolerance)
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
    assert inverse_of(gram(torch.as_tensor(jacobian).float()), 0.0)[0].dtype == torch.float64
    single, double = (pseudo_inverse(jacobian.astype(kind), 0.0)[0] for kind in (np.float32, np.float64))
    assert single.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(single, axis=1), np.linalg.norm(double, axis=1), rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 7), st.floats(0, 7), st.sampled_from([0.0, 1e-6, 0.05, 0.5]), st.integers(0, 3), st.integers(0, 99)
)
def test_with_and_without_eigenvalues_it_is_the_same(
    rows: int, decades: float, tolerance: float, zeros: int, seed: int
) -> None:
    """Gram matrices of any condition, some of them without any direction, whatever the cut."""
    rng = np.random.default_rng(seed)
    jacobian = rng.normal(size=(8, rows, 20)) * np.logspace(0, -decades / 2, rows)[:, None]
    jacobian[:zeros] = 0
    squared = gram(torch.as_tensor(jacobian))
    expected, kept_expected = Spectrum.of(squared).inverse(tolerance)
    found, kept = inverse_of(squared, tolerance)
    scale = expected.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-7)
    torch.testing.assert_close(kept, kept_expected, rtol=0, atol=1e-7)


def test_eigenvalues_are_looked_for_where_a_direction_could_be_dropped_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of matrices whose condition number is 19, 100 times, and 21, three times; the cut is at 20."""
    directions, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(103, 6, 6)))
    values = np.full((103, 6), 1.0)
    values[:100, 0], values[100:, 0] = 1 / 19, 1 / 21
    asked, original = [], Spectrum.of
    monkeypatch.setattr(Spectrum, "of", lambda gram: asked.append(len(gram)) or original(gram))
    _, kept = inverse_of(torch.as_tensor((directions * values[:, None]) @ directions.swapaxes(1, 2)), 0.05)
    assert asked == [103]  # all other directions are alike: the norms say the least
    np.testing.assert_allclose(kept.sum(dim=1), [6] * 100 + [5] * 3)
    asked.clear()
    values[:, 1:] = np.linspace(0.15, 1, 5)
    values[:100, 0] = 1 / 15
    inverse_of(torch.as_tensor((directions * values[:, None]) @ directions.swapaxes(1, 2)), 0.05)
    assert asked == [3]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 6), st.floats(-6, 6), st.integers(0, 99))
def test_along_some_directions_it_is_the_pseudo_inverse_of_the_projection(
    rows: int, kept: int, decade: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    jacobian = 10**decade * rng.normal(size=(5, rows, 20))
    jacobian[0] = 0
    directions, _ = np.linalg.qr(rng.normal(size=(5, rows, min(kept, rows))))
    projector = torch.as_tensor(directions @ directions.swapaxes(1, 2))
    squared = gram(torch.as_tensor(jacobian))
    expected, share = Spectrum.of(projector @ squared @ projector).inverse(0.0)
    found, what = inverse_along(squared, projector)
    torch.testing.assert_close(found * 10 ** (2 * decade), expected * 10 ** (2 * decade), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(what, share, rtol=0, atol=1e-8)


def test_the_condition_is_that_of_numpy() -> None:
    squared = gram(torch.as_tensor(np.random.default_rng(0).normal(size=(4, 5, 30))))
    np.testing.assert_allclose(condition(squared), np.linalg.cond(squared.numpy()))
