"""The main figure of a label for a paper: its map, the tuning of its carriers, its embedding, and its decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.core.results import Results
from xcebra_nwb.report.figures.decoding import clipped
from xcebra_nwb.report.figures.embedding import block
from xcebra_nwb.report.figures.label_colors import colors_of, draw_key
from xcebra_nwb.report.figures.paper_tuning import draw_tuning
from xcebra_nwb.report.paper_style import MILLIMETRE, Paper, shrink_text
from xcebra_nwb.report.style import BAND, INK, MUTED, NULL, SEED, label_ticks, number, plain, write_message
from xcebra_nwb.report.unit_map import UnitMap, unit_map
from xcebra_nwb.report.unit_tuning import has_tuning, shown_units

PANELS = ("map", "tuning", "embedding", "decoding")
PER_UNIT = 2.4  # mm of a unit's bar: its name is set upright below it
KEY_POINTS = 5.0  # of the text of the key to colours
MOST_POINTS = 2000  # of the embedding
MOST_VECTORS = 400  # points up to which an embedding is not pixels
NARROW = 120.0  # mm, up to which tuning stands in three columns
HEIGHTS = {"map": 60.0, "tuning": 30.0, "embedding": 40.0, "decoding": 40.0}  # mm
Draw = Callable[[Figure | SubFigure], None]


def paper_figure(results: Results, label: str, look: Paper, panels: tuple[str, ...] = PANELS) -> Figure:
    """Return the main figure of a label.

    Args:
        results: the files of the session.
        label: name of the label.
        look: width, font and size of the text.
        panels: of :data:`PANELS`, those to draw.
    """
    shown = unit_map(results.attribution, label, str(results.assessed(label).get("verdict", "")))
    columns = 3 if look.width < NARROW else 6
    carriers = [int(unit) for unit in shown_units(results.attribution, label, 2 * columns) if shown.carries[unit]]
    rows = max(1, -(-len(carriers) // columns))
    draw: Mapping[str, Draw] = {
        "map": lambda part: _draw_map(part, shown, look),
        "tuning": lambda part: _draw_tuning(part, results, label, carriers, columns),
        "embedding": lambda part: _draw_embedding(part, results, label),
        "decoding": lambda part: draw_decoding(part.subplots(), results.assessed(label).get("decoding") or {}),
    }
    heights = HEIGHTS | {"tuning": HEIGHTS["tuning"] * rows}
    lines = _lines(panels)
    tall = [max(heights[name] for name in line) for line in lines]
    drawn = Figure(figsize=(look.inches, sum(tall) * MILLIMETRE), layout="constrained", facecolor="white")
    drawn.set_layout_engine("constrained", w_pad=1 / 72, h_pad=2 / 72)
    letters = iter("abcd")
    parts = drawn.subfigures(len(lines), 1, squeeze=False, height_ratios=tall)[:, 0]
    for part, line in zip(parts, lines, strict=True):
        cells = part.subfigures(1, len(line), squeeze=False, width_ratios=_shares(line))[0]
        for cell, name in zip(cells, line, strict=True):
            draw[name](cell)
            if len(panels) > 1:
                cell.suptitle(next(letters), x=0.0, ha="left", fontweight="bold", fontsize=look.points)
    shrink_text(drawn, look.points)
    return drawn


def _lines(panels: tuple[str, ...]) -> list[list[str]]:
    """Embedding and decoding stand side by side."""
    lines = [[name] for name in panels if name in ("map", "tuning")]
    beside = [name for name in panels if name in ("embedding", "decoding")]
    return [*lines, *([beside] if beside else [])]


def _shares(line: list[str]) -> list[float]:
    return [{"embedding": 1.8, "decoding": 1.0}.get(name, 1.0) for name in line]


def _draw_map(part: Figure | SubFigure, shown: UnitMap, look: Paper) -> None:
    """What the label tells about each unit, and the unit's share beside the band of its nulls."""
    units = shown.foremost(max(5, int((look.width - 15) / PER_UNIT)))
    above, below = part.subplots(2, 1, sharex=True)
    x, carries = np.arange(len(units)), shown.carries[units]
    told, low, high = (values[units] for values in (shown.information, shown.information_low, shown.information_high))
    faces = np.where(carries, SEED, "#ffffff").tolist()
    if np.isfinite(told).any():
        above.bar(x, told, 0.7, color=faces, edgecolor=SEED, lw=0.4)
        above.vlines(x, low, high, color=INK, lw=0.5)
        above.axhline(0, color=INK, lw=0.4)
    else:
        write_message(above, "information was not measured")
    above.set_ylabel("information\n(bits/spike)" if shown.information_units == "bit/spike" else "information\n(R²)")
    below.bar(x, shown.mean[0, units], 0.7, color=faces, edgecolor=SEED, lw=0.4)
    null_low, null_high = shown.null_low[units], shown.null_high[units]
    if np.isfinite(null_low).any():
        below.bar(x, null_high - null_low, 0.95, null_low, color=BAND, edgecolor=NULL, lw=0.3, alpha=0.75, zorder=3)
    below.vlines(x, shown.low[0, units], shown.high[0, units], color=INK, lw=0.5, zorder=4)
    below.set_ylabel("share\n(× median unit)")
    below.set_ylim(bottom=0)
    below.set_xlim(-0.7, len(units) - 0.3)
    label_ticks(below, [shown.units[unit] for unit in units], longest=10, rotation=90)
    cut = f", {len(units)} of {len(shown.units)}" if len(units) < len(shown.units) else ""
    below.set_xlabel(f"unit{cut}")
    above.tick_params(axis="x", length=0)
    _key(part, f"carries {plain(shown.label, 24)} (q ≤ {LEVEL:g})", 3 if look.width >= NARROW else 2)


