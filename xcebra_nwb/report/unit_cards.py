"""A card for each unit of a session: its firing, its tuning to every label, and both tests of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from xcebra_nwb.attribution.peri_event import label_events
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session import UNIT_COORDINATES
from xcebra_nwb.report.figures.event_panels import EventPanels, event_panels
from xcebra_nwb.report.figures.unit_panels import Panels, panels
from xcebra_nwb.report.firing import firing
from xcebra_nwb.report.style import number, percent
from xcebra_nwb.report.unit_address import unit_address
from xcebra_nwb.report.unit_map import UnitMap, rounded
from xcebra_nwb.report.unit_tuning import has_tuning, short, tuning_words
from xcebra_nwb.report.vector import line

INTERVALS = ("isi_violations", "isi_cv2")  # numbers of session.nc on the intervals between spikes
STRIP = 140  # width of the drawing of seeds and nulls
GALLERY = ["unit", "region", "rate", "presence", "carries", "foremost label", "information", "q", "z", "q of z"]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class CardOfLabel:
    """What a unit's card shows of a label."""

    label: str
    panels: Sequence[tuple[str, Markup]]  # title and graphic: of the tuning, and around events
    words: str
    strip: Markup


@dataclass(frozen=True)
class Card:
    """A unit's card."""

    address: str
    unit: str
    region: str
    carries: str
    firing: Sequence[tuple[str, Any]]
    file: Sequence[tuple[str, Any]]  # what the file says of the unit
    course: Markup
    labels: Sequence[CardOfLabel]


