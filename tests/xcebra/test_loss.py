"""The contrastive loss."""

import math

import numpy as np
import pytest
import torch

from xcebra_nwb.xcebra.trainers.loss import Contrast, chance_loss, contrastive_loss

SHAPE = (2, 6, 3)  # members, batch, latents


def blocks(seed: int = 0, scale: float = 1.0) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.as_tensor(scale * rng.normal(size=SHAPE)) for _ in range(3)]


def by_definition(reference: np.ndarray, positive: np.ndarray, negative: np.ndarray, contrast: Contrast) -> float:
    """One member's loss, written out."""

    def phi(a: np.ndarray, b: np.ndarray) -> float:
        value = a @ b if contrast.similarity == "cosine" else -np.sum((a - b) ** 2)
        return float(value) / contrast.temperature

    total = 0.0
    for r, p in zip(reference, positive, strict=True):
        terms = [phi(r, n) for n in negative] + ([phi(r, p)] if contrast.denominator == "all" else [])
        total += math.log(sum(math.exp(t) for t in terms)) - phi(r, p)
    return total / len(reference)


@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
@pytest.mark.parametrize("denominator", ["all", "negatives"])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_it_is_the_definition(similarity: str, denominator: str, temperature: float) -> None:
    contrast = Contrast(similarity, temperature, denominator)
    prepared = [contrast.prepare(block) for block in blocks()]
    found = contrastive_loss(*prepared, contrast)
    expected = [by_definition(*(b[member].numpy() for b in prepared), contrast) for member in range(SHAPE[0])]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("similarity", ["euclidean", "cosine"])
@pytest.mark.parametrize("denominator", ["all", "negatives"])
def test_its_gradient_is_right(similarity: str, denominator: str) -> None:
    contrast = Contrast(similarity, 0.7, denominator)
    leaves = [b.requires_grad_() for b in blocks()]
    assert torch.autograd.gradcheck(lambda *b: contrastive_loss(*(contrast.prepare(x) for x in b), contrast), leaves)


def test_with_the_positive_in_the_denominator_it_is_bounded_without_it_not() -> None:
    reference = torch.zeros(1, 4, 2, dtype=torch.float64)
    far = torch.full((1, 4, 2), 1e3, dtype=torch.float64)
    assert contrastive_loss(reference, reference, far, Contrast(denominator="all")).item() == pytest.approx(0, abs=1e-9)
    assert contrastive_loss(reference, reference, far, Contrast(denominator="negatives")).item() < -1e5


@pytest.mark.parametrize("denominator", ["all", "negatives"])
def test_an_encoder_that_tells_nothing_apart_is_at_chance(denominator: str) -> None:
    same = torch.ones(1, 32, 3)
    contrast = Contrast(denominator=denominator)
    assert contrastive_loss(same, same, same, contrast).item() == pytest.approx(chance_loss(32, contrast), rel=1e-6)


def test_large_logits_do_not_overflow() -> None:
    near, far = torch.full((1, 2, 1), 100.0), torch.full((1, 2, 1), -100.0)
    assert contrastive_loss(near, near, near, Contrast("cosine")).item() == pytest.approx(math.log(3), abs=1e-3)
    assert contrastive_loss(near, far, near, Contrast()).item() == pytest.approx(4e4 + math.log(2), rel=1e-6)
    assert contrastive_loss(near, near, far, Contrast()).item() == 0


def test_pulling_back_through_unit_length_is_the_chain_rule() -> None:
    contrast = Contrast("cosine")
    block, cotangent = blocks(1)[0].requires_grad_(), blocks(2)[0]
    (expected,) = torch.autograd.grad((contrast.prepare(block) * cotangent).sum(), block)
    torch.testing.assert_close(contrast.pull_back(block.detach(), cotangent), expected)
