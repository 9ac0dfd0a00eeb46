"""A label's block of the embedding in space: points that the page turns, colours and plays through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.results import Results
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.report.figures.embedding import Block, block
from xcebra_nwb.report.figures.label_colors import axis_names, colors_of, limits
from xcebra_nwb.report.packing import pack_bytes
from xcebra_nwb.report.style import CLASSES, CORNERS, CYCLE, SEQUENCE
from xcebra_nwb.report.unit_tuning import short

MOST_POINTS = 2500  # of a label
ALL_POINTS = 10_000  # of all labels of a page
OUTERMOST = 99.5  # percentile of the distance from the middle that is drawn at the edge
SPACE = 2.0  # of such distances that are told apart; as in cloud.js
MOST_VALUES = 3  # axes of a label whose value is said
STOPS = np.linspace(0, 1, 9)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Cloud:
    """The points of a label: what a script draws, and what the colours mean."""

    label: str
    points: int
    content: dict[str, Any]
    key: list[tuple[str, str]]  # colour and its meaning, or a gradient and its ends
    alt: str


def cloud(results: Results, label: str, labels: int) -> Cloud | None:
    """Return the points of a label's block for the first seed, and for its first null; None without an embedding.

    Args:
        results: the files of the session.
        label: name of the label.
        labels: number of labels that share the points of the page.
    """
    seed, null = block(results, label, "seed"), block(results, label, "null")
    if seed is None or seed.axes.shape[1] < 2:
        return None
    split = results.training["split"].values
    known = np.isfinite(seed.axes).all(axis=1) & (split >= 0)
    if null is not None:
        known &= np.isfinite(null.axes).all(axis=1)
    bins = _chosen(np.flatnonzero(known), split, min(MOST_POINTS, ALL_POINTS // labels))
    members = [seed] if null is None else [seed, null]
    time = results.session["time"].values
    span = float(time[0]), float(time[-1])
    values, axes = _values(seed.label, bins)
    wide = [*(column for each in members for column in _places(each, bins)), _levels(time[bins], *span), *values]
    narrow = [_colors(each, bins) for each in members]
    packed = b"".join(column.astype("<u2").tobytes() for column in wide)
    packed += b"".join(colors.tobytes() for colors in narrow) + (split[bins] == 1).astype(np.uint8).tobytes()
    content = {
        "points": len(bins), "members": len(members), "time": span, "axes": axes,
        "shares": [round(float(share), 3) for share in seed.shares[:3]],
        "classes": decode_list(seed.label.attrs["classes"]) if seed.label.attrs["kind"] == "discrete" else [],
        "label": label, "kind": seed.label.attrs["kind"], "packed": str(pack_bytes(packed)),
    }  # fmt: skip
    alt = f"{len(bins):,} bins of the block of {label} in space. Arrow keys turn it, + and − zoom, the space bar plays."
    return Cloud(label, len(bins), content, _key(seed.label), printable(alt))


def _chosen(known: NDArray[np.int64], split: NDArray, most: int) -> NDArray[np.int64]:
    """Bins in order of time; held-out bins make up to half of them."""
    rng, held = np.random.default_rng(0), known[split[known] == 1]
    held = rng.permutation(held)[: max(most // 2, most - (len(known) - len(held)))]
    training = rng.permutation(known[split[known] != 1])[: most - len(held)]
    return np.sort(np.r_[held, training])


def _places(points: Block, bins: NDArray[np.int64]) -> list[NDArray[np.uint16]]:
    """Three columns: the places on three axes, from 0 to 65535, of equal scale."""
    axes = points.axes[bins, :3]
    reach = float(np.percentile(np.linalg.norm(axes, axis=1), OUTERMOST)) or 1.0
    columns = [_levels(column / reach, -SPACE, SPACE) for column in axes.T]
    return columns + [np.full(len(bins), 32768, np.uint16)] * (3 - len(columns))


def _levels(values: Values, low: float, high: float) -> NDArray[np.uint16]:
    share = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0, 1)
    return np.rint(65535 * share).astype(np.uint16)


def _colors(points: Block, bins: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.rint(255 * colors_of(points.label)[bins]).astype(np.uint8)


def _values(label: xr.DataArray, bins: NDArray[np.int64]) -> tuple[list[NDArray[np.uint16]], list[dict[str, Any]]]:
    """The label at the points as levels, and the range of each of its axes."""
    columns = label.values.reshape(len(label), -1)[bins, :MOST_VALUES].astype(float)
    if label.attrs["kind"] == "discrete":
        return [np.maximum(columns[:, 0], 0).astype(np.uint16)], [{}]
    names = axis_names(label) if label.ndim == 2 else [str(label.name)]
    levels, axes = [], []
    for name, column in zip(names, columns.T, strict=False):
        turned = np.degrees(np.mod(column, 2 * np.pi)) if label.attrs["kind"] == "circular" else column
        low, high = float(np.nanmin(turned)), float(np.nanmax(turned))
        levels.append(_levels(turned, low, high))
        units = "°" if label.attrs["kind"] == "circular" else str(label.attrs["units"])
        axes.append({"name": name, "low": low, "high": high, "units": units})
    return levels, axes


def _key(label: xr.DataArray) -> list[tuple[str, str]]:
    kind, units = label.attrs["kind"], str(label.attrs["units"])
    if kind == "discrete":
        names = decode_list(label.attrs["classes"])[: 2 * len(CLASSES)]
        return [(CLASSES[code % len(CLASSES)], name or "(empty)") for code, name in enumerate(names)]
    if kind == "circular":
        return [(_gradient(CYCLE(STOPS)), "0° to 360°")]
    values = label.values.reshape(len(label), -1)
    (low, high), names = limits(values[:, 0]), axis_names(label) if label.ndim == 2 else []
    if values.shape[1] == 1:
        return [(_gradient(SEQUENCE(STOPS)), f"{short(low)} to {short(high)} {units}".rstrip())]
    ends = [limits(values[:, axis]) for axis in (0, 1)]
    places = [(short(ends[0][x]), short(ends[1][y])) for y in (0, 1) for x in (0, 1)]
    corners = [f"{names[0]} {x}, {names[1]} {y} {units}".rstrip() for x, y in places]
    return [(to_hex(color), words) for color, words in zip(CORNERS, corners, strict=True)]


def _gradient(colors: NDArray[np.float64]) -> Markup:
    stops = ", ".join(to_hex(color) for color in colors)
    return Markup(f"linear-gradient(90deg, {stops})")  # nosec B704  # colours alone
