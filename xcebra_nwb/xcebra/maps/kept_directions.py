"""The directions of the latents that the inverse keeps.

Along all other directions the gradient is noise, and an inverse of it drowns the map. A label's block keeps the
directions along which the label moves it (:mod:`.tangents`). Latents that no label owns keep the directions that the
blocks do not predict on held-out data. Seeds and nulls are treated alike, each with the labels on which it was trained.
Shapes: M members, N bins, B bins of a chunk, K latents, k latents of a block, S rows of all labels, L labels,
T bins of a window, D units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from xcebra_nwb.xcebra.encoder import embed
from xcebra_nwb.xcebra.maps.inverse import inverse_along
from xcebra_nwb.xcebra.maps.model import Model, prepared
from xcebra_nwb.xcebra.maps.pieces import in_order
from xcebra_nwb.xcebra.maps.tangents import Kind, Tangents, tangents
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.samples import Block

LEAST_UNEXPLAINED = 0.5  # share of a direction's variance that the blocks must leave
NEIGHBOURS = 50  # their mean is the blocks' prediction of the other latents
FOLDS = 5  # contiguous, because neighbours in time are no test
TESTED = 1500  # largest number of samples of this test and of a mean gradient
ELEMENTS = 4_000_000  # of the Jacobians held at once
CONSTANT = 1e-9  # share of the largest variance below which a direction of the latents does not vary


@dataclass(frozen=True)
class LabelValues:
    """A label as every member was trained on it.

    Attributes:
        kind: ``continuous``, ``circular`` or ``discrete``.
        by_member: Label of each member, (N,) or (N, axis), in rad if it is circular; class codes (N,) if it is
            discrete.
    """

    kind: Kind
    by_member: Sequence[NDArray]


@dataclass(frozen=True)
class KeptDirections:
    """The directions of the latents that the inverse keeps at every bin.

    Attributes:
        blocks: Block of latents of each label.
        tangents: Tangents of each label and member.
        free: Latents that no label owns.
        free_directions: Projector (free, free) of each member on the kept directions of these latents.
        secants: Mean gradient (M, T, D) of each latent of a discrete label.
    """

    blocks: Sequence[Block]
    tangents: Sequence[Sequence[Tangents]]
    free: Integers
    free_directions: Sequence[Floats]
    secants: dict[int, Tensor]

    @property
    def free_count(self) -> Integers:
        """The number of kept directions of the latents that no label owns, shape (M,)."""
        return np.array([round(projector.trace()) for projector in self.free_directions], dtype=np.int64)

    def only(self, members: Sequence[int]) -> KeptDirections:
        """Return the kept directions of these ``members`` alone."""
        return replace(
            self,
            tangents=[[by_member[member] for member in members] for by_member in self.tangents],
            free_directions=[self.free_directions[member] for member in members],
            secants={latent: mean[list(members)] for latent, mean in self.secants.items()},
        )

    def replaced(self, jacobian: Tensor) -> Tensor:
        """Return the Jacobian that is inverted: class latents get their mean gradient.

        A class latent rests on plateaus, where its gradient at a bin is noise, and a class has no increment smaller
        than the way to the next class.

        Args:
            jacobian: Jacobian, shape (M, B, K, T, D).
        """
        if not self.secants:
            return jacobian
        changed = jacobian.clone()
        for latent, mean in self.secants.items():
            changed[:, :, latent] = mean.unsqueeze(1)
        return changed

    def inverse(self, gram: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return the inverse of Gram matrices along the kept directions, in float64.

        :func:`.inverse.times` the :meth:`replaced` Jacobian, it is the transposed pseudo-inverse of the Jacobian's
        projection.

        Args:
            gram: Gram matrices of the replaced Jacobian, shape (M, B, K, K).
            first: Number of the first bin.

        Returns:
            Inverse (M, B, K, K), and the kept part of each latent (M, B, K).
        """
        return inverse_along(gram, self._projector(first, *gram.shape[1:3]).to(gram.device))

    def label_displacement(self, inverse: Tensor, first: int) -> Tensor:
        """Return the displacement of the latents with each label, in the inverse's units.

        Args:
            inverse: The inverse of :meth:`inverse`, shape (M, B, K, K).
            first: Number of the first bin.

        Returns:
            Rows (M, B, S, K) of all labels below each other, to be multiplied with the Jacobian as the inverse is.
        """
        bins = slice(first, first + inverse.shape[1])
        rows = [
            table.at(table.displacement, bins).to(inverse.device) @ inverse[:, :, block.first : block.last]
            for block, table in zip(self.blocks, self._tables, strict=True)
        ]
        return torch.cat(rows, dim=2)

    def shares(self, squares: Tensor) -> Tensor:
        """Return the share of each unit in each label, squared.

        The share is the change of the unit with the label, whatever the scale of the latents. It has unit norm over
        units, because a bin in which the encoder has almost no gradient has a huge inverse.

        Args:
            squares: Squares of the displaced units, shape (M, B, S, D).

        Returns:
            Squared shares, shape (M, L, B, D).
        """
        widths = [block.last - block.first for block in self.blocks]
        label = torch.stack([block.sum(dim=2) for block in squares.split(widths, dim=2)], dim=1)
        total = label.sum(dim=3, keepdim=True)
        return label / torch.where(total > 0, total, 1.0)

    @cached_property
    def _tables(self) -> list[_Table]:
        return [_Table.of(by_member) for by_member in self.tangents]

    def _projector(self, first: int, bins: int, latents: int) -> Tensor:
        """The projector (M, B, K, K) on the span of all kept directions."""
        bin_range, free = slice(first, first + bins), torch.as_tensor(self.free)
        whole = torch.zeros(len(self.free_directions), bins, latents, latents, dtype=torch.float64)
        for block, table in zip(self.blocks, self._tables, strict=True):
            whole[:, :, block.first : block.last, block.first : block.last] += table.at(table.projector, bin_range)
        whole[:, :, free[:, None], free] += torch.as_tensor(np.stack(self.free_directions)).unsqueeze(1)
        shared = (_owners(self.blocks, latents) > 1).any()
        return _onto_span(whole) if shared else whole


