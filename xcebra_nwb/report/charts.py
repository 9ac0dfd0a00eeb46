"""Small charts as vector graphics: they take the page's colours, light or dark, and reflow with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.figures.unit_panels import MAP_COLORS
from xcebra_nwb.report.unit_tuning import short
from xcebra_nwb.report.vector import Points, band, dots, line, pixels

WIDTH, HEIGHT = 320, 178  # of a chart
WIDE = 1100  # of a chart over time
LEFT, TOP, RIGHT, BELOW = 44, 8, 10, 34  # free, for text
LETTER = 5.4  # width of a letter
Values = NDArray[np.float64]
Ticks = Sequence[tuple[float, str]]
EDGES = (1, 99)  # percentiles between which colours change


@dataclass(frozen=True)
class Axes:
    """Where values lie in a chart."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = WIDTH
    height: int = HEIGHT

    def across(self, values: Values) -> Values:
        """Return the places of ``values`` along the horizontal axis."""
        return LEFT + _share(values, self.x) * (self.width - LEFT - RIGHT)

    def down(self, values: Values) -> Values:
        """Return the places of ``values`` along the vertical axis; those outside lie at the edge."""
        return self.height - BELOW - np.clip(_share(values, self.y), 0, 1) * (self.height - TOP - BELOW)

    def points(self, x: Values, y: Values) -> Points:
        """Return whole places, None where a value is not known."""
        known = np.isfinite(y) & np.isfinite(x)
        places = zip(
            np.rint(np.where(known, self.across(x), 0)).astype(int).tolist(),
            np.rint(np.where(known, self.down(y), 0)).astype(int).tolist(),
            known.tolist(),
            strict=True,
        )
        return [(across, down) if there else None for across, down, there in places]

    def frame(self, x_name: str, y_name: str, names: Sequence[str] = (), ticks: Ticks | None = None) -> str:
        """Return the axes with their numbers.

        Args:
            x_name: name of the horizontal axis.
            y_name: name of the vertical axis.
            names: of classes, which stand in place of the numbers of the vertical axis.
            ticks: places where stretches begin, and what is written there in place of the numbers.
        """
        base, end = self.height - BELOW, self.width - RIGHT
        lines = f'<path class="axis" d="M{LEFT} {TOP}V{base}H{end}"/>'
        at = [(tick, short(tick)) for tick in _ticks(self.x)] if ticks is None else ticks
        places = self.across(np.array([tick for tick, _ in at])).tolist()
        if ticks is None:
            numbers = "".join(
                _text(place, base + 12, said, "middle") for place, (_, said) in zip(places, at, strict=True)
            )
        else:
            numbers = "".join(_times([round(place) for place in places], [said for _, said in at], base + 12))
            lines += f'<path class="border" d="{"".join(f"M{place:.0f} {TOP}V{base}" for place in places[1:])}"/>'
        beside = list(enumerate(names)) if names else [(tick, short(tick)) for tick in _ticks(self.y)]
        places = self.down(np.array([float(tick) for tick, _ in beside])).tolist()
        numbers += "".join(
            _text(LEFT - 4, place + 3, shorten(printable(str(said)) or "(empty)", 7), "end")
            for place, (_, said) in zip(places, beside, strict=True)
        )
        called = _text((LEFT + end) / 2, self.height - 4, x_name, "middle")
        turned = f'<g transform="rotate(-90)">{_text(-(TOP + base) / 2, 9, y_name, "middle")}</g>' if y_name else ""
        return lines + numbers + called + turned


def profile(
    centers: Values,
    seeds: Values,
    nulls: Values,
    guess: Values,
    *,
    span: tuple[float, float],
    x_name: str,
    y_name: str,
    said: str,
    ticks: Ticks | None = None,
) -> Markup:
    """Return a chart of the error over something: a line for each seed, the range of the nulls, a guess.

    Args:
        centers: places along the horizontal axis, (bin,).
        seeds: error of each seed, (seed, bin); NaN where it is not known.
        nulls: the same of each null, (null, bin).
        guess: error of a guess that knows nothing, (bin,).
        span: ends of the horizontal axis.
        x_name: name of the horizontal axis.
        y_name: name of the error.
        said: the chart in words.
        ticks: places where stretches begin, and what is written there; round numbers by default.
    """
    known = np.concatenate([seeds.ravel(), nulls.ravel(), guess.ravel()])
    axes = Axes(span, (0.0, float(np.nanmax(known, initial=0.0)) or 1.0))
    drawn = [axes.frame(x_name, y_name, ticks=ticks)]
    if np.isfinite(nulls).any():
        unknown = ~np.isfinite(nulls).any(axis=0)
        low, high = (np.where(unknown, np.nan, end) for end in (_low(nulls), _high(nulls)))
        area = band(axes.points(centers, high), axes.points(centers, low))
        drawn.append(f'<path class="nulls" d="{area}"/>')
    drawn.append(f'<path class="guess" d="{line(axes.points(centers, guess))}"/>')
    drawn += [f'<path class="c" d="{line(axes.points(centers, seed))}"/>' for seed in seeds]
    return _svg(axes.width, axes.height, said, drawn)


