"""Muon: orthogonal steps of the weights, Adam's steps of the biases."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from xcebra_nwb.xcebra.trainers.adam import MOMENTS, Adam
from xcebra_nwb.xcebra.trainers.muon import Muon, is_matrix, orthogonal

MEMBERS, STEPS = 3, 7


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def leaves(members: slice = slice(None)) -> list[Tensor]:
    """A weight (3, 6, 4), a bias (3, 1, 4) and a leaf that is no layer (3, 5)."""
    return [random(MEMBERS, *shape)[members].clone().requires_grad_() for shape in ((6, 4), (1, 4), (5,))]


def gradients(step: int, members: slice = slice(None)) -> list[Tensor]:
    return [random(*leaf.shape, seed=1 + step)[members] for leaf in leaves()]


def trained(members: slice = slice(None), steps: int = STEPS) -> Muon:
    optimizer = Muon(leaves(members))
    optimizer.rate = 0.1
    for step in range(steps):
        optimizer.step(gradients(step, members))
    return optimizer


@given(
    rows=st.integers(1, 12),
    columns=st.integers(1, 12),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
)
def test_singular_values_come_near_one_whatever_the_shape_and_the_scale(
    rows: int, columns: int, seed: int, scale: float
) -> None:
    matrix = random(2, rows, columns, seed=seed) * scale
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.linalg.svdvals(orthogonal(matrix))
    seen = values > 0.02 * values[:, :1]
    assert bool((found[seen] > 0.5).all()) and bool((found < 1.3).all())
    # The singular vectors stay: the same turns make the result diagonal.
    turned = left.mT @ orthogonal(matrix) @ right.mT
    assert torch.allclose(turned, torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1)), atol=1e-3)


def test_a_unit_that_is_always_silent_keeps_its_weights() -> None:
    gradient = random(2, 5, 3)
    gradient[:, 3] = 0
    assert bool((orthogonal(gradient)[:, 3] == 0).all()) and bool((orthogonal(torch.zeros(2, 5, 3)) == 0).all())


def test_a_step_of_a_weight_is_as_large_as_the_rate() -> None:
    optimizer, before = trained(steps=1), leaves()
    change = (optimizer.leaves[0] - before[0]).square().mean(dim=(1, 2)).sqrt()
    assert torch.allclose(change, torch.full((MEMBERS,), 0.1), rtol=0.3)


def test_biases_take_the_steps_of_adam() -> None:
    ours, adam = trained(), Adam(leaves())
    adam.rate = 0.1
    for step in range(STEPS):
        adam.step(gradients(step))
    assert [is_matrix(leaf) for leaf in ours.leaves] == [True, False, False]
    assert not torch.equal(ours.leaves[0], adam.leaves[0])
    assert all(torch.equal(a, b) for a, b in zip(ours.leaves[1:], adam.leaves[1:], strict=True))


def test_a_member_is_trained_as_if_alone() -> None:
    together, alone = trained(), trained(slice(1, 2))
    for leaf, other in zip(together.leaves, alone.leaves, strict=True):
        torch.testing.assert_close(leaf[1:2], other, rtol=1e-5, atol=1e-6)


def test_it_goes_on_from_a_state_with_the_same_bits() -> None:
    whole, half = trained(), trained(steps=3)
    resumed = Muon([leaf.detach().clone().requires_grad_() for leaf in half.leaves])
    resumed.restore(3, [{name: state[name].clone() for name in MOMENTS} for state in half.state])
    resumed.rate = 0.1
    for step in range(3, STEPS):
        resumed.step(gradients(step))
    assert all(torch.equal(a, b) for a, b in zip(whole.leaves, resumed.leaves, strict=True))


@pytest.mark.parametrize("share", [1e-2])
def test_directions_with_small_gradients_are_learnt_as_fast_as_the_others(share: float) -> None:
    turn = torch.linalg.qr(random(1, 8, 8)).Q
    scales = torch.logspace(0, torch.log10(torch.tensor(share)).item(), 8)
    target, left = random(1, 8, 8, seed=5), {}
    for kind in (Muon, Adam):
        optimizer = kind([torch.zeros(1, 8, 8).requires_grad_()])
        for step in range(100):
            optimizer.rate = 0.05 * (1 - step / 100)
            missing = turn.mT @ (optimizer.leaves[0].detach() - target)
            optimizer.step([turn @ (missing * scales[:, None])])
        left[kind] = float((turn.mT @ (optimizer.leaves[0].detach() - target)).square().mean())
    assert left[Muon] < 0.5 * left[Adam]