class Cards:
    """The cards of all units of a session, made one by one.

    Attributes:
        maps: of each label.
        firing: of the units.
        addresses: of the units.
        units: units.nc, if there is one.
        drawn: the drawings of each label; none where its tuning is not known.
        events: the drawings around the events of each label that has any.
        order: the units, those that carry a label first, by their largest information.
    """

    def __init__(self, session: xr.Dataset, units: xr.Dataset | None, maps: Mapping[str, UnitMap]) -> None:
        self.maps, self.firing, self.units, self._session = maps, firing(session), units, session
        self.names = [str(name) for name in session["unit_id"].values]
        self.regions = [str(region) for region in session["region"].values]
        if any(shown.units != self.names for shown in maps.values()):
            raise UsageError("attribution.nc has other units than session.nc; run train and attribute again")
        if len(set(self.names)) < len(self.names):
            raise UsageError("session.nc has two units of one name; run extract again")
        self.addresses = [unit_address(name) for name in self.names]
        self._told, self._carries, self._z, self._q, self._z_q = (
            np.array([getattr(shown, name) for shown in maps.values()])
            for name in ("information", "carries", "z", "information_q", "z_q")
        )
        self._best = _foremost(self._told, self._carries, self._z)
        self.order = self._ordered()
        self.drawn, self._words = _tuning(units, maps, self.names)
        self.events = _around_events(session, units, maps, self.names)
        self._top = _largest_share(maps)
        self._columns = _own_columns(session)

    def _ordered(self) -> list[int]:
        best, every = self._best, np.arange(len(self.names))
        told, z = (np.nan_to_num(values[best, every], nan=-np.inf) for values in (self._told, self._z))
        order: list[int] = np.lexsort((-z, -told, ~self._carries.any(axis=0))).tolist()
        return order

    def shared(self) -> list[Markup]:
        """Return what the drawings of all units share."""
        drawn = [each.shared for label in self.drawn.values() for each in label]
        return drawn + [each.shared for each in self.events.values()]

    def carried(self, unit: int) -> str:
        """Return the labels that a unit carries."""
        return ", ".join(label for label, carries in zip(self.maps, self._carries[:, unit], strict=True) if carries)

    def gallery(self) -> list[list[Any]]:
        """Return a row of :data:`GALLERY` for each unit, those that carry a label first."""
        labels = list(self.maps)
        rows = []
        for unit in self.order:
            best = self._best[unit]
            told = [rounded(each[best, unit]) for each in (self._told, self._q, self._z, self._z_q)]
            fired = [rounded(self.firing.mean[unit]), rounded(self.firing.presence[unit])]
            rows.append([self.names[unit], self.regions[unit], *fired, self.carried(unit), labels[best], *told])
        return rows

    def tuning(self, unit: int, label: str) -> dict[str, Any]:
        """Return the name of a unit, its address, its drawings of a label, and the words for them."""
        drawings = [each.drawn(unit) for each in self.drawn[label]]
        words = self._words[label][unit]
        return {"unit": self.names[unit], "address": self.addresses[unit], "drawings": drawings, "words": words}

    def card(self, unit: int, brief: bool = False) -> Card:
        """Return the card of a unit.

        Args:
            unit: number of the unit.
            brief: whether it shows only the labels that the unit carries, and its foremost label.
        """
        shown_labels = [
            label
            for place, label in enumerate(self.maps)
            if not brief or self._carries[place, unit] or place == self._best[unit]
        ]
        labels = [
            CardOfLabel(
                label, self._panels(unit, label, brief), self._words[label][unit], self._strip(self.maps[label], unit)
            )
            for label in shown_labels
        ]
        about = (self.addresses[unit], self.names[unit], self.regions[unit], self.carried(unit))
        return Card(*about, self._fired(unit), self._columns[unit], self._course(unit), labels)

    def _panels(self, unit: int, label: str, brief: bool) -> list[tuple[str, Markup]]:
        """The title and graphic of each panel of a label; without single events in a brief card."""
        drawn = [(each.title, each.drawn(unit)) for each in self.drawn[label]]
        if label in self.events:
            drawn.append((self.events[label].title, self.events[label].drawn(unit, raster=not brief)))
        return drawn

    def _fired(self, unit: int) -> list[tuple[str, Any]]:
        spikes = self._session["activity"].attrs["kind"] == "spikes"
        mean = f"{short(float(self.firing.mean[unit]), 3)} {self.firing.units}".rstrip()
        facts: list[tuple[str, Any]] = [("mean rate" if spikes else "mean activity", mean)]
        if spikes:
            facts += [("spikes", number(int(self._session["n_spikes"].values[unit])))]
            facts += [("presence", f"{percent(self.firing.presence[unit])} of the time")]
            fano = float(self.firing.fano[unit])
            facts += [("Fano factor", f"{short(fano, 2)} in 1 s")] if np.isfinite(fano) else []
            violations, cv2 = (self._of_intervals(name, unit) for name in INTERVALS)
            facts += [("intervals under 1.5 ms", percent(violations, 2))] if np.isfinite(violations) else []
            facts += [("CV2", short(cv2, 2))] if np.isfinite(cv2) else []
        return facts

    def _of_intervals(self, name: str, unit: int) -> float:
        return float(self._session[name].values[unit]) if name in self._session else float("nan")

    def _course(self, unit: int) -> Markup:
        """Draw a unit's activity over the session, from 0 or the lowest value to the highest."""
        course = self.firing.course[:, unit]
        bottom, top = min(0.0, float(course.min())), float(course.max())
        heights = np.rint(16 - 15 * (course - bottom) / ((top - bottom) or 1.0)).astype(int).tolist()
        points = [(round(place * 140 / max(len(heights) - 1, 1)), height) for place, height in enumerate(heights)]
        drawing = (
            f'<svg viewBox="0 0 140 18"><path class="axis" d="M0 17h140"/><path class="c" d="{line(points)}"/></svg>'
        )
        said = f"over the session, up to {short(top, 2)} {self.firing.units}".rstrip()
        return Markup("{}<span>{}</span>").format(Markup(drawing), said)  # nosec B704  # numbers alone

    def _strip(self, shown: UnitMap, unit: int) -> Markup:
        """Draw a unit's share: the band of its nulls, a dot for each seed, a bar at their mean."""
        scale = STRIP / self._top[unit]
        low, high, mean = (values[unit] for values in (shown.null_low, shown.null_high, shown.mean[0]))
        seeds = [round(value * scale) for value in shown.seeds[:, unit].tolist() if np.isfinite(value)]
        if not seeds or not np.isfinite(mean):
            return Markup("")
        nulls = f"M{round(low * scale)} 9H{max(round(high * scale), round(low * scale) + 1)}" if low == low else ""
        points = "".join(f"M{at} 9h0" for at in seeds)
        said = f"share {short(float(mean), 2)}×"
        said += f", nulls {short(float(low), 2)} to {short(float(high), 2)}×" if low == low else ", no nulls"
        bar = f'<path class="m" d="M{round(mean * scale)} 2v14"/>'
        drawing = f'<svg viewBox="-4 0 148 18"><path class="n" d="{nulls}"/>{bar}<path class="d" d="{points}"/></svg>'
        return Markup(f"{drawing}<span>{said}</span>")  # nosec B704  # numbers alone


