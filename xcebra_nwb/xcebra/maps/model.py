"""A trained stack and the recording that it reads: what every attribution method is a function of.

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
    """The encoders of a stack, each label's block prepared as the loss compares it."""

    inputs: EncoderInput  # (time, D) what the encoders see
    shape: Architecture
    layers: list[Layer]
    labels: Sequence[Block]
    contrast: Contrast

    @property
    def members(self) -> int:
        """The number of encoders in the stack."""
        return int(self.layers[0][0].shape[0])

    def only(self, members: Sequence[int]) -> Model:
        """Return the stack of these ``members``."""
        chosen = list(members)
        return replace(self, layers=[(weight[chosen], bias[chosen]) for weight, bias in self.layers])

    def embed(self, bins: Integers) -> Tensor:
        """Return the prepared latents (M, B, K) at ``bins``, in chunks."""
        latents = torch.as_tensor(encoder.embed(self.shape, self.layers, self.inputs, bins))
        return prepared(latents.to(self.inputs.device), self.labels, self.contrast)

    def windows(self, bins: Integers) -> Tensor:
        """Return the windows (B, T, D) around ``bins``."""
        return encoder.gather_windows(self.inputs, torch.as_tensor(bins, device=self.inputs.device), self.shape.window)

    def latents(self, windows: Tensor) -> Tensor:
        """Return the prepared latents (M, B, K) of ``windows``: (B, T, D), or (M, B, T, D) for each member its own."""
        by_member = windows.expand(self.members, *windows.shape[-3:])
        return prepared(encoder.forward(self.shape, self.layers, by_member)[0], self.labels, self.contrast)

    def jacobian(self, bins: Integers, space: Workspace | None = None) -> Tensor:
        """Return the Jacobian (M, B, K, T, D) of the prepared latents at the windows around ``bins``, in ``space``."""
        rows = partial(prepared_rows, labels=self.labels, contrast=self.contrast)
        return jacobian(self.shape, self.layers, self.inputs, bins, rows, space)


def prepared(latents: Tensor, labels: Sequence[Block], contrast: Contrast) -> Tensor:
    """Return ``latents`` (..., K) with each label's block as it is compared: at unit length for the cosine.

    Latents that no label owns are one more block. Latents that two labels share stay as they are.
    """
    if contrast.similarity == "euclidean":
        return latents
    changed = latents.clone()
    for columns in disjoint_blocks(labels, latents.shape[-1]):
        changed[..., columns] = contrast.prepare(latents[..., columns])
    return changed


def prepared_rows(latents: Tensor, labels: Sequence[Block], contrast: Contrast) -> Tensor:
    """Return the derivatives (M, B, K, K) of the :func:`prepared` latents by ``latents`` (M, B, K), row by row.

    They are (M, 1, K, K) where they are the same for all latents.
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
    """Return the latents that belong to one label, label by label, and those that belong to none."""
    return [latents for owners, latents in _by_owners(labels, outputs).items() if len(owners) < 2]


def partition(labels: Sequence[Block], outputs: int) -> list[list[int]]:
    """Return all latents by the labels that own them: a label's alone, those that the same labels share, the rest."""
    return list(_by_owners(labels, outputs).values())


def _by_owners(labels: Sequence[Block], outputs: int) -> dict[tuple[int, ...], list[int]]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for latent in range(outputs):
        owners = tuple(n for n, block in enumerate(labels) if block.first <= latent < block.last)
        groups.setdefault(owners, []).append(latent)
    return groups
