"""The maps of a chunk of bins, which are added to the sums over all bins.

Shapes: M members, B bins of the chunk, L labels, K latents, T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.maps.inverse import condition, gram, pseudo_inverse, times
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections
from xcebra_nwb.xcebra.maps.model import Model
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.samples import Block

INVERSE, PLAIN, FORWARD = "inverted_neuron_gradient", "inverted_neuron_gradient_plain", "neuron_gradient"
ZERO_JACOBIAN = 1e-12  # norm below which a Jacobian counts as zero: its squared inverse would not be finite in float32


class BinMaps(NamedTuple):
    """The maps of one method for a chunk of bins.

    Attributes:
        label: Squared label maps, summed over bins, shape (M, L, D).
        latent: Latent maps, summed over bins, shape (M, K, D).
        squares: Squared label maps of every bin, shape (M, L, B, D); None if they are not wanted.
    """

    label: NDArray
    latent: NDArray
    squares: Tensor | None

    @classmethod
    def of_blocks(cls, values: Tensor, blocks: Sequence[Block], resolved: bool) -> BinMaps:
        """Return the maps of contributions; label maps are sums over the labels' blocks.

        Args:
            values: Contributions (M, B, K, T, D), which are overwritten.
            blocks: Block of latents of each label.
            resolved: Whether the label maps of every bin are wanted.
        """
        norms = _norms(values)
        latent, square = norms.sum(dim=1), norms.square_()
        if resolved:
            labels = _of_labels(square, blocks, 2)
            return cls(_array(labels.sum(dim=2)), _array(latent), labels)
        return cls(_array(_of_labels(square.sum(dim=1), blocks, 1)), _array(latent), None)

    @classmethod
    def joined(cls, parts: Sequence[BinMaps]) -> BinMaps:
        """Return the maps of the members of all ``parts``, in their order."""
        squares = [part.squares for part in parts if part.squares is not None]
        label, latent = (np.concatenate(arrays) for arrays in zip(*[(p.label, p.latent) for p in parts], strict=True))
        return cls(label, latent, torch.cat(squares) if squares else None)


def _of_labels(square: Tensor, blocks: Sequence[Block], latents: int) -> Tensor:
    """The sums of ``square`` over the latents of every label, along dimension ``latents``: (M, L, ...)."""
    return torch.stack([square.narrow(latents, b.first, b.last - b.first).sum(dim=latents) for b in blocks], dim=1)


class Part(NamedTuple):
    """All results from the Jacobians of a chunk of bins.

    Attributes:
        bins: Number of bins.
        maps: Maps of each method.
        rank: Kept directions of each label's block, summed over bins, shape (M, L).
        usable: Number of bins whose Jacobian is not zero, shape (M,).
        conditions: Condition numbers at some of the bins, NaN where the Jacobian is zero, shape (M, bin).
    """

    bins: int
    maps: dict[str, BinMaps]
    rank: NDArray
    usable: NDArray
    conditions: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence[Part]) -> Part:
        """Return the results for the members of all ``parts``, in their order."""
        methods = {method: BinMaps.joined([part.maps[method] for part in parts]) for method in parts[0].maps}
        arrays = (
            np.concatenate(values) for values in zip(*[(p.rank, p.usable, p.conditions) for p in parts], strict=True)
        )
        return cls(parts[0].bins, methods, *arrays)


@dataclass(frozen=True)
class Wanted:
    """The results that are computed from the Jacobians.

    Attributes:
        rank_cut: Relative eigenvalue threshold of the inverse, or the directions to keep.
        methods: Names of the methods.
        resolved: Whether the label maps of every bin are wanted.
        every: Condition numbers are computed at the bins whose number is a multiple of this.
    """

    rank_cut: float | KeptDirections
    methods: Sequence[str]
    resolved: bool
    every: int

    def only(self, members: Sequence[int]) -> Wanted:
        """Return the same for these ``members`` alone."""
        rank_cut = self.rank_cut
        return replace(self, rank_cut=rank_cut.only(members)) if isinstance(rank_cut, KeptDirections) else self


@torch.no_grad()
def of_jacobian(model: Model, wanted: Wanted, first: int, bins: Integers, space: Workspace) -> Part:
    """Return the results from the Jacobians at a chunk of bins.

    Args:
        model: The trained ensemble.
        wanted: Results to compute.
        first: Number of the first bin among all bins.
        bins: Bins of the chunk, shape (B,).
        space: Memory that is used again for every chunk.
    """
    rank_cut, blocks, maps = wanted.rank_cut, model.labels, {}
    jacobian = model.jacobian(bins, space)
    squared = gram(jacobian.flatten(3), space)
    has_gradient = squared.diagonal(dim1=-2, dim2=-1).sum(dim=-1) > ZERO_JACOBIAN**2  # (M, B)
    squared *= has_gradient[..., None, None]
    inverse, kept, inverted = _inverse(jacobian, squared, has_gradient, rank_cut, first, space)
    if PLAIN in wanted.methods:
        values = times(pseudo_inverse(squared, 0.0)[0], jacobian)
        maps[PLAIN] = BinMaps.of_blocks(values, blocks, wanted.resolved)
    if INVERSE in wanted.methods:
        maps[INVERSE] = _of_inverse(inverse, inverted, wanted, first, blocks)
    if FORWARD in wanted.methods:
        # This method comes last, because it overwrites the Jacobian.
        maps[FORWARD] = BinMaps.of_blocks(jacobian, blocks, wanted.resolved)
    rank = torch.stack([kept[:, :, b.first : b.last].sum(dim=(1, 2)) for b in blocks], dim=1)
    examined = slice(-first % wanted.every, None, wanted.every)
    conditions = condition(squared[:, examined]).where(has_gradient[:, examined], torch.nan).float()
    arrays = map(_array, (rank, has_gradient.sum(dim=1), conditions))
    return Part(len(bins), maps, *arrays)


def _inverse(
    jacobian: Tensor,
    squared: Tensor,
    has_gradient: Tensor,
    rank_cut: float | KeptDirections,
    first: int,
    space: Workspace,
) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse (M, B, K, K) of Gram matrices, its kept part (M, B, K), and the Jacobians to multiply."""
    if not isinstance(rank_cut, KeptDirections):
        return *pseudo_inverse(squared, rank_cut), jacobian
    replaced = rank_cut.replaced(jacobian)
    inverse, kept = rank_cut.inverse(squared if replaced is jacobian else gram(replaced.flatten(3), space), first)
    return inverse * has_gradient[..., None, None], kept * has_gradient[..., None], replaced


def _of_inverse(inverse: Tensor, jacobian: Tensor, wanted: Wanted, first: int, labels: Sequence[Block]) -> BinMaps:
    """The maps by the inverse; with kept directions, the change of the units with each label."""
    rank_cut = wanted.rank_cut
    if not isinstance(rank_cut, KeptDirections):
        return BinMaps.of_blocks(times(inverse, jacobian), labels, wanted.resolved)
    latents = inverse.shape[2]
    norms = _norms(times(torch.cat([inverse, rank_cut.label_displacement(inverse, first)], dim=2), jacobian))
    shares = rank_cut.shares(norms[:, :, latents:].square_())
    return BinMaps(_array(shares.sum(dim=2)), _array(norms[:, :, :latents].sum(dim=1)), shares)


def _norms(values: Tensor) -> Tensor:
    """The norms over lags (M, B, R, D) of ``values`` (M, B, R, T, D), which are overwritten."""
    return values.squeeze(3).abs_() if values.shape[3] == 1 else values.square_().sum(dim=3).sqrt_()


def _array(values: Tensor) -> NDArray:
    return values.cpu().numpy()