class _Table(NamedTuple):
    """The tangents of one label of all members in one table, which is read for many bins at once."""

    row: Tensor  # (M, N) the row of every bin
    projector: Tensor  # (row, k, k)
    displacement: Tensor  # (row, k, k)

    @classmethod
    def of(cls, by_member: Sequence[Tangents]) -> _Table:
        before = np.cumsum([0, *[len(member.projector) for member in by_member]])
        row = np.stack([member.label_bin + start for member, start in zip(by_member, before[:-1], strict=True)])
        parts = zip(*[(member.projector, member.displacement) for member in by_member], strict=True)
        tables = (np.concatenate(part) for part in parts)
        return cls(torch.as_tensor(row.astype(np.int32)), *map(torch.as_tensor, tables))

    def at(self, values: Tensor, bins: slice) -> Tensor:
        """The rows of ``values`` (row, k, k) at ``bins``, (M, B, k, k)."""
        row = self.row[:, bins]
        return values.index_select(0, row.flatten()).unflatten(0, row.shape)


def directions_to_keep(model: Model, bins: Integers, labels: Sequence[LabelValues]) -> KeptDirections:
    """Return the directions of the latents to keep at given bins.

    Args:
        model: The trained ensemble; its labels own the blocks.
        bins: Bins at which maps are computed, shape (N,).
        labels: The labels at the same bins, in the order of the model's labels.
    """
    raw = torch.as_tensor(embed(model.shape, model.layers, model.inputs, bins))
    latents = prepared(raw, model.labels, model.contrast).numpy()  # (M, N, K)
    owners = _owners(model.labels, model.shape.outputs)
    free = np.flatnonzero(owners == 0)
    by_label = []
    for block, label in zip(model.labels, labels, strict=True):
        block_latents = latents[:, :, block.first : block.last]
        by_member = zip(block_latents, label.by_member, strict=True)
        by_label.append([tangents(z, values, label.kind) for z, values in by_member])
    classes = [b for b, label in zip(model.labels, labels, strict=True) if label.kind == "discrete"]
    mean = mean_gradient(model, bins) if classes else torch.zeros(0)
    secants = {k: mean[:, k] for b in classes for k in range(b.first, b.last) if owners[k] == 1}
    projectors = list(in_order(partial(free_directions, free=free), latents, torch.get_num_threads()))
    return KeptDirections(model.labels, by_label, free, projectors, secants)


