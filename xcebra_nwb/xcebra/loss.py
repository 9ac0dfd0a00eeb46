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
    """Keeps one batch x batch matrix, the unnormalised softmax, for a backward pass of three matrix products."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, offset: Tensor) -> Tensor:
        logits = torch.baddbmm(offset, left, right.mT)
        top = logits.amax(-1, keepdim=True)
        weights = logits.sub_(top).exp_()
        total = weights.sum(-1, keepdim=True)
        ctx.save_for_backward(left, right, weights, total)
        return (total.log() + top).squeeze(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        left, right, weights, total = ctx.saved_tensors
        scale = gradients[0].unsqueeze(-1) / total  # (M, B, 1)
        return (
            torch.bmm(weights, right) * scale,
            torch.bmm(weights.mT, left * scale),
            torch.bmm(scale.mT, weights),
        )


def chance_loss(negatives: int, contrast: Contrast) -> float:
    """Return the loss of an encoder that tells nothing apart, in nats."""
    return math.log(negatives + 1 if contrast.denominator == "all" else negatives)
