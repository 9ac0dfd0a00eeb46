"""Figures of results on matplotlib axes, drawn by the code of the pages and of ``xcebra-nwb figure``."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes

from xcebra_nwb.api.parts import Parts
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.report.figures.attribution import (
    draw_agreement,
    draw_information,
    draw_regions,
    draw_shares,
    draw_z,
    name_units,
)
from xcebra_nwb.report.figures.embedding import block, draw_points
from xcebra_nwb.report.figures.paper import draw_decoding
from xcebra_nwb.report.figures.paper_tuning import draw_tuning_on, is_polar
from xcebra_nwb.report.held_out_errors import held_out_errors
from xcebra_nwb.report.style import INK, MUTED, SEED, SEQUENCE, label_ticks, plain, write_message
from xcebra_nwb.report.unit_map import UnitMap, unit_map
from xcebra_nwb.report.unit_tuning import has_tuning

MOST_BARS = 60
MOST_POINTS = 2500  # of a figure; more are drawn as pixels
Measure = Literal["information", "share", "z"]


class Plots:
    """Figures of the results of a session; each takes matplotlib axes, or makes new ones, and returns them."""

    def __init__(self, results: Parts) -> None:
        self._results = results

    def map(self, label: str, ax: Axes | None = None, measure: Measure = "information", most: int = MOST_BARS) -> Axes:
        """Draw the map of a label: a bar for each unit, filled where it carries the label.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones.
            measure: `information`: what the label tells about the unit beyond all other labels (bits a spike, or share
                of variance), with its 95 % interval. `share`: the unit's share in the label's code, as a multiple of
                the median unit's, beside the band of its own nulls. `z`: that share in units of its nulls' spread.
            most: The largest number of units; those that carry the label come first.

        Returns:
            The axes.

        Raises:
            UsageError: There is no such label or measure, or the results are an NWB file without seeds and nulls.
        """
        drawers = {"information": draw_information, "share": draw_shares, "z": draw_z}
        if measure not in drawers:
            raise UsageError(f"measure: {measure}", f"one of {', '.join(get_args(Measure))}")
        shown = self._map(label)
        units = shown.foremost(most)
        axes = _axes(ax, wide=True)
        drawers[measure](axes, shown, units)
        name_units(axes, [shown.units[unit] for unit in units])
        return axes

    def units(self, label: str, ax: Axes | None = None) -> Axes:
        """Draw each unit's share in the code of a label, beside the band of its own nulls: `map` with `share`.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones.

        Raises:
            UsageError: There is no such label.
        """
        return self.map(label, ax, "share")

    def regions(self, label: str, ax: Axes | None = None) -> Axes:
        """Draw the share of units that carry a label, by region.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones. They stay empty if all units are of one region.

        Raises:
            UsageError: There is no such label.
        """
        axes = _axes(ax)
        draw_regions(axes, self._map(label))
        return axes

    def methods(self, label: str, ax: Axes | None = None) -> Axes:
        """Draw the shares of the units by the tested method against those by its partner.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones.

        Raises:
            UsageError: There is no such label.
        """
        axes = _axes(ax)
        draw_agreement(axes, self._map(label))
        return axes

    def tuning(self, label: str, unit: str | int, ax: Axes | None = None) -> Axes:
        """Draw the tuning of a unit to a label: a curve, a rate map or dots of classes, with 95 % intervals.

        Args:
            label: Name of the label.
            unit: Name of the unit.
            ax: Axes to draw on; None makes new ones, polar for an angle.

        Raises:
            UsageError: There is no such label or unit, or the results have no tuning curves.
        """
        self._check(label)
        tuning, names = self._results.tuning, [str(name) for name in self._results.dataset["unit"].values]
        if tuning is None or not has_tuning(tuning, names, label):
            raise UsageError(f"{self._results.path}: no tuning curves to {label}", "give a results folder")
        if str(unit) not in names:
            raise UsageError(f"no unit {unit}", f"one of: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}")
        axes = _axes(ax, polar=is_polar(tuning, label))
        draw_tuning_on(axes, tuning, label, names.index(str(unit)))
        return axes

    def embedding(self, label: str, ax: Axes | None = None, role: Literal["seed", "null"] = "seed") -> Axes:
        """Draw the latents of a label in held-out bins on their first two principal axes, coloured by the label.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones.
            role: `seed`: an encoder of the true labels; `null`: one of the shuffled label, coloured by that label.

        Raises:
            UsageError: There is no such label, or the results do not have the latents.
        """
        self._check(label)
        files = self._results.files
        points, axes = block(files, label, role), _axes(ax)
        if points is None:
            write_message(axes, f"no {role}")
            return axes
        draw_points(axes, points, files.training["split"].values == 1)
        axes.set_title(plain(label, 24))
        return axes

    def decoded(self, label: str, ax: Axes | None = None) -> Axes:
        """Draw a label as the first seed's latents give it on held-out bins, against its true values.

        Args:
            label: Name of the label; of a vector the first axis is drawn.
            ax: Axes to draw on; None makes new ones.

        Raises:
            UsageError: There is no such label, or the results have no decoded.nc.
        """
        self._check(label)
        found = held_out_errors(self._results.files, label)
        if found is None:
            raise UsageError(f"{self._results.path}: {label} was not decoded", "run `xcebra-nwb assess` on it")
        axes = _axes(ax)
        true, read = (values.reshape(len(found.bins), -1)[:, 0] for values in (found.true, found.decoded[0]))
        if found.kind == "discrete":
            _draw_confusion(axes, true, read, decode_list(found.label.attrs["classes"]))
        else:
            if found.kind == "circular":
                true, read = (np.degrees(np.mod(values, 2 * np.pi)) for values in (true, read))
            ends = [float(np.nanmin(true)), float(np.nanmax(true))]
            axes.plot(ends, ends, color=MUTED, lw=0.8)
            axes.plot(true, read, ".", ms=3, color=SEED, alpha=0.6, rasterized=len(true) > MOST_POINTS)
        units = "°" if found.kind == "circular" else found.units
        said = f" ({plain(units, 12)})" if units and found.kind != "discrete" else ""
        axes.set_xlabel(f"{plain(label, 24)}{said}")
        axes.set_ylabel(f"decoded{said}")
        return axes

    def decoding(self, label: str, ax: Axes | None = None) -> Axes:
        """Draw the held-out decoding scores of a label: of each seed, and of each null.

        Args:
            label: Name of the label.
            ax: Axes to draw on; None makes new ones.

        Raises:
            UsageError: There is no such label.
        """
        self._check(label)
        axes = _axes(ax)
        draw_decoding(axes, self._results.assessment.get("labels", {}).get(label, {}).get("decoding") or {})
        return axes

    def _check(self, label: str) -> None:
        names = [str(name) for name in self._results.dataset["label"].values]
        if label not in names:
            raise UsageError(f"no label {label!r}", f"one of: {', '.join(names)}")

    def _map(self, label: str) -> UnitMap:
        self._check(label)
        dataset = self._results.dataset
        if "attribution_seeds" not in dataset:
            raise UsageError(f"{self._results.path}: an NWB file has no seeds and nulls", "give the results folder")
        return unit_map(dataset, label, str(dataset["verdict"].sel(label=label).item()))


def _axes(ax: Axes | None, *, wide: bool = False, polar: bool = False) -> Axes:
    """Return the axes of the caller, or new ones of a figure that a notebook shows."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    size = (9.0, 2.8) if wide else (4.2, 3.6)
    drawn = plt.figure(figsize=size, layout="constrained")
    return drawn.add_subplot(projection="polar" if polar else None)


def _draw_confusion(axes: Axes, true: np.ndarray, read: np.ndarray, classes: list[str]) -> None:
    """Draw the share of each true class (column) that was decoded as each class (row)."""
    counts = np.zeros((len(classes), len(classes)))
    known = (true >= 0) & (read >= 0)
    np.add.at(counts, (read[known].astype(int), true[known].astype(int)), 1)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    axes.imshow(shares, cmap=SEQUENCE, vmin=0, vmax=1, origin="lower")
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "black" if shares[row, column] > 0.5 else "white"
        axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", color=color, fontsize=8)
    label_ticks(axes, classes, longest=10)
    label_ticks(axes, classes, axis="y", longest=10)
    axes.tick_params(length=0, colors=INK)
