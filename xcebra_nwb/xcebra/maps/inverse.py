"""The rank-aware pseudo-inverse of many small Jacobians, by their Gram matrices.

``J^+ = J^T (J J^T)^+``: of a Jacobian of K rows and thousands of columns only the K x K Gram matrix is inverted. It is
inverted in float64, because it squares the condition number. The Jacobian itself has the rounding of the encoder's
float32. Eigenvalues cost an order of magnitude more than the inverse, and are computed only where the inverse does not
show that all of them are kept.
Shapes: K rows of a Jacobian, N columns, T bins of a window, D units.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from xcebra_nwb.xcebra.maps.pieces import Workspace, pieces

# Below this share of the largest eigenvalue of the Gram matrix a direction is the rounding of float32 gradients,
# whatever the rank cut.
ROUNDING = 1e-11
MATRICES = 16_384  # matrices of one call for eigenvalues: libraries of GPUs refuse more than some 30,000


def pseudo_inverse(gram: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Return the pseudo-inverse of Gram matrices, and the kept part of each row.

    It equals :meth:`Spectrum.inverse`, which is called only where a direction may be dropped.

    Args:
        gram: Gram matrices, shape (..., K, K).
        tolerance: Eigenvalues under this share of the largest are dropped.

    Returns:
        Pseudo-inverse (..., K, K), and the kept part of each row (..., K), between 0 and 1.
    """
    inverse, singular = torch.linalg.inv_ex(gram)
    kept, most = torch.ones_like(gram[..., 0]), 1 / max(tolerance, ROUNDING)
    unsure = ~_within(most, gram, inverse)
    if unsure.any():
        matrices, inverses = gram[unsure], inverse[unsure]
        # Squares cost more, and bound the eigenvalues more closely.
        unsure[unsure.clone()] = ~_within(most**2, matrices @ matrices, inverses @ inverses)
    unsure |= singular != 0
    if unsure.any():
        inverse[unsure], kept[unsure] = Spectrum.of(gram[unsure]).inverse(tolerance)
    return inverse, kept


def _within(most: float, matrices: Tensor, inverses: Tensor) -> Tensor:
    """Whether the largest eigenvalue is surely less than ``most`` times the smallest, (...).

    The product of the norms of a matrix and its inverse is an upper bound of that ratio, and the closer to it the more
    the eigenvalues differ.
    """
    return torch.linalg.matrix_norm(matrices) * torch.linalg.matrix_norm(inverses) < most


def inverse_along(gram: Tensor, projector: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pseudo-inverse of Gram matrices on the span of a projector.

    The directions that the projection removes are filled with the mean eigenvalue, and taken out of the inverse again.

    Args:
        gram: Gram matrices, shape (..., K, K).
        projector: Projectors, shape (..., K, K).

    Returns:
        Pseudo-inverse (..., K, K), and the kept part of each row (..., K).
    """
    gram, filling = projector @ gram @ projector, torch.eye(gram.shape[-1]).to(gram) - projector
    mean = gram.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None]
    filled = (mean > 0).to(gram.dtype)  # nothing of a zero matrix is kept
    inverse, kept = pseudo_inverse(gram + mean.unsqueeze(-1) * filling, 0.0)
    added = (filled / mean.where(mean > 0, 1.0)).unsqueeze(-1) * filling
    return inverse - added, kept - filled * filling.diagonal(dim1=-2, dim2=-1)


class Spectrum(NamedTuple):
    """The eigenvalues and eigenvectors of Gram matrices, in float64.

    Attributes:
        values: Eigenvalues in ascending order, shape (..., K).
        vectors: Eigenvectors, shape (..., K, K).
    """

    values: Tensor
    vectors: Tensor

    @classmethod
    def of(cls, gram: Tensor) -> Spectrum:
        """Return the spectrum of ``gram`` (..., K, K)."""
        parts = [torch.linalg.eigh(matrices) for matrices in gram.flatten(0, -3).split(MATRICES)]
        values, vectors = (torch.cat(part) for part in zip(*parts, strict=True))
        return cls(values.view(gram.shape[:-1]), vectors.view(gram.shape))

    def inverse(self, tolerance: float) -> tuple[Tensor, Tensor]:
        """Return the pseudo-inverse of the Gram matrices, and the kept part of each row.

        Small eigenvalues are dropped. They belong to directions that the data do not determine, and the inverse would
        divide by their tiny gradients.

        Args:
            tolerance: Eigenvalues under this share of the largest are dropped.

        Returns:
            Pseudo-inverse (..., K, K), and the kept part of each row (..., K): the diagonal of the projector on the
            directions that are left. Its sum over a block is the block's effective rank.

        >>> spectrum = Spectrum.of(torch.diag(torch.tensor([4.0, 0.01], dtype=torch.float64)).unsqueeze(0))
        >>> inverse, kept = spectrum.inverse(0.05)
        >>> inverse.tolist(), kept.tolist()
        ([[[0.25, 0.0], [0.0, 0.0]]], [[1.0, 0.0]])
        """
        kept = (self.values > max(tolerance, ROUNDING) * self.values[..., -1:]) & (self.values > 0)
        inverse_values = torch.where(kept, 1 / torch.where(kept, self.values, 1.0), 0.0).unsqueeze(-2)
        return (self.vectors * inverse_values) @ self.vectors.mT, (self.vectors.square() * kept.unsqueeze(-2)).sum(-1)


def gram(jacobian: Tensor, space: Workspace | None = None) -> Tensor:
    """Return the Gram matrices ``J J^T`` of Jacobians, in float64.

    Args:
        jacobian: Jacobians, shape (..., K, N).
        space: Memory that is used again; None allocates it.

    Returns:
        Gram matrices, shape (..., K, K).
    """
    flat, space = jacobian.flatten(0, -3), space or Workspace()
    products = flat.new_empty(len(flat), *flat.shape[1:2] * 2, dtype=torch.float64)
    for piece in pieces(len(flat), flat[0].numel(), flat.device):
        rows = space.array("gram", flat[piece].shape, flat, torch.float64).copy_(flat[piece])
        torch.bmm(rows, rows.mT, out=products[piece])
    return products.unflatten(0, jacobian.shape[:-2])


def condition(gram: Tensor) -> Tensor:
    """Return the largest over the smallest eigenvalue (...) of ``gram`` (..., K, K)."""
    values = torch.linalg.eigvalsh(gram)
    return values[..., -1] / values[..., 0].clamp_min(1e-30)


def times(inverse: Tensor, jacobian: Tensor) -> Tensor:
    """Return an inverse times Jacobians, in the precision of the Jacobians.

    Args:
        inverse: Matrices, shape (..., k, K).
        jacobian: Jacobians, shape (..., K, T, D).

    Returns:
        Products, shape (..., k, T, D).
    """
    return (inverse.to(jacobian.dtype) @ jacobian.flatten(-2)).unflatten(-1, jacobian.shape[-2:])
