"""Figures of training: loss of every objective against chance, seeds against nulls."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcebra_nwb.core import members
from xcebra_nwb.report.style import FORWARD, MUTED, NULL, SEED, figure, latents, plain

ACROSS = 4


def training_figure(training: xr.Dataset) -> Figure:
    """Return the loss of every objective, and the weight of the regulariser.

    Args:
        training: training.nc.
    """
    objectives = [str(name) for name in training["objective"].values]
    across = min(ACROSS, len(objectives))
    down = -(-len(objectives) // across)
    drawn = figure(11, 1.7 + 2.2 * down)
    grid = drawn.add_gridspec(down + 1, across, height_ratios=[2.2] * down + [0.9])
    for panel, name in enumerate(objectives):
        axes = drawn.add_subplot(grid[panel // across, panel % across])
        _draw_losses(axes, training.sel(objective=name))
        if panel % across == 0:
            axes.set_ylabel(f"loss ({training['loss'].attrs['units']})")
        if panel == 0:
            _add_key(drawn, axes)
    _draw_schedule(drawn.add_subplot(grid[down, :]), training)
    return drawn


def _draw_losses(axes: Axes, objective: xr.Dataset) -> None:
    label = str(objective["label"].item())
    shown = {"null": members.nulls(objective, label) if label else [], "seed": members.seeds(objective)}
    step = objective["step"].values
    past = step[-1] * 1.05
    for role, color, width in (("null", NULL, 0.8), ("seed", SEED, 1.4)):
        for member in shown[role]:
            axes.plot(step, objective["loss"].values[member], color=color, lw=width, alpha=0.85)
        face = SEED if role == "seed" else "white"
        for held_out in objective["held_out_loss"].values[shown[role]]:  # one by one: none has no extent to lay out
            axes.plot(past, held_out, "D", mfc=face, mec=color, ms=4.5, clip_on=False)
    axes.axhline(float(objective["chance"]), color=FORWARD, ls="--", lw=1.1)
    first, last = int(objective["first_latent"]), int(objective["last_latent"])
    name, block = plain(objective["objective"].item(), 18), latents(first, last)
    axes.set_title(name, fontsize=8.5)
    axes.set_title(block, loc="right", fontsize=7, fontweight="normal", color=MUTED)
    axes.set_xlim(0, past * 1.02)
    axes.tick_params(labelsize=7.5)


def _draw_schedule(axes: Axes, training: xr.Dataset) -> None:
    axes.fill_between(training["step"], training["regularizer_weight"], color=MUTED, alpha=0.35, lw=0)
    axes.plot(training["step"], training["regularizer_weight"], color=MUTED, lw=1.2)
    axes.set_title("weight of the Jacobian regulariser", fontsize=8.5)
    axes.set(xlabel="training step", ylim=(0, None), xlim=(0, None))
    axes.tick_params(labelsize=7.5)


def _add_key(drawn: Figure, axes: Axes) -> None:
    handles = [
        *axes.plot([], [], color=SEED, lw=1.6, label="seeds (true labels), training"),
        *axes.plot([], [], color=NULL, lw=1.2, label="nulls (null label), training"),
        *axes.plot([], [], "D", mfc=SEED, mec=SEED, ms=4.5, ls="none", label="seeds, held out"),
        *axes.plot([], [], "D", mfc="white", mec=NULL, ms=4.5, ls="none", label="nulls, held out"),
        *axes.plot([], [], color=FORWARD, ls="--", label="chance"),
    ]
    drawn.legend(handles=handles, loc="outside upper center", ncols=5)