def trace(
    starts: Sequence[tuple[int, str]],
    true: Values,
    decoded: Values,
    *,
    cuts: set[int] | None,
    names: Sequence[str],
    y_name: str,
    said: str,
) -> Markup:
    """Return a chart of the label and what was decoded, over the held-out stretches one after the other.

    Args:
        starts: the first sample of each stretch, and its time in words.
        true: the label, (sample,).
        decoded: what was decoded, (sample,).
        cuts: samples at which the line of the label is cut; None for dots, as an angle or a class leaps.
        names: of classes, where these are few.
        y_name: name of the vertical axis.
        said: the chart in words.
    """
    known = np.concatenate([true[np.isfinite(true)], decoded[np.isfinite(decoded)], [0.0] if names else []])
    ends = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if names:
        ends = (-0.5, len(names) - 0.5)
    axes = Axes((0, max(len(true) - 1, 1)), ends, WIDE, 150)
    x = np.arange(len(true), dtype=float)
    borders = axes.across(np.array([float(first) for first, _ in starts])).round().astype(int).tolist()
    base = axes.height - BELOW
    frame = Axes((0, 0), axes.y, WIDE, 150).frame("", y_name, names)
    lines = "".join(f"M{at} {TOP}V{base}" for at in borders[1:])
    drawn = [frame, f'<path class="border" d="{lines}"/>', *_times(borders, [said for _, said in starts], base + 12)]
    true_points = axes.points(x, true)
    if cuts is not None:
        ends_of = [0, *sorted(cuts | {first for first, _ in starts} - {0}), len(true_points)]
        path = "".join(line(true_points[first:last]) for first, last in pairwise(ends_of))
        drawn.append(f'<path class="true" d="{path}"/>')
    else:
        drawn.append(f'<path class="true dots" d="{dots(true_points)}"/>')
    drawn.append(f'<path class="d" d="{dots(axes.points(x, decoded))}"/>')
    drawn.append(_text(WIDE - RIGHT, axes.height - 4, "time of the session (s), held-out stretches alone", "end"))
    return _svg(WIDE, axes.height, said, drawn)


def error_maps(maps: Sequence[tuple[str, Values]], x_name: str, y_name: str, said: str) -> Markup:
    """Return maps of the error beside each other, in colours of one scale.

    Args:
        maps: name and error, (x, y); NaN where it is not known.
        x_name: name and ends of the horizontal axis.
        y_name: the same of the vertical axis.
        said: the chart in words.
    """
    most = float(np.nanmax(np.concatenate([values.ravel() for _, values in maps]), initial=0.0)) or 1.0
    side, drawn = 128, []
    for place, (name, values) in enumerate(maps):
        x = 14 + place * (side + 24)
        drawn.append(_text(x, 12, name))
        drawn.append(_picture(pixels(values.T[::-1] / most, MAP_COLORS), x, 18, side, side))
        drawn.append(f'<path class="axis" d="M{x} 18h{side}v{side}h-{side}z"/>')
    drawn += [_text(14, 18 + side + 12, x_name), _text(14, 18 + side + 24, y_name)]
    return _svg(WIDTH, HEIGHT, said, drawn)


