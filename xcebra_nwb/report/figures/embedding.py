"""Figures of a label's block of the embedding, coloured by the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xcebra_nwb.core import members
from xcebra_nwb.core.results import Results
from xcebra_nwb.report.figures.label_colors import colors_of, draw_key
from xcebra_nwb.report.style import MUTED, figure, percent, write_message

MOST_POINTS = 2500
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """A label's latents of one member on its principal axes."""

    axes: Values  # (time, axis), NaN where there is no embedding
    shares: Values  # (axis,) of the block's variance
    label: xr.DataArray  # (time, ...) as the member saw it


def block(results: Results, label: str, role: str) -> Block | None:
    """Return a label's block for the first seed, or for its first null.

    Args:
        results: the files of the session.
        label: name of the label.
        role: seed or null.

    Returns:
        The block; None where there is no such member, or too little of an embedding.
    """
    training = results.training
    chosen_members = members.seeds(training) if role == "seed" else members.nulls(training, label)
    if not chosen_members:
        return None
    member = chosen_members[0]
    chosen = results.attribution.sel(label=label)
    first, last = int(chosen["first_latent"]), int(chosen["last_latent"])
    values = results.embedding["embedding"][member].values[:, first:last].astype(float)
    known = np.isfinite(values).all(1)
    if known.sum() <= values.shape[1]:
        return None
    centred = values - values[known].mean(0)
    _, size, directions = np.linalg.svd(centred[known], full_matrices=False)
    shares = size**2 / max(float((size**2).sum()), 1e-30)
    seen = members.seen_label(results.session, training, label, member)
    return Block(centred @ directions.T, shares, results.session[label].copy(data=seen))


def embedding_figure(results: Results, label: str) -> Figure:
    """Return a label's block on its principal axes.

    Training bins and held-out bins of a seed, and held-out bins of a null.

    Args:
        results: the files of the session.
        label: name of the label.
    """
    seed, null = block(results, label, "seed"), block(results, label, "null")
    drawn = figure(11, 3.3, fixed=True)
    grid = drawn.add_gridspec(
        1, 4, width_ratios=[1, 1, 1, 0.36], left=0.03, right=0.985, top=0.9, bottom=0.1, wspace=0.16
    )
    split = results.training["split"].values
    panels = (
        (seed, split == 0, "a seed, training bins"),
        (seed, split == 1, "the same seed, held-out bins"),
        (null, split == 1, "a null, held-out bins, null label"),
    )
    for column, (points, chosen, title) in enumerate(panels):
        axes = drawn.add_subplot(grid[0, column])
        if points is None:
            write_message(axes, "no such member")
            continue
        draw_points(axes, points, chosen)
        axes.set_title(title)
    draw_key(drawn.add_subplot(grid[0, 3]), results.session[label])
    return drawn


def draw_points(axes: Axes, points: Block, chosen: NDArray[np.bool_]) -> None:
    """Scatter the chosen bins on the first two axes, in an order that hides nothing."""
    bins = np.flatnonzero(chosen & np.isfinite(points.axes).all(1))
    bins = np.random.default_rng(0).permutation(bins)[:MOST_POINTS]
    alone, label = points.axes.shape[1] == 1, points.label
    x = points.axes[bins, 0]
    y = label.values.reshape(len(label), -1)[bins, 0] if alone else points.axes[bins, 1]
    axes.scatter(x, y, s=float(np.clip(9000 / max(len(bins), 1), 4, 16)), c=colors_of(label)[bins], lw=0, alpha=0.8)
    axes.set_xlabel(f"axis 1 ({percent(points.shares[0])})" if not alone else "latent", fontsize=8, color=MUTED)
    axes.set_ylabel(f"axis 2 ({percent(points.shares[1])})" if not alone else "label", fontsize=8, color=MUTED)
    axes.set_xticks([])
    axes.set_yticks([])
    if not alone:
        axes.set_aspect("equal", adjustable="datalim")