def _key(part: Figure | SubFigure, carries: str, columns: int) -> None:
    box = mpl.patches.Patch
    handles = [
        box(facecolor=SEED, edgecolor=SEED, label=carries),
        box(facecolor="white", edgecolor=SEED, label="does not"),
        box(facecolor=BAND, edgecolor=NULL, label="its nulls, 5–95 %"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=1, borderpad=0)


def _draw_tuning(part: Figure | SubFigure, results: Results, label: str, carriers: list[int], columns: int) -> None:
    names = [str(name) for name in results.attribution["unit_id"].values]
    tuned = has_tuning(results.units, names, label)
    if not carriers or not tuned or results.units is None:
        why = f"no unit carries {label}" if tuned else "the results hold no tuning"
        return write_message(part.subplots(), why)
    grid = part.add_gridspec(-(-len(carriers) // columns), columns)
    for place, unit in enumerate(carriers):
        draw_tuning(part, grid[place // columns, place % columns], results.units, label, unit, first=place == 0)
    return None


def _draw_embedding(part: Figure | SubFigure, results: Results, label: str) -> None:
    """The label's latents in held-out bins, of a seed and of a null, on their principal axes."""
    split = results.training["split"].values
    one, other, key = part.subplots(1, 3, width_ratios=[1, 1, 0.65])
    for axes, role, title in ((one, "seed", "held-out bins"), (other, "null", "a null")):
        points = block(results, label, role)
        if points is None:
            write_message(axes, f"no {role}")
            continue
        known = np.flatnonzero((split == 1) & np.isfinite(points.axes).all(1))
        bins = np.random.default_rng(0).permutation(known)[:MOST_POINTS]
        _scatter(axes, points.axes[bins], points.label[bins].values, colors_of(points.label)[bins])
        axes.set_title(title)
    draw_key(key, results.session[label])
    shrink_text(key, KEY_POINTS)
    if results.session[label].ndim == 2:
        key.locator_params(nbins=2)


def _scatter(axes: Axes, values: NDArray[np.float64], label: NDArray[Any], colors: NDArray[np.float64]) -> None:
    alone = values.shape[1] == 1
    y = label.reshape(len(label), -1)[:, 0] if alone else values[:, 1]
    pixels = len(values) > MOST_VECTORS
    axes.scatter(values[:, 0], y, s=1.5, c=colors, lw=0, alpha=0.8, rasterized=pixels)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel("latent" if alone else "axis 1")
    axes.set_ylabel("label" if alone else "axis 2")
    if not alone:
        axes.set_aspect("equal", adjustable="datalim")


def draw_decoding(axes: Axes, decoding: dict[str, Any]) -> None:
    """Draw held-out scores of the seeds and of the nulls.

    Args:
        axes: where to draw.
        decoding: of the label, in assessment.json.
    """
    seeds, nulls = clipped(decoding.get("seeds")), clipped(decoding.get("nulls"))
    if not len(seeds):
        return write_message(axes, "decoding is not known")
    for place, (values, face, edge) in enumerate(((seeds, SEED, SEED), (nulls, "white", NULL))):
        x = place + 0.12 * np.resize([-1.0, 0.0, 1.0], len(values))
        axes.plot(x, values, "o", mfc=face, mec=edge, mew=0.5, ms=3, ls="none")
        if len(values):
            axes.hlines(float(np.mean(values)), place - 0.3, place + 0.3, color=INK, lw=0.75)
    axes.axhline(0, color=MUTED, lw=0.4, ls=":")
    axes.set_xticks([0, 1], ["seeds", "nulls"])
    axes.set_xlim(-0.6, 1.6)
    axes.set_ylabel("held-out decoding score")
    if decoding.get("p") is not None:
        axes.set_title(f"p = {number(decoding['p'], 2)}")
    return None


def caption(results: Results, label: str, panels: tuple[str, ...] = PANELS) -> str:
    """Return a caption; every number in it is of the results.

    Args:
        results: the files of the session.
        label: name of the label.
        panels: of :data:`PANELS`, those that are drawn.
    """
    assessed = results.assessed(label)
    sizes, decoding = results.attribution.sizes, assessed.get("decoding") or {}
    carrying, tested = assessed.get("carrying_units"), assessed.get("tested_units")
    stretches = results.units.attrs.get("stretches") if results.units is not None else None
    counted = f"; {carrying} of {tested}" if carrying is not None else ""
    told = {
        "map": f"Above: information of {label} about each unit beyond all other labels, with its 95 % interval. "
        f"Filled: units that carry {label} (q ≤ {LEVEL:g}{counted}). Below: share of each unit in the map, mean and "
        f"95 % interval over {sizes['seed']} seeds; grey: 5 to 95 % of the same unit's {sizes['null']} nulls.",
        "tuning": f"Tuning to {label} of the units that carry it, most information first"
        + (f", with 95 % intervals over {stretches} stretches of the recording" if stretches is not None else "")
        + "; a number beside a unit's name is the peak of its mean activity.",
        "embedding": f"Latents of {label} of a seed and of a null in held-out bins, on their principal axes; colour: "
        f"{label}, as each encoder saw it.",
        "decoding": f"Held-out decoding of {label} from its latents ({decoding.get('metric', 'score')}): "
        f"{len(decoding.get('seeds') or [])} seeds and {len(decoding.get('nulls') or [])} nulls; lines are means.",
    }
    letters = [f"({letter}) " if len(panels) > 1 else "" for letter in "abcd"]
    order = [name for line in _lines(panels) for name in line]
    parts = " ".join(f"{letter}{told[name]}" for letter, name in zip(letters, order, strict=False))
    verdict, because = assessed.get("verdict", "not known"), assessed.get("because")
    said = f"Verdict on {label}: {verdict}" + (f" ({because})." if because else ".")
    return f"{parts} Session {results.session.attrs['session']}. {said}"
