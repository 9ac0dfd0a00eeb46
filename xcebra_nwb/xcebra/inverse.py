"""The rank-aware pseudo-inverse of many small Jacobians, by their Gram matrices in float64."""

from __future__ import annotations

import torch
from torch import Tensor

# Below this share of the largest eigenvalue of the Gram matrix a direction is the rounding of float32 gradients,
# whatever cut was asked for.
ROUNDING = 1e-11


def pseudo_inverse(jacobian: Tensor, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pseudo-inverse of ``jacobian`` (..., K, N), its row projector, and the Gram's eigenvalues.

    ``J^+ = J^T (J J^T)^+``; eigenvalues of ``J J^T`` (K, K) under ``tolerance`` times the largest are dropped, which
    keeps the directions that the data do not fix from being divided by their tiny gradients.

    Returns:
        the pseudo-inverse (..., N, K); the projector (..., K, K) on the latent directions that were kept, whose trace
        over a block is the block's effective rank; the eigenvalues (..., K), ascending. All float64.
    """
    jacobian = jacobian.double()
    values, vectors = torch.linalg.eigh(jacobian @ jacobian.mT)
    largest = values[..., -1:]
    kept = (values > max(tolerance, ROUNDING) * largest) & (values > 0)
    inverse_values = torch.where(kept, 1 / torch.where(kept, values, 1.0), 0.0)
    gram_inverse = (vectors * inverse_values.unsqueeze(-2)) @ vectors.mT
    projector = (vectors * kept.unsqueeze(-2).to(vectors.dtype)) @ vectors.mT
    return jacobian.mT @ gram_inverse, projector, values


def gram_eigenvalues(jacobian: Tensor) -> Tensor:
    """Return the eigenvalues (..., K), ascending, of the Gram matrices of ``jacobian`` (..., K, N), in float64."""
    jacobian = jacobian.double()
    return torch.linalg.eigvalsh(jacobian @ jacobian.mT)