def _tuning(
    units: xr.Dataset | None, maps: Mapping[str, UnitMap], names: Sequence[str]
) -> tuple[dict[str, list[Panels]], dict[str, list[str]]]:
    drawn: dict[str, list[Panels]] = {label: [] for label in maps}
    words = {label: [""] * len(names) for label in maps}
    for position, label in enumerate(maps):
        if units is not None and has_tuning(units, names, label):
            drawn[label], words[label] = panels(units, label, position), tuning_words(units, label)
    return drawn, words


def _around_events(
    session: xr.Dataset, units: xr.Dataset | None, maps: Mapping[str, UnitMap], names: Sequence[str]
) -> dict[str, EventPanels]:
    if units is None:
        return {}
    events, drawn = label_events(session), {}
    for position, label in enumerate(maps):
        if label in events and has_tuning(units, names, label):
            panel = event_panels(session, units, label, events[label], position)
            if panel is not None:
                drawn[label] = panel
    return drawn


def _foremost(told: Values, carries: NDArray[np.bool_], z: Values) -> NDArray[np.int64]:
    """The label of each unit with most information, of those that it carries where it carries any; else most z."""
    known = np.where(np.isfinite(told), told, -np.inf)
    rank = np.where(carries.any(axis=0) & ~carries, -np.inf, known)
    rank = np.where(np.isfinite(told).any(axis=0), rank, np.nan_to_num(z, nan=-np.inf))
    best: NDArray[np.int64] = rank.argmax(axis=0)
    return best


def _largest_share(maps: Mapping[str, UnitMap]) -> Values:
    """The largest share of each unit over labels, seeds and nulls: the scale of its drawings."""
    parts = [np.vstack([shown.seeds, shown.null_high[None], shown.mean[:1]]) for shown in maps.values()]
    largest = np.nan_to_num(np.vstack(parts), nan=0.0, posinf=0.0).max(axis=0)
    return np.where(largest > 0, largest, 1.0)


def _own_columns(session: xr.Dataset) -> list[list[tuple[str, Any]]]:
    """What else session.nc says of each unit, such as its quality; what is not known of it is left out."""
    own = {
        str(values.attrs.get("name", name)): values.values
        for name, values in session.variables.items()
        if values.dims == ("unit",) and name not in {"unit", *UNIT_COORDINATES, *INTERVALS}
    }
    rows = session["row"].values
    return [
        [
            ("row of the file", int(rows[unit])),
            *((name.replace("_", " "), _told(v[unit])) for name, v in own.items() if _known(v[unit])),
        ]
        for unit in range(session.sizes["unit"])
    ]


def _known(value: Any) -> bool:
    return bool(np.isfinite(value)) if isinstance(value, np.floating) else str(value) != ""


def _told(value: Any) -> Any:
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    return number(value, 4) if isinstance(value, np.number) else str(value)
