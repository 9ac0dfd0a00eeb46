"""Attribution maps: the inverted neuron gradient and the neuron gradient, streamed over time.

For every usable bin the Jacobian of the encoder on its full window, J (K latents x T bins * D units), is inverted
(Schneider et al., AISTATS 2025, arXiv 2502.12977); a unit's share is the L2 norm over the lags. The label map is the
root of the mean over time of the squared entries of the label's block, since latents inside a block are identified
only up to a linear map; the latent map is the mean of the absolute entries. Running sums over chunks of bins: memory
does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra import encoder
from xcebra_nwb.xcebra.encoder import Architecture, Layer
from xcebra_nwb.xcebra.inverse import pseudo_inverse
from xcebra_nwb.xcebra.loss import Contrast
from xcebra_nwb.xcebra.training import Block

METHODS = ("inverted_neuron_gradient", "neuron_gradient")
CHUNK_ELEMENTS = 4_000_000  # elements of the Jacobians held at once


@dataclass
class Maps:
    """The maps of a stack; M members, L labels, K latents, D units."""

    label: dict[str, NDArray[np.float64]]  # method: (M, L, D)
    latent: dict[str, NDArray[np.float64]]  # method: (M, K, D)
    effective_rank: NDArray[np.float64]  # (M, L) kept directions of each label's block, mean over bins
    condition: NDArray[np.float64]  # (M,) median over bins of the Gram's largest over smallest eigenvalue
    usable: NDArray[np.float64]  # (M,) share of the bins whose Jacobian is not zero
    over_time: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # method: (L, bin, D), if asked for


def attribute(
    inputs: Tensor,
    shape: Architecture,
    layers: list[Layer],
    labels: Sequence[Block],
    bins: NDArray[np.int64],
    contrast: Contrast,
    rank_tolerance: float,
    methods: Sequence[str] = METHODS,
    over_time_members: Sequence[int] = (),
    progress: Callable[[int], None] = lambda bins: None,
) -> Maps:
    """Return the maps of every member, averaged over ``bins`` of ``inputs`` (time, D).

    Bins whose Jacobian is zero (saturated outputs) carry no information and are left out of the means; the share that
    is left is reported. With ``over_time_members`` the label maps of every bin are kept too, as the mean over those
    members.
    """
    members, latents, units = layers[0][0].shape[0], shape.outputs, shape.units
    sums = _Sums(members, len(labels), latents, units, methods)
    over_time: dict[str, list[NDArray[np.float32]]] = {method: [] for method in methods}
    for chunk in chunks(bins, members * latents * shape.window * units):
        windows = encoder.gather_windows(inputs, torch.as_tensor(chunk, device=inputs.device), shape.window)
        with torch.no_grad():
            jacobian = block_jacobian(shape, layers, windows.expand(members, *windows.shape), labels, contrast)
        squares = sums.add(jacobian, labels, rank_tolerance)
        for method in methods if len(over_time_members) else ():
            mean = squares[method][list(over_time_members)].sqrt().mean(dim=0)
            over_time[method].append(mean.float().cpu().numpy())
        progress(len(chunk))
    maps = sums.result(len(bins))
    if len(over_time_members):
        maps.over_time = {method: np.concatenate(parts, axis=1) for method, parts in over_time.items()}
    return maps


def chunks(bins: NDArray[np.int64], elements_a_bin: int) -> Iterator[NDArray[np.int64]]:
    """Yield ``bins`` in pieces whose Jacobians fit into the memory set aside for them."""
    size = max(1, CHUNK_ELEMENTS // elements_a_bin)
    for start in range(0, len(bins), size):
        yield bins[start : start + size]


def block_jacobian(
    shape: Architecture, layers: list[Layer], windows: Tensor, labels: Sequence[Block], contrast: Contrast
) -> Tensor:
    """Return the Jacobian (M, B, K, T, D) of the latents, each label's block prepared as it is compared.

    For the cosine that is the block at unit length; latents that no label owns are one more block. Latents that two
    labels share stay as they are.
    """
    latents, jacobian = encoder.jacobian(shape, layers, windows)
    if contrast.similarity == "euclidean":
        return jacobian
    for columns in _disjoint_blocks(labels, shape.outputs):
        part = latents[..., columns].unsqueeze(2)  # (M, B, 1, k)
        rows = torch.eye(len(columns), dtype=latents.dtype, device=latents.device)
        projection = contrast.pull_back(part, rows.expand(*part.shape[:2], *rows.shape))  # (M, B, k, k)
        block = jacobian[:, :, columns]
        jacobian[:, :, columns] = torch.einsum("mbij,mbjtd->mbitd", projection, block)
    return jacobian


def _disjoint_blocks(labels: Sequence[Block], outputs: int) -> list[list[int]]:
    owners = [[n for n, block in enumerate(labels) if block.first <= k < block.last] for k in range(outputs)]
    groups: dict[int, list[int]] = {}
    for latent, owner in enumerate(owners):
        if len(owner) < 2:
            groups.setdefault(owner[0] if owner else -1, []).append(latent)
    return list(groups.values())


def _median_of_known(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The median over bins (M,) of what is known of ``values`` (M, bin)."""
    return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in values])


class _Sums:
    """Running sums over bins of everything that the maps are made of."""

    def __init__(self, members: int, labels: int, latents: int, units: int, methods: Sequence[str]) -> None:
        self.label = {method: np.zeros((members, labels, units)) for method in methods}
        self.latent = {method: np.zeros((members, latents, units)) for method in methods}
        self.rank = np.zeros((members, labels))
        self.count = np.zeros(members)
        self.conditions: list[NDArray[np.float32]] = []

    def add(self, jacobian: Tensor, labels: Sequence[Block], rank_tolerance: float) -> dict[str, Tensor]:
        """Add a chunk's Jacobians (M, B, K, T, D); return each method's squared label maps (M, L, B, D)."""
        members, bins, latents, lags, units = jacobian.shape
        flat = jacobian.reshape(members, bins, latents, lags * units)
        inverse, projector, values = pseudo_inverse(flat, rank_tolerance)
        by_method = {
            "inverted_neuron_gradient": inverse.mT.reshape(members, bins, latents, lags, units),
            "neuron_gradient": jacobian.double(),
        }
        squares = {}
        for method in self.label:
            square = by_method[method].square().sum(dim=3)  # (M, B, K, D), over the lags
            self.latent[method] += square.sqrt().sum(dim=1).cpu().numpy()
            squares[method] = torch.stack([square[:, :, b.first : b.last].sum(dim=2) for b in labels], dim=1)
            self.label[method] += squares[method].sum(dim=2).cpu().numpy()
        diagonal = projector.diagonal(dim1=-2, dim2=-1).sum(dim=1)  # (M, K)
        self.rank += torch.stack([diagonal[:, b.first : b.last].sum(dim=1) for b in labels], dim=1).cpu().numpy()
        self.count += (values[..., -1] > 0).sum(dim=1).cpu().numpy()
        condition = values[..., -1] / values[..., 0].clamp_min(1e-30)
        self.conditions.append(condition.where(values[..., -1] > 0, torch.nan).float().cpu().numpy())
        return squares

    def result(self, bins: int) -> Maps:
        count = np.where(self.count > 0, self.count, np.nan)  # no bin with a gradient, no map
        return Maps(
            label={m: np.sqrt(total / count[:, None, None]) for m, total in self.label.items()},
            latent={m: total / count[:, None, None] for m, total in self.latent.items()},
            effective_rank=self.rank / count[:, None],
            condition=_median_of_known(np.concatenate(self.conditions, axis=1)),
            usable=self.count / max(bins, 1),
        )
