"""The maps of a chunk of bins: what it adds to the sums over all bins.

Shapes: M members, B bins of the chunk, L labels, K latents, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.directions import Directions
from xcebra_nwb.xcebra.inverse import condition, gram, pseudo_inverse, times
from xcebra_nwb.xcebra.model import Model
from xcebra_nwb.xcebra.training import Block

Floats = NDArray[np.float64]
INVERSE, PLAIN, FORWARD = "inverted_neuron_gradient", "inverted_neuron_gradient_plain", "neuron_gradient"
BLIND = 1e-12  # norm of a Jacobian below which a bin has none: in float32 its inverse, squared, would not be finite


class BinMaps(NamedTuple):
    """A method's maps of a chunk."""

    label: NDArray  # (M, L, D) squared, sum over bins
    latent: NDArray  # (M, K, D) sum over bins
    squares: Tensor  # (M, L, B, D) squared label maps of every bin

    @classmethod
    def of(cls, square: Tensor, labels: Tensor) -> BinMaps:
        """Return those of squared latent maps ``square`` (M, B, K, D) and squared label maps (M, L, B, D)."""
        return cls(labels.sum(dim=2).cpu().numpy(), square.sqrt().sum(dim=1).cpu().numpy(), labels)

    @classmethod
    def of_blocks(cls, values: Tensor, blocks: Sequence[Block]) -> BinMaps:
        """Return those of ``values`` (M, B, K, T, D), whose label maps are sums over the labels' blocks."""
        square = _squares(values)
        return cls.of(square, torch.stack([square[:, :, b.first : b.last].sum(dim=2) for b in blocks], dim=1))


class Part(NamedTuple):
    """Everything that is made of a chunk's Jacobians."""

    bins: int
    maps: dict[str, BinMaps]  # by method
    rank: NDArray  # (M, L) kept directions of each label's block, sum over bins
    usable: NDArray  # (M,) bins whose Jacobian is not zero
    conditions: NDArray[np.float32]  # (M, some of the bins) NaN where it is zero


def of_jacobian(
    model: Model,
    cut: float | Directions,
    methods: Sequence[str],
    every: int,
    first: int,
    bins: NDArray[np.int64],
) -> Part:
    """Return what is made of the Jacobians of ``model`` at ``bins``, of which ``first`` is the number of the first.

    The conditions are those of the bins whose number is a multiple of ``every``.
    """
    jacobian = model.jacobian(bins)
    squared = gram(jacobian.flatten(3))
    sees = squared.diagonal(dim1=-2, dim2=-1).sum(dim=-1) > BLIND**2  # (M, B)
    squared = squared * sees[..., None, None]
    inverse, kept, inverted = _inverse(jacobian, squared, sees, cut, first)
    maps = {}
    if INVERSE in methods:
        maps[INVERSE] = _of_inverse(inverse, inverted, cut, first, model.labels)
    if PLAIN in methods:
        maps[PLAIN] = BinMaps.of_blocks(times(pseudo_inverse(squared, 0.0)[0], jacobian), model.labels)
    if FORWARD in methods:
        maps[FORWARD] = BinMaps.of_blocks(jacobian, model.labels)
    rank = torch.stack([kept[:, :, b.first : b.last].sum(dim=(1, 2)) for b in model.labels], dim=1)
    some = slice(-first % every, None, every)
    conditions = condition(squared[:, some]).where(sees[:, some], torch.nan).float()
    found = (values.cpu().numpy() for values in (rank, sees.sum(dim=1), conditions))
    return Part(len(bins), maps, *found)


def _inverse(
    jacobian: Tensor, squared: Tensor, sees: Tensor, cut: float | Directions, first: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse (M, B, K, K) of Gram matrices, what it keeps (M, B, K), and the Jacobians to multiply it with."""
    if not isinstance(cut, Directions):
        return *pseudo_inverse(squared, cut), jacobian
    replaced = cut.replaced(jacobian)
    inverse, kept = cut.inverse(squared if replaced is jacobian else gram(replaced.flatten(3)), first)
    return inverse * sees[..., None, None], kept * sees[..., None], replaced


def _of_inverse(
    inverse: Tensor, jacobian: Tensor, cut: float | Directions, first: int, labels: Sequence[Block]
) -> BinMaps:
    """The maps by the inverse; with directions, what a step of each label changes is one product with it."""
    if not isinstance(cut, Directions):
        return BinMaps.of_blocks(times(inverse, jacobian), labels)
    latents = inverse.shape[2]
    square = _squares(times(torch.cat([inverse, cut.moved(inverse, first)], dim=2), jacobian))
    return BinMaps.of(square[:, :, :latents], cut.shares(square[:, :, latents:]))


def _squares(values: Tensor) -> Tensor:
    """The squares of ``values`` (M, B, R, T, D), sum over lags: (M, B, R, D)."""
    return values.square().sum(dim=3)
