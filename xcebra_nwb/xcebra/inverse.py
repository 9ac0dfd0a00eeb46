"""The rank-aware pseudo-inverse of many small Jacobians, by their Gram matrices.

``J^+ = J^T (J J^T)^+``: of a Jacobian of K rows and thousands of columns only the K x K Gram matrix is inverted, in
float64, since it squares the condition number. The Jacobian itself has the rounding of the encoder's float32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Below this share of the largest eigenvalue of the Gram matrix a direction is the rounding of float32 gradients,
# whatever cut was asked for.
ROUNDING = 1e-11


class Spectrum(NamedTuple):
    """The eigenvalues (..., K), ascending, and eigenvectors (..., K, K) of Gram matrices, in float64."""

    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, gram: Tensor) -> Spectrum:
        """Return that of ``gram`` (..., K, K)."""
        return cls(*torch.linalg.eigh(gram))

    def inverse(self, tolerance: float) -> tuple[Tensor, Tensor]:
        """Return the Gram's pseudo-inverse (..., K, K), and what it keeps of each row of the Jacobian, (..., K).

        Eigenvalues under ``tolerance`` times the largest are dropped, which keeps the directions that the data do not
        fix from being divided by their tiny gradients. What is kept of a row is between 0 and 1, the diagonal of the
        projector on the directions that are left; its sum over a block is the block's effective rank.
        """
        kept = (self.values > max(tolerance, ROUNDING) * self.values[..., -1:]) & (self.values > 0)
        inverse_values = torch.where(kept, 1 / torch.where(kept, self.values, 1.0), 0.0).unsqueeze(-2)
        return (self.vectors * inverse_values) @ self.vectors.mT, (self.vectors.square() * kept.unsqueeze(-2)).sum(-1)


def gram(jacobian: Tensor) -> Tensor:
    """Return ``J J^T`` (..., K, K), in float64, of ``jacobian`` (..., K, N)."""
    rows = jacobian.double()
    return rows @ rows.mT


def times(inverse: Tensor, jacobian: Tensor) -> Tensor:
    """Return ``inverse`` (..., k, K) times ``jacobian`` (..., K, T, D), (..., k, T, D), as exact as the latter is."""
    return (inverse.to(jacobian.dtype) @ jacobian.flatten(-2)).unflatten(-1, jacobian.shape[-2:])
