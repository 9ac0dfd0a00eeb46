"""A unit's tuning to a label as a small vector graphic; what all units share (axes, occupancy) is drawn once a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.style import SEQUENCE
from xcebra_nwb.report.unit_tuning import is_apart, is_map, short
from xcebra_nwb.report.vector import Points, band, dots, line, pixels, text

TOP_IS = {"curve": "", "classes": "", "polar": "circle", "map": "peak"}  # what the number above a drawing is
WIDTH, HEIGHT = 128, 100  # of the area for curves, in the units of the graphic
LEFT, TOP = 6, 14  # free, for text
FULL = f"0 0 {WIDTH + 2 * LEFT} {HEIGHT + TOP + 26}"
MAP_COLORS = (SEQUENCE(np.linspace(0, 1, 64))[:, :3] * 255).astype(np.uint8)
MOST_AXES = 4  # of a label with a curve for each axis
MOST_NAMES = 5  # classes whose names are written
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Panels:
    """The panels of a label (or of one of its axes) for all units.

    Attributes:
        label: name of the label.
        title: of the panel: the label, and the axis where each has a curve of its own.
        key: of the shared drawing, unique on a page.
        form: curve, polar, map or classes.
        shared: axes and occupancy, drawn once.
        curve: mean activity, (unit, bin...).
        low: lower end of its interval.
        high: upper end of its interval.
        centers: of the bins; one array an axis of a map.
        activity_units: of the curves.
        label_units: of the centres.
        names: of classes.
    """

    label: str
    title: str
    key: str
    form: str
    shared: Markup
    curve: Values
    low: Values
    high: Values
    centers: tuple[Values, ...]
    activity_units: str
    label_units: str
    names: tuple[str, ...]

    def drawn(self, unit: int) -> Markup:
        """Return the graphic of a unit, in a reference frame that all units share."""
        curve, low, high = self.curve[unit], self.low[unit], self.high[unit]
        shared = f'<use href="#{self.key}"/>'
        if not np.isfinite(curve).any():
            blank = text(LEFT + WIDTH / 2, 60, "not visited", "middle")
            return Markup(f'<svg viewBox="{FULL}">{shared}{blank}</svg>')  # nosec B704  # text is escaped
        bottom, top = _range(curve, low, high, self.form)
        drawing = DRAWERS[self.form](curve, low, high, bottom, top)
        most = text(
            LEFT, 10, f"{TOP_IS[self.form]} {short(top, 2)} {shorten(printable(self.activity_units), 12)}".strip()
        )
        said = f'viewBox="{FULL}" data-p="{self.key}" data-r="{bottom:.3g} {top:.3g}"'
        return Markup(f"<svg {said}>{shared}{drawing}{most}</svg>")  # nosec B704  # text is escaped


def panels(units: xr.Dataset, label: str, number: int) -> list[Panels]:
    """Return the panels of a label: one, or one for each of its axes.

    Args:
        units: units.nc.
        label: name of the label.
        number: of the label on the page.
    """
    curves = units[f"{label}_tuning"]
    if is_apart(curves):
        count = min(curves.shape[1], MOST_AXES)
        axis = f"{label}_axis"
        names = units[axis].values if axis in units.coords else np.arange(curves.shape[1]) + 1
        return [_axis_panels(units, label, number, part, str(names[part])) for part in range(count)]
    if is_map(curves):
        centers = tuple(units[f"{label}_{axis}"].values.astype(float) for axis in "xy")
        label_units = str(units[f"{label}_x"].attrs.get("units", ""))
        return [_panels(units, label, label, f"axes-{number}", "map", centers, label_units)]
    if curves.attrs["kind"] == "discrete":
        classes = tuple(str(name) for name in units[f"{label}_class"].values)
        centers = (np.arange(len(classes), dtype=float),)
        return [_panels(units, label, label, f"axes-{number}", "classes", centers, "", classes)]
    circular = curves.attrs["kind"] == "circular"
    centers = (units[f"{label}_bin"].values.astype(float),)
    label_units = str(units[f"{label}_bin"].attrs.get("units", ""))
    form = "polar" if circular else "curve"
    return [_panels(units, label, label, f"axes-{number}", form, centers, label_units)]


def _axis_panels(units: xr.Dataset, label: str, number: int, part: int, name: str) -> Panels:
    centers = (units[f"{label}_bin_center"].values[part].astype(float),)
    label_units = str(units[f"{label}_bin_center"].attrs.get("units", ""))
    title, key = f"{label}, axis {name}", f"axes-{number}-{part}"
    return _panels(units, label, title, key, "curve", centers, label_units, part=part)


def _panels(
    units: xr.Dataset,
    label: str,
    title: str,
    key: str,
    form: str,
    centers: tuple[Values, ...],
    label_units: str,
    names: tuple[str, ...] = (),
    part: int | None = None,
) -> Panels:
    chosen = (slice(None),) if part is None else (slice(None), part)
    curve, low, high = (units[f"{label}_tuning{end}"].values[chosen].astype(float) for end in ("", "_low", "_high"))
    occupancy = units[f"{label}_occupancy"].values[() if part is None else part].astype(float)
    activity_units = str(units[f"{label}_tuning"].attrs["units"])
    pointed = _pointed(form, centers, activity_units, label_units)
    drawing = _shared(form, occupancy, centers, label_units, names)
    shared = Markup(f'<g id="{key}" data-f="{form}"{pointed}>{drawing}</g>')  # nosec B704  # text is escaped
    return Panels(label, title, key, form, shared, curve, low, high, centers, activity_units, label_units, names)


def _pointed(form: str, centers: tuple[Values, ...], activity_units: str, label_units: str) -> Markup:
    """What a script needs to say what is under the pointer: units, and the ends of each axis."""
    turned = [np.degrees(axis) if form == "polar" else axis for axis in centers]
    ends = " ".join(f"{axis[0]:.5g} {axis[-1]:.5g} {len(axis)}" for axis in turned)
    places = _places(len(centers[0]))
    named = (printable(activity_units), "°" if form == "polar" else printable(label_units))
    return Markup(' data-b="{}" data-x="{} {}" data-u="{}" data-v="{}"').format(
        ends, places[0], places[-1] - places[-2] if len(places) > 1 else 1, *named
    )


# What all units share
# --------------------


def _shared(form: str, occupancy: Values, centers: tuple[Values, ...], label_units: str, names: tuple[str, ...]) -> str:
    if form == "map":
        return _shared_map(occupancy, centers, label_units)
    if form == "polar":
        return _shared_polar(occupancy)
    x = _places(len(occupancy))
    most = float(occupancy.max(initial=0)) or 1.0
    base = TOP + HEIGHT
    bars = "".join(f"M{at} {base + 8}v-{round(8 * seconds / most)}" for at, seconds in zip(x, occupancy, strict=True))
    frame = f'<path class="axis" d="M{LEFT - 3} {TOP}v{HEIGHT}h{WIDTH + 6}"/><path class="time" d="{bars}"/>'
    if form == "classes":
        return frame + "".join(_class_names(x, names))
    first, last = (short(float(centers[0][end]), 3) for end in (0, -1))
    return frame + text(LEFT, base + 22, first) + text(LEFT + WIDTH, base + 22, f"{last} {label_units}", "end")


def _class_names(x: list[int], names: tuple[str, ...]) -> Iterator[str]:
    if len(names) > MOST_NAMES:
        yield text(LEFT, TOP + HEIGHT + 22, f"{len(names)} classes")
        return
    for at, name in zip(x, names, strict=True):
        yield text(at, TOP + HEIGHT + 22, shorten(printable(name) or "(empty)", max(4, 20 // len(names))), "middle")


def _shared_polar(occupancy: Values) -> str:
    most = float(occupancy.max(initial=0)) or 1.0
    (x, y), radius, angles = _center(), HEIGHT // 2, np.array(_angles(len(occupancy)))
    inner, outer = (_around((x, y), angles, radius + 1 + length) for length in (0 * angles, 7 * occupancy / most))
    ticks = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in zip(*inner, *outer, strict=True))
    cross = f"M{x - radius} {y}h{HEIGHT}M{x} {y - radius}v{HEIGHT}"
    circle = f'<circle class="axis" cx="{x}" cy="{y}" r="{radius}"/><path class="axis" d="{cross}"/>'
    named = text(x + radius + 8, y - 3, "0°") + text(x + 8, TOP + 4, "90°")
    return f'{circle}<path class="time" d="{ticks}"/>{named}'


def _shared_map(occupancy: Values, centers: tuple[Values, ...], label_units: str) -> str:
    """The map of the time spent, beside the place where the maps of units are drawn."""
    most = float(occupancy.max(initial=0)) or 1.0
    grey = np.repeat(np.linspace(235, 60, 64).astype(np.uint8)[:, None], 3, axis=1)
    shown = np.where(occupancy > 0, occupancy / most, np.nan)
    x, y = (f"{short(float(axis[0]), 2)} to {short(float(axis[-1]), 2)}" for axis in centers)
    return (
        _picture(pixels(shown.T[::-1], grey), LEFT + 104, TOP + 66, 30, 34)
        + text(LEFT + 119, TOP + 62, "time", "middle")
        + text(LEFT, TOP + HEIGHT + 11, f"x {x} {label_units}")
        + text(LEFT, TOP + HEIGHT + 22, f"y {y} {label_units}")
    )


# The unit
# --------


def _curve(curve: Values, low: Values, high: Values, bottom: float, top: float) -> str:
    x = _places(len(curve))
    middle, lower, upper = (_points(x, values, bottom, top) for values in (curve, low, high))
    return f'<path class="b" d="{band(upper, lower)}"/><path class="c" d="{line(middle)}"/>'


def _classes(curve: Values, low: Values, high: Values, bottom: float, top: float) -> str:
    x = _places(len(curve))
    middle, lower, upper = (_points(x, values, bottom, top) for values in (curve, low, high))
    ends = [f"M{a[0]} {a[1]}V{b[1]}" for a, b in zip(lower, upper, strict=True) if a is not None and b is not None]
    return f'<path class="i" d="{"".join(ends)}"/><path class="d" d="{dots(middle)}"/>'


def _polar(curve: Values, low: Values, high: Values, bottom: float, top: float) -> str:
    """Draw a curve around the circle: the distance from the middle is the activity."""
    center, angles = _center(), np.array(_angles(len(curve)))
    lines: list[Points] = []
    for values in (curve, low, high):
        radii = np.clip((values - bottom) / (top - bottom), 0, 1) * (HEIGHT // 2)
        known = np.isfinite(radii).tolist()
        x, y = (np.rint(np.nan_to_num(part)).astype(int).tolist() for part in _around(center, angles, radii))
        points = [(across, down) if there else None for across, down, there in zip(x, y, known, strict=True)]
        lines.append(points if None in points else [*points, points[0]])
    middle, lower, upper = lines
    return f'<path class="b" d="{band(upper, lower)}"/><path class="c" d="{line(middle)}"/>'


def _map(curve: Values, low: Values, high: Values, bottom: float, top: float) -> str:
    shown = (curve.T[::-1] - bottom) / (top - bottom)
    peak = int(np.nanargmax(curve))
    ends = f"({short(float(low.flat[peak]), 2)} to {short(float(high.flat[peak]), 2)})"
    return _picture(pixels(shown, MAP_COLORS), LEFT, TOP, HEIGHT, HEIGHT) + text(LEFT + 62, 10, ends)


DRAWERS = {"curve": _curve, "polar": _polar, "classes": _classes, "map": _map}


def _range(curve: Values, low: Values, high: Values, form: str) -> tuple[float, float]:
    """The lowest and highest activity that a panel spans: with the intervals, and with 0 where none is below."""
    values = (curve,) if form == "map" else (curve, low, high)
    known = np.concatenate([each[np.isfinite(each)] for each in values])
    bottom, top = min(0.0, float(known.min())), float(known.max())
    return bottom, top if top > bottom else bottom + 1.0


def _places(bins: int) -> list[int]:
    """Return where bins lie along the axis: the same whole step apart, for short paths."""
    step = max(1, WIDTH // max(bins - 1, 1)) if bins > 8 else WIDTH // bins
    first = LEFT + (WIDTH - step * (bins - 1)) // 2
    return [first + step * each for each in range(bins)]


def _points(x: list[int], values: Values, bottom: float, top: float) -> Points:
    heights = TOP + HEIGHT - HEIGHT * (values - bottom) / (top - bottom)
    return [
        (at, round(height)) if np.isfinite(height) else None for at, height in zip(x, heights.tolist(), strict=True)
    ]


def _angles(bins: int) -> list[float]:
    return ((np.arange(bins) + 0.5) * 2 * np.pi / bins).tolist()


def _center() -> tuple[int, int]:
    return LEFT + WIDTH // 2, TOP + 8 + HEIGHT // 2


def _around(center: tuple[int, int], angles: Values, radii: Values) -> tuple[Values, Values]:
    return center[0] + radii * np.cos(angles), center[1] - radii * np.sin(angles)


def _picture(address: str, x: float, y: float, width: float, height: float) -> str:
    place = f'x="{x}" y="{y}" width="{width}" height="{height}"'
    return f'<image {place} preserveAspectRatio="none" href="{address}"/>'
