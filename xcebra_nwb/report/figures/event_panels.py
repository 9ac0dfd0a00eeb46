"""A unit's activity around events of a label: a raster of some events, and the rate of each group with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.attribution.peri_event import Events, around_events
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.unit_tuning import short
from xcebra_nwb.report.vector import Points, band, line, pixels, text

WIDTH, LEFT = 128, 6
TOP, RASTER, RATES = 14, 44, 56  # heights: free above, of the raster, of the rates
BASE = TOP + RASTER + 6 + RATES
FULL = f"0 0 {WIDTH + 2 * LEFT} {BASE + 38}"
MOST_SHOWN = 60  # events in a raster
LEVELS = 4  # greys of a raster
GREYS = np.repeat(np.linspace(255, 30, LEVELS).astype(np.uint8)[:, None], 3, axis=1)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class EventPanels:
    """The panels around the events of a label, for all units.

    Attributes:
        title: of the panel.
        key: of the shared drawing, unique on a page.
        shared: axes and names of the groups, drawn once.
        mean: activity of each group, (unit, group, lag).
        low: lower end of its interval.
        high: upper end of its interval.
        raster: activity around single events, group by group, (event, lag, unit); float32.
        units: of the activity.
    """

    title: str
    key: str
    shared: Markup
    mean: Values
    low: Values
    high: Values
    raster: NDArray[np.float32]
    units: str

    def drawn(self, unit: int, raster: bool = True) -> Markup:
        """Return the graphic of a unit.

        Args:
            unit: number of the unit.
            raster: whether single events are drawn; without them it is much smaller.
        """
        mean, low, high = self.mean[unit], self.low[unit], self.high[unit]
        known = np.concatenate([each[np.isfinite(each)] for each in (mean, low, high)])
        bottom, top = (min(0.0, float(known.min())), float(known.max())) if known.size else (0.0, 1.0)
        top = top if top > bottom else bottom + 1.0
        parts = [f'<use href="#{self.key}"/>']
        if raster:
            parts.append(self._raster(unit))
        for group in range(mean.shape[0]):
            middle, lower, upper = (_points(each[group], bottom, top) for each in (mean, low, high))
            parts.append(f'<path class="b g{group}" d="{band(upper, lower)}"/>')
            parts.append(f'<path class="c g{group}" d="{line(middle)}"/>')
        most = text(LEFT, 10, f"{short(top, 2)} {shorten(printable(self.units), 12)}")
        said = f'viewBox="{FULL}" data-p="{self.key}" data-r="{bottom:.3g} {top:.3g}"'
        return Markup(f"<svg {said}>{''.join(parts)}{most}</svg>")  # nosec B704  # text is escaped

    def _raster(self, unit: int) -> str:
        shown = self.raster[:, :, unit].astype(float)
        most = float(np.nanmax(shown, initial=0.0)) or 1.0
        picture = pixels(shown / most, GREYS)
        left, width = _area(shown.shape[1])
        place = f'x="{left:g}" y="{TOP}" width="{width}" height="{RASTER}"'
        return f'<image class="raster" {place} preserveAspectRatio="none" href="{picture}"/>'


def event_panels(session: xr.Dataset, units: xr.Dataset, label: str, events: Events, number: int) -> EventPanels | None:
    """Return the panels around the events of a label; None where units.nc has none, or others.

    Args:
        session: session.nc, for the raster; its activity is read event by event.
        units: units.nc.
        label: name of the label.
        events: of the label.
        number: of the label on the page.
    """
    name = f"{label}_event_rate"
    if name not in units or list(map(str, units[f"{label}_event_group"].values)) != events.names:
        return None
    mean, low, high = (units[f"{name}{end}"].values.astype(float) for end in ("", "_low", "_high"))
    if mean.shape[2] != events.lags:
        return None
    chosen = _chosen(events)
    raster = np.stack([rates.astype(np.float32) for _, rates in around_events(session, events, chosen)])
    lags, counts = units[f"{label}_event_lag"].values.astype(float), units[f"{label}_events"].values
    key, activity_units = f"events-{number}", str(units[name].attrs["units"])
    shared = _shared(key, lags, events, counts.tolist(), events.group[chosen], activity_units)
    title = f"{label}, {'from the beginning of its trials' if events.by_trial else 'where a class begins'}"
    return EventPanels(title, key, shared, mean, low, high, raster, activity_units)


def _chosen(events: Events) -> NDArray[np.int64]:
    """Events of a raster: group by group, evenly over the session."""
    each = MOST_SHOWN // len(events.names)
    parts = [np.flatnonzero(events.group == group) for group in range(len(events.names))]
    return np.concatenate([part[np.linspace(0, len(part) - 1, min(each, len(part))).astype(int)] for part in parts])


def _shared(
    key: str, lags: Values, events: Events, counts: list[int], groups: NDArray[np.int64], activity_units: str
) -> Markup:
    x = _places(len(lags))
    left, width = _area(len(lags))
    zero = left + width * (0.5 - lags[0] / (lags[1] - lags[0])) / len(lags)
    top, base = TOP + RASTER + 6, BASE
    frame = f'<path class="axis" d="M{LEFT - 3} {top}v{RATES}h{WIDTH + 6}"/>'
    frame += f'<path class="zero" d="M{zero:.1f} {TOP}V{base}"/>'
    half = (lags[1] - lags[0]) / 2
    first_lag, last_lag = (short(float(end), 2) for end in (lags[0] - half, lags[-1] + half))
    frame += text(LEFT, base + 12, first_lag) + text(zero, base + 12, "0", "middle")
    frame += text(LEFT + WIDTH, base + 12, f"{last_lag} s", "end")
    for group, (name, count) in enumerate(zip(events.names, counts, strict=True)):
        column, row = group % 2, group // 2
        at, under = LEFT + column * 68, base + 23 + 11 * row
        frame += f'<path class="c g{group}" d="M{at} {under - 3}h9"/>'
        frame += text(at + 12, under, f"{shorten(name or '(empty)', 8)} ({count})")
        rows = np.flatnonzero(groups == group)
        first, last = (TOP + RASTER * at / len(groups) for at in (rows[0], rows[-1] + 1))
        frame += f'<path class="side g{group}" d="M{LEFT - 3} {first:.1f}V{last:.1f}"/>'
    said = Markup(' data-f="events" data-b="{}" data-x="{} {}" data-u="{}" data-v="s" data-n="{}"').format(
        f"{lags[0]:.4g} {lags[-1]:.4g} {len(lags)}", x[0], x[1] - x[0], printable(activity_units),
        "\n".join(printable(name) or "(empty)" for name in events.names),
    )  # fmt: skip
    return Markup(f'<g id="{key}"{said}>{frame}</g>')  # nosec B704  # text is escaped


def _places(lags: int) -> list[int]:
    """Where lags lie: whole steps apart, for short paths."""
    step = max(1, WIDTH // lags)
    first = LEFT + (WIDTH - step * (lags - 1)) // 2
    return [first + step * each for each in range(lags)]


def _area(lags: int) -> tuple[float, int]:
    """Where the first lag begins, and the width of all."""
    places = _places(lags)
    step = places[1] - places[0]
    return places[0] - step / 2, step * lags


def _points(values: Values, bottom: float, top: float) -> Points:
    heights = BASE - RATES * (values - bottom) / (top - bottom)
    return [
        (at, round(height)) if np.isfinite(height) else None
        for at, height in zip(_places(len(values)), heights.tolist(), strict=True)
    ]
