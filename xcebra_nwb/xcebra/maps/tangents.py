"""The directions along which a label moves its block of latents.

A label of m dimensions moves a block along m directions at most, whatever the block's width: the slopes of the latents'
mean given the label. They are computed by local linear regression (Cleveland 1979, JASA 74:829) on bins of the label,
so that each part of the label counts alike, however long the animal spends there. The classes of a discrete label have
no slope; the differences between the means of the classes take its part.
Shapes: N samples, P label bins, p label bins of a chunk, k latents of the block, m dimensions of the label.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xcebra_nwb.xcebra.sampling.groups import Floats, Integers

Kind = Literal["continuous", "circular", "discrete"]
TURN = 2 * np.pi
CELL = 0.1  # width of a label bin, in standard deviations of the label's axis; rad for an angle
NEIGHBOURS = 0.05  # share of the label bins that a slope is fitted to; maps are the same from 0.02 to 0.15 (measured)
MOST_NEIGHBOURS = 200
REACH = 1.2  # radius of the kernel, relative to the farthest of these neighbours
NO_MOVE = 1e-6  # displacements below this share of the largest are rounding
LABEL_BINS_AT_ONCE = 512


class Tangents(NamedTuple):
    """The directions of a block at every bin of its label.

    Attributes:
        label_bin: Label bin of every sample, shape (N,).
        projector: Projector on the directions, shape (P, k, k).
        displacement: Symmetric map (P, k, k): how far the label moves the block along the directions, for each standard
            deviation or rad of the label.
    """

    label_bin: Integers
    projector: Floats
    displacement: Floats


def tangents(latents: Floats, values: NDArray, kind: Kind) -> Tangents:
    """Return the directions along which a label moves its block.

    Args:
        latents: Latents of the block, shape (N, k).
        values: Label (N,) or (N, m), in rad if it is circular; class codes (N,) if it is discrete.
        kind: ``continuous``, ``circular`` or ``discrete``.

    >>> label = np.linspace(0, 1, 300)
    >>> directions = tangents(np.stack([2 * label, 0 * label], axis=1), label, "continuous")
    >>> np.abs(directions.projector[0].round(3)).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    if kind == "discrete":
        _, code = np.unique(values, return_inverse=True)
        _, means = _means(code.reshape(-1), latents)
        slopes = (means - means.mean(axis=0)).T[None]  # (1, k, class)
        return _tangents(np.zeros(len(latents), dtype=np.int64), slopes)
    circular, values = kind == "circular", np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    scaled = np.mod(values, TURN) if circular else _standardized(values)
    cells = np.floor(scaled / (TURN / np.ceil(TURN / CELL) if circular else CELL)).astype(np.int64)
    _, label_bin = np.unique(cells, axis=0, return_inverse=True)
    label_bin = label_bin.reshape(-1).astype(np.int64)
    count, means = _means(label_bin, latents)
    return _tangents(label_bin, _slopes(_label_bins(scaled, label_bin, count, circular), means, count, circular))


def _standardized(values: Floats) -> Floats:
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def _means(group: Integers, values: Floats) -> tuple[Integers, Floats]:
    """The size of every group, and the mean of ``values`` (N, k) over it."""
    count = np.bincount(group)
    sums = np.stack([np.bincount(group, weights=column) for column in np.asarray(values, dtype=np.float64).T], axis=1)
    return count, sums / count[:, None]


def _label_bins(scaled: Floats, label_bin: Integers, count: Integers, circular: bool) -> Floats:
    """The mean label (P, m) of every label bin."""
    if not circular:
        return _means(label_bin, scaled)[1]
    mean = [np.bincount(label_bin, weights=part(scaled[:, 0])) / count for part in (np.sin, np.cos)]
    return np.mod(np.arctan2(*mean), TURN)[:, None] % TURN


def _slopes(label_bins: Floats, means: Floats, count: Integers, circular: bool) -> Floats:
    """The slopes (P, k, m) of the latents' ``means`` (P, k) over the ``label_bins`` (P, m)."""
    axes = label_bins.shape[1]
    wanted = np.clip(int(NEIGHBOURS * len(label_bins)), 4 * (axes + 1), MOST_NEIGHBOURS)
    tree = cKDTree(label_bins, boxsize=TURN if circular else None)
    nearest = tree.query(label_bins, min(wanted, len(label_bins)))
    distance, near = (part.reshape(len(label_bins), -1) for part in nearest)
    slopes = np.empty((len(label_bins), means.shape[1], axes))
    for start in range(0, len(label_bins), LABEL_BINS_AT_ONCE):
        chunk = slice(start, start + LABEL_BINS_AT_ONCE)
        offset = label_bins[near[chunk]] - label_bins[chunk, None]  # (p, near, m)
        offset = (offset + np.pi) % TURN - np.pi if circular else offset
        radius = np.maximum(REACH * distance[chunk].max(axis=1, keepdims=True), np.finfo(float).tiny)
        weight = (1 - (distance[chunk] / radius) ** 3) ** 3 * count[near[chunk]]  # the tricube kernel
        slopes[chunk] = _weighted_slopes(offset, means[near[chunk]], weight)
    return slopes


def _weighted_slopes(offset: Floats, values: Floats, weight: Floats) -> Floats:
    """The slopes (p, k, m) of ``values`` (p, near, k) on ``offset`` (p, near, m) by weighted least squares."""
    weight = weight / weight.sum(axis=1, keepdims=True)
    offset = offset - np.einsum("pn,pnm->pm", weight, offset)[:, None]
    moment = np.einsum("pn,pni,pnj->pij", weight, offset, offset)
    shared = np.einsum("pn,pni,pnk->pik", weight, offset, values)
    return (np.linalg.pinv(moment, rcond=1e-9, hermitian=True) @ shared).swapaxes(1, 2)


def _tangents(label_bin: Integers, slopes: Floats) -> Tangents:
    """The projectors on the spans of ``slopes`` (P, k, m), and the lengths of the slopes."""
    directions, sizes, _ = np.linalg.svd(slopes, full_matrices=False)
    moved = (sizes > NO_MOVE * sizes[:, :1]) & (sizes > 0)
    directions = directions * moved[:, None]
    transposed = directions.swapaxes(1, 2)
    return Tangents(label_bin, directions @ transposed, (directions * sizes[:, None]) @ transposed)
