"""The contrastive loss of one objective, for all members of a stack at once.

Schneider et al., AISTATS 2025 (arXiv 2502.12977); with ``denominator="all"`` the positive is among the terms of the
denominator, which bounds the loss from below and keeps an unbounded encoder from running away.
Shapes: M members, B samples of a batch, K latents of the block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

ROWS = 8


@dataclass(frozen=True)
class Contrast:
    """How two latents are compared: similarity, its temperature, and what the denominator holds."""

    similarity: Literal["euclidean", "cosine"] = "euclidean"
    temperature: float = 1.0
    denominator: Literal["all", "negatives"] = "all"

    def prepare(self, block: Tensor) -> Tensor:
        """Return the latents of a block as they are compared: at unit length for the cosine."""
        return torch.nn.functional.normalize(block, dim=-1) if self.similarity == "cosine" else block

    def pull_back(self, block: Tensor, cotangent: Tensor) -> Tensor:
        """Return ``cotangent`` with respect to the prepared block as one with respect to the block itself."""
        if self.similarity == "euclidean":
            return cotangent
        length = block.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        direction = block / length
        return (cotangent - direction * (direction * cotangent).sum(-1, keepdim=True)) / length


def contrastive_loss(reference: Tensor, positive: Tensor, negative: Tensor, contrast: Contrast) -> Tensor:
    """Return the loss (M,) in nats of prepared blocks (M, B, K); the negatives are shared by all references."""
    result: Tensor = _ContrastiveLoss.apply(reference, positive, negative, contrast)
    return result


class _ContrastiveLoss(torch.autograd.Function):
    """The loss with its gradient in closed form: one matrix of batch x batch, and three products with it.

    Up to a term of r alone, which the positive and all negatives share, ``phi(r, x) = c (r . x - q |x|^2 / 2)``:
    c = 2 / tau and q = 1 for the Euclidean similarity, c = 1 / tau and q = 0 for the cosine. With ``w_ij`` the shares
    of the negatives in the denominator of reference i, and ``v_i`` their sum, the gradient of loss i is
    ``c (sum_j w_ij n_j - v_i p_i)`` for the reference, ``c v_i (q p_i - r_i)`` for its positive, and
    ``c w_ij (r_i - q n_j)`` for negative j.

    A block is a few latents wide. With the latents first, (M, K, B), such products run up to ten times faster than with
    the batch first; ``q |x|^2 / 2`` is one row more. Powers of 2 are what a processor computes fastest.
    """

    @staticmethod
    def forward(ctx: Any, reference: Tensor, positive: Tensor, negative: Tensor, contrast: Contrast) -> Tensor:
        ctx.pull = 1.0 if contrast.similarity == "euclidean" else 0.0  # q
        ctx.slope = (1.0 + ctx.pull) / contrast.temperature  # c
        left = _latents_first(reference, torch.ones_like(reference[..., 0]))
        right, own_right = (_latents_first(x, x.square().sum(-1) * (-0.5 * ctx.pull)) for x in (negative, positive))
        scaled = left * (ctx.slope / math.log(2))
        near = (scaled * own_right).sum(1)  # (M, B), in powers of 2
        logits = torch.bmm(scaled.mT, right)
        top = logits.amax(-1)
        if contrast.denominator == "all":
            top = torch.maximum(top, near)
        weights = logits.sub_(top.unsqueeze(-1)).exp2_()
        negatives = weights.sum(-1)
        total = negatives + torch.exp2(near - top) if contrast.denominator == "all" else negatives
        ctx.latents = reference.shape[-1]
        ctx.save_for_backward(left, own_right, right, weights, negatives, total)
        return (total.log2() + top - near).mean(-1) * math.log(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        left, own_right, right, weights, negatives, total = ctx.saved_tensors
        step = gradients[0].view(-1, 1, 1) * (ctx.slope / left.shape[-1])
        per_reference = step / total.unsqueeze(1)  # (M, 1, B)
        share = per_reference * negatives.unsqueeze(1)
        latents = slice(0, ctx.latents)
        reference, positive, negative = left[:, latents], own_right[:, latents], right[:, latents]
        of_reference = torch.bmm(right, weights.mT)[:, latents] * per_reference - share * positive
        back = torch.bmm(left * per_reference, weights)  # (M, rows, J); after the latents the sum over references
        of_negative = back[:, latents] - ctx.pull * negative * back[:, ctx.latents].unsqueeze(1)
        of_positive = share * (ctx.pull * positive - reference)
        return of_reference.mT, of_positive.mT, of_negative.mT, None


def _latents_first(block: Tensor, last: Tensor) -> Tensor:
    """``block`` (M, B, K) as rows of latents, then ``last`` (M, B), then zeros: (M, K + 1 or more, B).

    Rows are filled up to a multiple of :data:`ROWS`: of others the processor's library adds up in another order with
    another number of threads.
    """
    members, size, latents = block.shape
    rows = block.new_zeros(members, -(-(latents + 1) // ROWS) * ROWS, size)
    rows[:, :latents], rows[:, latents] = block.mT, last
    return rows


def chance_loss(negatives: int, contrast: Contrast) -> float:
    """Return the loss of an encoder that tells nothing apart, in nats."""
    return math.log(negatives + 1 if contrast.denominator == "all" else negatives)