def mean_gradient(model: Model, bins: Integers) -> Tensor:
    """Return the mean Jacobian (M, K, T, D) over evenly chosen ``bins``, in float64."""
    sampled = bins[np.unique(np.linspace(0, len(bins) - 1, TESTED).round().astype(np.int64))]
    shape = model.shape
    size = max(1, ELEMENTS // (model.members * shape.outputs * shape.window * shape.units))
    pieces = (sampled[start : start + size] for start in range(0, len(sampled), size))
    sums = [model.jacobian(piece).double().sum(dim=1) for piece in pieces]
    return torch.stack(sums).sum(dim=0) / len(sampled)


def _owners(blocks: Sequence[Block], latents: int) -> Integers:
    """The number of blocks that own each latent, (K,)."""
    owners = np.zeros(latents, dtype=np.int64)
    for block in blocks:
        owners[block.first : block.last] += 1
    return owners


def free_directions(latents: Floats, free: Integers) -> Floats:
    """Return the directions of latents that the other latents do not predict.

    The others predict them by nearest neighbours in contiguous held-out folds. A generalised eigenproblem finds the
    directions with extreme shares of unexplained variance, so no axis or scale of the latents matters. The directions
    with a share of at least :data:`LEAST_UNEXPLAINED` are kept.

    Args:
        latents: Latents, shape (N, K).
        free: Numbers of the latents that are predicted.

    Returns:
        Projector on the kept directions, shape (free, free).
    """
    if not len(free):
        return np.zeros((0, 0))
    targets = latents[:, free].astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(targets.T).reshape(len(free), len(free)))
    varies = values > max(CONSTANT * values[-1], np.finfo(float).tiny)
    whitening = vectors[:, varies] / np.sqrt(values[varies])  # (free, varying)
    residual = _residual(np.delete(latents, free, axis=1), targets @ whitening)
    unexplained, axes = np.linalg.eigh(residual.T @ residual / len(residual))
    kept, _ = np.linalg.qr(whitening @ axes[:, unexplained >= LEAST_UNEXPLAINED])
    projector: Floats = kept @ kept.T
    return projector


def _residual(known: Floats, targets: Floats) -> Floats:
    """The errors of nearest neighbours in ``known`` (N, k), from other folds, at the tested ``targets``."""
    fold = np.arange(len(known)) * FOLDS // len(known)
    tested = np.unique(np.linspace(0, len(known) - 1, TESTED).astype(np.int64))
    residual = []
    for number in range(FOLDS):
        held_out, elsewhere = tested[fold[tested] == number], np.flatnonzero(fold != number)
        count = min(NEIGHBOURS, len(elsewhere))
        _, near = cKDTree(known[elsewhere]).query(known[held_out], count)
        residual.append(targets[held_out] - targets[elsewhere[near.reshape(len(held_out), count)]].mean(axis=1))
    return np.concatenate(residual)


def _onto_span(whole: Tensor) -> Tensor:
    """Projectors on the span of sums of projectors (..., K, K), for blocks that share latents."""
    values, vectors = torch.linalg.eigh(whole)
    kept = vectors * (values > 1e-6).unsqueeze(-2)
    return kept @ kept.mT
