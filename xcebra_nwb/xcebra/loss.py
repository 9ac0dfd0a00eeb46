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
    scale = 1 / contrast.temperature
    if contrast.similarity == "cosine":
        near = scale * (reference * positive).sum(-1)  # (M, B)
        none = torch.zeros_like(negative[:, :, 0]).unsqueeze(1)
        denominator = log_sum_exp(scale * reference, negative, none)
    else:
        near = -scale * (reference - positive).square().sum(-1)
        # -|r - n|^2 = 2 r.n - |n|^2 - |r|^2, and |r|^2 is the same for all negatives.
        offset = -scale * negative.square().sum(-1).unsqueeze(1)  # (M, 1, B)
        length = scale * reference.square().sum(-1)
        denominator = log_sum_exp(2 * scale * reference, negative, offset) - length
    if contrast.denominator == "all":
        denominator = torch.logaddexp(denominator, near)
    return (denominator - near).mean(-1)


def log_sum_exp(left: Tensor, right: Tensor, offset: Tensor) -> Tensor:
    """Return ``log sum_j exp(left_i . right_j + offset_j)``, (M, B), of (M, B, K), (M, J, K) and (M, 1, J)."""
    result: Tensor = _LogSumExp.apply(left, right, offset)
    return result


class _LogSumExp(torch.autograd.Function):
    """Keeps one batch x batch matrix, the unnormalised softmax, for a backward pass of two matrix products.

    A block is a few latents wide. With the latents first, (M, K, B), such products run up to ten times faster than
    with the batch first, and the offset is one more row of them. Powers of 2 are what a processor computes fastest.
    """

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, offset: Tensor) -> Tensor:
        rows = torch.cat([left.mT, torch.ones_like(left[:, :, :1]).mT], dim=1).mul_(1 / math.log(2))  # (M, K + 1, B)
        columns = torch.cat([right.mT, offset], dim=1)  # (M, K + 1, J)
        logits = torch.bmm(rows.mT, columns)
        top = logits.amax(-1, keepdim=True)
        weights = logits.sub_(top).exp2_()
        total = weights.sum(-1)
        ctx.save_for_backward(rows, columns, weights, total)
        return (total.log2() + top.squeeze(-1)) * math.log(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns, weights, total = ctx.saved_tensors
        scale = (gradients[0] / total).unsqueeze(1)  # (M, 1, B)
        of_left = torch.bmm(columns[:, :-1], weights.mT) * scale
        of_right = torch.bmm(rows * (scale * math.log(2)), weights)  # (M, K + 1, J), the offset's gradient last
        return of_left.mT, of_right[:, :-1].mT, of_right[:, -1:]


def chance_loss(negatives: int, contrast: Contrast) -> float:
    """Return the loss of an encoder that tells nothing apart, in nats."""
    return math.log(negatives + 1 if contrast.denominator == "all" else negatives)
