"""A trained ensemble and its recording: the input of attribution methods.

Shapes: M members, B windows, T bins, D units, K latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.maps.jacobian import identity, jacobian
from xcebra_nwb.xcebra.maps.pieces import Workspace
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.samples import Block
from xcebra_nwb.xcebra.trainers.loss import Contrast


@dataclass(frozen=True)
class Model:
    """The encoders of an ensemble, with latents prepared as the loss compares them.

    Attributes:
        inputs: Encoder input (time, D).
        shape: Architecture of the encoders.
        layers: Layers of all members.
        labels: Block of latents of each label.
        contrast: How latents are compared.
    """

    inputs: EncoderInput
    shape: Architecture
    layers: list[Layer]
    labels: Sequence[Block]
    contrast: Contrast

    @property
    def members(self) -> int:
        """The number of encoders in the ensemble."""
        return int(self.layers[0][0].shape[0])

    def only(self, members: Sequence[int]) -> Model:
        """Return the ensemble of these ``members`` alone."""
        chosen = list(members)
        return replace(self, layers=[(weight[chosen], bias[chosen]) for weight, bias in self.layers])

    def embed(self, bins: Integers) -> Tensor:
        """Return the prepared latents (M, B, K) at ``bins``, computed in chunks."""
        latents = torch.as_tensor(encoder.embed(self.shape, self.layers, self.inputs, bins))
        return prepared(latents.to(self.inputs.device), self.labels, self.contrast)

    def windows(self, bins: Integers) -> Tensor:
        """Return the windows (B, T, D) around ``bins``."""
        return encoder.gather_windows(self.inputs, torch.as_tensor(bins, device=self.inputs.device), self.shape.window)

    def latents(self, windows: Tensor) -> Tensor:
        """Return the prepared latents of windows.

        Args:
            windows: Activity (B, T, D), or (M, B, T, D) with separate windows for each member.

        Returns:
            Latents, shape (M, B, K).
        """
        by_member = windows.expand(self.members, *windows.shape[-3:])
        return prepared(encoder.forward(self.shape, self.layers, by_member)[0], self.labels, self.contrast)

    def jacobian(self, bins: Integers, space: Workspace | None = None) -> Tensor:
        """Return the Jacobian of the prepared latents at given bins.

        Args:
            bins: Bins (B,) in any order.
            space: Memory for the computation and the result; None allocates it.

        Returns:
            Jacobian, shape (M, B, K, T, D).
        """
        rows = partial(prepared_rows, labels=self.labels, contrast=self.contrast)
        return jacobian(self.shape, self.layers, self.inputs, bins, rows, space)


def prepared(latents: Tensor, labels: Sequence[Block], contrast: Contrast) -> Tensor:
    """Return latents as the loss compares them, block by block.

    For the cosine each label's block has unit length. Latents that no label owns are one more block. Latents that two
    labels share stay as they are.

    Args:
        latents: Latents, shape (..., K).
        labels: Block of latents of each label.
        contrast: How latents are compared.
    """
    if contrast.similarity == "euclidean":
        return latents
    changed = latents.clone()
    for columns in disjoint_blocks(labels, latents.shape[-1]):
        changed[..., columns] = contrast.prepare(latents[..., columns])
    return changed


def prepared_rows(latents: Tensor, labels: Sequence[Block], contrast: Contrast) -> Tensor:
    """Return the derivatives of the :func:`prepared` latents by the latents.

    Args:
        latents: Latents, shape (M, B, K).
        labels: Block of latents of each label.
        contrast: How latents are compared.

    Returns:
        Derivatives (M, B, K, K), or (M, 1, K, K) if they are the same for all latents.
    """
    rows = identity(latents)
    if contrast.similarity == "euclidean":
        return rows
    changed = rows.repeat(1, latents.shape[1], 1, 1)
    for columns in disjoint_blocks(labels, latents.shape[-1]):
        block, block_latents = torch.as_tensor(columns, device=latents.device), latents[..., columns]
        changed[:, :, block[:, None], block] = contrast.pull_back(block_latents.unsqueeze(2), identity(block_latents))
    return changed


def disjoint_blocks(labels: Sequence[Block], outputs: int) -> list[list[int]]:
    """Return the latents that one label alone owns, and those that none owns.

    >>> disjoint_blocks([Block("position", 0, 2), Block("speed", 1, 3)], 4)
    [[0], [2], [3]]
    """
    return [latents for owners, latents in _by_owners(labels, outputs).items() if len(owners) < 2]


def partition(labels: Sequence[Block], outputs: int) -> list[list[int]]:
    """Return all latents, grouped by the labels that own them.

    >>> partition([Block("position", 0, 2), Block("speed", 1, 3)], 4)
    [[0], [1], [2], [3]]
    """
    return list(_by_owners(labels, outputs).values())


def _by_owners(labels: Sequence[Block], outputs: int) -> dict[tuple[int, ...], list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for latent in range(outputs):
        owners = tuple(n for n, block in enumerate(labels) if block.first <= latent < block.last)
        groups.setdefault(owners, []).append(latent)
    return groups
