"""The contrastive loss of one objective, for all members of an ensemble.

Schneider et al., AISTATS 2025 (arXiv 2502.12977). With ``denominator="all"`` the positive is among the terms of the
denominator, which bounds the loss from below and keeps an unbounded encoder from running away.
Shapes: M members, B samples of a batch, K latents of the block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from xcebra_nwb.xcebra.trainers.operations import products

ROWS = 8
ELEMENTS = {"cpu": 3_000_000, "cuda": 64_000_000}  # logits held at once: the cache of a CPU, a share of a GPU's memory


@dataclass(frozen=True)
class Contrast:
    """How two latents are compared.

    Attributes:
        similarity: ``euclidean`` or ``cosine``.
        temperature: Divides the similarity.
        denominator: ``all``, or ``negatives`` alone.
    """

    similarity: Literal["euclidean", "cosine"] = "euclidean"
    temperature: float = 1.0
    denominator: Literal["all", "negatives"] = "all"

    def prepare(self, block: Tensor) -> Tensor:
        """Return a block's latents as they are compared: at unit length for the cosine."""
        return torch.nn.functional.normalize(block, dim=-1) if self.similarity == "cosine" else block

    def pull_back(self, block: Tensor, cotangent: Tensor) -> Tensor:
        """Return a cotangent of the prepared block as one of the block itself.

        Args:
            block: Latents of the block, shape (..., K).
            cotangent: Cotangent of the prepared latents, same shape.
        """
        if self.similarity == "euclidean":
            return cotangent
        length = block.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        direction = block / length
        return (cotangent - direction * (direction * cotangent).sum(-1, keepdim=True)) / length


def contrastive_loss(reference: Tensor, positive: Tensor, negative: Tensor, contrast: Contrast) -> Tensor:
    """Return the contrastive loss in nats.

    Args:
        reference: Prepared latents of the references, shape (M, B, K).
        positive: Prepared latents of their positives, shape (M, B, K).
        negative: Prepared latents of the negatives (M, J, K), which all references share.
        contrast: How latents are compared.

    Returns:
        Loss, shape (M,).
    """
    # TF32 loses differences of latents far from 0, and the encoder would run away from 0.
    with products("float32"):
        result: Tensor = _ContrastiveLoss.apply(reference, positive, negative, contrast)
    return result


class _ContrastiveLoss(torch.autograd.Function):
    """The loss with its gradient in closed form, both in one pass over pieces of the references.

    No array of batch x batch is held. Up to a term of r alone, which the positive and all negatives share,
    ``phi(r, x) = c (r . x - q |x|^2 / 2)``: c = 2 / tau and q = 1 for the Euclidean similarity, c = 1 / tau and q = 0
    for the cosine. With ``w_ij`` the shares of the negatives in the denominator of reference i, and ``v_i`` their sum,
    the gradient of loss i is ``c (sum_j w_ij n_j - v_i p_i)`` for the reference, ``c v_i (q p_i - r_i)`` for its
    positive, and ``c w_ij (r_i - q n_j)`` for negative j.

    A block is a few latents wide. With the latents first, (M, K, B), such products run up to ten times faster than with
    the batch first; ``q |x|^2 / 2`` is one row more. Powers of 2 are computed fastest on the CPU.
    """

    @staticmethod
    def forward(ctx: Any, reference: Tensor, positive: Tensor, negative: Tensor, contrast: Contrast) -> Tensor:
        pull = 1.0 if contrast.similarity == "euclidean" else 0.0  # q
        slope = (1.0 + pull) / contrast.temperature  # c
        left = _latents_first(reference, torch.ones_like(reference[..., 0]))
        right, positive_rows = (_latents_first(x, x.square().sum(-1) * (-0.5 * pull)) for x in (negative, positive))
        scaled = left * (slope / math.log(2))
        near = (scaled * positive_rows).sum(1)  # (M, B), in powers of 2
        loss, pulled, back, share = (
            torch.zeros_like(near),
            torch.empty_like(left),
            torch.zeros_like(right),
            near.clone(),
        )
        for piece in _references_at_once(near, right):
            weights = torch.bmm(scaled[..., piece].mT, right)
            top = weights.amax(-1)
            if contrast.denominator == "all":
                top = torch.maximum(top, near[:, piece])
            weights = weights.sub_(top.unsqueeze(-1)).exp2_()
            negatives = weights.sum(-1)
            positive_logit = near[:, piece] - top
            total = negatives + torch.exp2(positive_logit) if contrast.denominator == "all" else negatives
            loss[:, piece] = total.log2() - positive_logit
            if any(ctx.needs_input_grad):
                per_reference = total.reciprocal().unsqueeze(1)  # (M, 1, piece)
                share[:, piece] = negatives / total
                pulled[..., piece] = torch.bmm(right, weights.mT) * per_reference
                back.baddbmm_(
                    left[..., piece] * per_reference, weights
                )  # the row after the latents holds the sum over references
        latents, share = slice(0, reference.shape[-1]), share.unsqueeze(1)
        reference, positive, negative = left[:, latents], positive_rows[:, latents], right[:, latents]
        of_negative = back[:, latents] - pull * negative * back[:, latents.stop].unsqueeze(1)
        gradients = pulled[:, latents] - share * positive, share * (pull * positive - reference), of_negative
        ctx.slope = slope / left.shape[-1]
        ctx.save_for_backward(*gradients)
        return loss.mean(-1) * math.log(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        step = gradients[0].view(-1, 1, 1) * ctx.slope
        return *((step * gradient).mT for gradient in ctx.saved_tensors), None


def _references_at_once(near: Tensor, right: Tensor) -> Iterator[slice]:
    """Pieces of the references, of ``near`` (M, B), whose logits with all ``right`` (M, rows, J) fit."""
    members, size = near.shape
    most = ELEMENTS.get(near.device.type, ELEMENTS["cuda"]) // (members * right.shape[-1])
    step = max(ROWS, most // ROWS * ROWS)
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def _latents_first(block: Tensor, last: Tensor) -> Tensor:
    """``block`` (M, B, K) as rows of latents, then ``last`` (M, B), then zeros: (M, K + 1 or more, B).

    The number of rows is a multiple of :data:`ROWS`. With other numbers the CPU's library adds up in an order that
    depends on the number of threads.
    """
    members, size, latents = block.shape
    rows = block.new_zeros(members, -(-(latents + 1) // ROWS) * ROWS, size)
    rows[:, :latents], rows[:, latents] = block.mT, last
    return rows


def chance_loss(negatives: int, contrast: Contrast) -> float:
    """Return the loss of an encoder that tells nothing apart, in nats.

    Args:
        negatives: Number of negatives of a reference.
        contrast: How latents are compared.

    >>> round(chance_loss(511, Contrast()), 3), round(chance_loss(512, Contrast(denominator="negatives")), 3)
    (6.238, 6.238)
    """
    return math.log(negatives + 1 if contrast.denominator == "all" else negatives)