def confusion(shares: Values, names: Sequence[str], said: str) -> Markup:
    """Return the confusion matrix of classes: a row is a true class, a number is a share of its bins in per cent.

    Args:
        shares: of the bins of a true class that were decoded as another, (true, decoded); NaN rows have no bin.
        names: of the classes.
        said: the chart in words.
    """
    count = len(names)
    cell = min(40, (WIDTH - 92) // count)
    size, left, drawn = cell * count, 88, []
    for row, name in enumerate(names):
        drawn.append(_text(left - 4, 30 + cell * (row + 0.5) + 3, shorten(printable(name) or "(empty)", 14), "end"))
        letters = max(2, int(cell / LETTER))
        above = shorten(printable(name) or "(empty)", letters)
        drawn.append(_text(left + cell * (row + 0.5), 26, above, "middle"))
        for column, share in enumerate(shares[row].tolist()):
            if share != share:
                continue
            x, y = left + cell * column, 30 + cell * row
            drawn.append(
                f'<rect class="share" x="{x}" y="{y}" width="{cell}" height="{cell}" fill-opacity="{share:.2f}"/>'
            )
            if cell >= 20:
                tone = ' class="on"' if share > 0.55 else ""
                drawn.append(_text(x + cell / 2, y + cell / 2 + 3, f"{100 * share:.0f}", "middle", tone))
    drawn.append(f'<path class="axis" d="M{left} 30h{size}v{size}h-{size}z"/>')
    drawn += [_text(left - 4, 14, "true ↓", "end"), _text(left, 14, "decoded as →")]
    return _svg(WIDTH, max(HEIGHT, 30 + size + 8), said, drawn)


def strip(rows: Values, names: Sequence[str], below: Sequence[tuple[float, str]], x_name: str, said: str) -> Markup:
    """Return rows of colours: dark is the lowest, bright the highest of all values.

    Args:
        rows: values, (row, column); NaN is left blank.
        names: of the rows.
        below: places from 0 to 1 along the horizontal axis, and what is written there.
        x_name: name of the horizontal axis.
        said: the chart in words.
    """
    known = rows[np.isfinite(rows)]
    low, high = (float(end) for end in np.percentile(known, EDGES)) if known.size else (0.0, 1.0)
    height, left = 15, 84
    width, tall = WIDTH - left - 8, height * len(rows)
    shown = (rows - low) / (high - low if high > low else 1.0)
    drawn = [_picture(pixels(shown, MAP_COLORS), left, TOP, width, tall)]
    for row, name in enumerate(names):
        drawn.append(_text(left - 4, TOP + height * (row + 0.5) + 3, shorten(printable(name), 14), "end"))
    for at, text in below:
        anchor = "start" if at <= 0 else "end" if at >= 1 else "middle"
        drawn.append(_text(left + at * width, TOP + tall + 12, text, anchor))
    drawn.append(_text(left + width / 2, TOP + tall + 25, x_name, "middle"))
    return _svg(WIDTH, TOP + tall + 30, said, drawn)


def _times(borders: Sequence[int], said: Sequence[str], y: int) -> Iterator[str]:
    """The times at which stretches begin, where there is room for them."""
    free = 0.0
    for at, text in zip(borders, said, strict=True):
        if at >= free:
            yield _text(at, y, text)
            free = at + LETTER * (len(text) + 2)


def _svg(width: int, height: int, said: str, drawn: Sequence[str]) -> Markup:
    """A graphic whose parts are escaped already."""
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        width, height, printable(said)
    )
    return head + Markup("".join(drawn)) + Markup("</svg>")  # nosec B704  # text is escaped


def _picture(address: str, x: float, y: float, width: float, height: float) -> str:
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<image {place} preserveAspectRatio="none" href="{address}"/>'


def _text(x: float, y: float, text: str, anchor: str = "", more: str = "") -> str:
    at = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.4g}" y="{y:.4g}"{at}{more}>{escape(printable(text))}</text>'


def _share(values: Values, ends: tuple[float, float]) -> Values:
    low, high = ends
    shares: Values = (np.asarray(values) - low) / (high - low if high > low else 1.0)
    return shares


def _ticks(ends: tuple[float, float]) -> list[float]:
    """A few round numbers between two ends."""
    if not ends[1] > ends[0]:
        return []
    room = 1e-9 * (ends[1] - ends[0])
    found = np.asarray(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(*ends), np.float64)
    return [tick for tick in found.tolist() if ends[0] - room <= tick <= ends[1] + room]


def _low(values: Values) -> Values:
    low: Values = np.where(np.isfinite(values), values, np.inf).min(axis=0)
    return low


def _high(values: Values) -> Values:
    high: Values = np.where(np.isfinite(values), values, -np.inf).max(axis=0)
    return high
