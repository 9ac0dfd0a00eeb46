"""Which units' tuning a page shows, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.carriers import carriers, information_of
from xcebra_nwb.report.style import number

Units = NDArray[np.int64]


def shown_units(attribution: xr.Dataset, label: str, most: int) -> Units:
    """Return the units whose tuning is shown: those that carry a label first, by their information.

    Units without information follow by z, or by attribution where no z is known.

    Args:
        attribution: attribution.nc.
        label: name of the label.
        most: the largest number of units.

    Returns:
        The numbers of the units, in descending order.
    """
    chosen = attribution.sel(label=label)
    z = chosen["z"].values.astype(float)
    rank = z if np.isfinite(z).any() else chosen["attribution"].transpose("map_method", "unit").values[0]
    told = information_of(chosen)["information"].values.astype(float)
    keys = [-np.nan_to_num(values, nan=-np.inf) for values in (rank, told)]
    order: Units = np.lexsort((*keys, ~carriers(chosen).values))[:most]
    return order


def has_tuning(units: xr.Dataset | None, names: Sequence[str], label: str) -> bool:
    """Return whether units.nc holds the tuning of a label for the units of the maps, in their order.

    Args:
        units: units.nc, if there is one.
        names: of the units of the maps.
        label: name of the label.
    """
    return units is not None and f"{label}_tuning" in units and list(map(str, units["unit_id"].values)) == list(names)


def is_map(curves: xr.DataArray) -> bool:
    """Return whether curves (unit, ...) are rate maps of two axes."""
    return [str(dim).rpartition("_")[2] for dim in curves.dims[1:]] == ["x", "y"]


def is_apart(curves: xr.DataArray) -> bool:
    """Return whether there is a curve for each axis of the label."""
    return curves.ndim == 3 and not is_map(curves)


def short(value: float, digits: int = 3) -> str:
    """Return a number for reading, without an exponent where it is large.

    Args:
        value: the number.
        digits: digits of a number that is not large.

    >>> short(146.3), short(1234.5), short(-0.01234), short(99.6, 2)
    ('146', '1,234', '−0.0123', '100')
    """
    return number(round(value)) if abs(value) >= 10 ** (digits - 0.5) else number(float(value), digits)


def _preferred(value: Any, kind: str, label_units: str) -> str:
    if kind == "discrete":
        return str(value)
    values = np.atleast_1d(np.asarray(value, dtype=float))
    if not np.isfinite(values).all():
        return ""
    if kind == "circular":
        return f"{np.degrees(values[0]):.0f}°"
    words = ", ".join(short(each) for each in values)
    return f"{f'({words})' if len(values) > 1 else words} {label_units}".rstrip()


def _strength(information: float, reliability: float) -> str:
    if np.isfinite(information):
        return f"{number(information, 2)} bits/spike"
    return f"reliability {number(reliability, 2)}" if np.isfinite(reliability) else ""


def tuning_words(units: xr.Dataset, label: str) -> list[str]:
    """Return preferred value and strength of every unit for reading.

    Args:
        units: units.nc.
        label: name of the label.
    """
    kind, preferred = str(units[f"{label}_tuning"].attrs["kind"]), units[f"{label}_preferred"]
    label_units, chosen = str(preferred.attrs.get("units", "")), units.sel(label=label)
    numbers = (chosen[f"tuning_{name}"].values.tolist() for name in ("information", "reliability"))
    words = []
    for value, information, reliability in zip(preferred.values, *numbers, strict=True):
        at = _preferred(value, kind, label_units)
        parts = (f"prefers {at}" if at else "", _strength(information, reliability))
        words.append(", ".join(part for part in parts if part))
    return words


def tuning_caption(units: xr.Dataset, label: str, chosen: Sequence[int] | Units) -> str:
    """Return the caption of the figure of tuning.

    Args:
        units: units.nc.
        label: name of the label.
        chosen: the units that are shown.
    """
    curves = units[f"{label}_tuning"]
    total, seconds = units.sizes["unit"], number(float(units.attrs["least_occupancy"]), 2)
    stretches = int(units.attrs["stretches"])
    which = f"{len(chosen)} of {number(total)} units" if len(chosen) < total else "all units"
    interval = f"95 % interval, by the differences between {stretches} stretches of the recording"
    if is_map(curves):
        colors = f"Colour: {curves.attrs['units']}, from 0 or the lowest value (dark) to the peak of each unit (bright)"
        shown = f"{colors}. Above: the peak and its {interval}. Small grey map: time spent"
    elif curves.attrs["kind"] == "discrete":
        edge = "Above: the activity at the upper edge. Below: time spent"
        shown = f"Dots: mean activity in each class. Bars: {interval}. {edge}"
    else:
        polar = curves.attrs["kind"] == "circular"
        edge, around = ("on the circle", "Around the circle") if polar else ("at the upper edge", "Below")
        shown = f"Line: mean activity. Band: {interval}. Above: the activity {edge}. {around}: time spent"
    more = " Every axis has its own curve, over all values of the other axes." if is_apart(curves) else ""
    blank = f"Blank: visited for less than {seconds} s, or in too few stretches.{more}"
    doubt = "A curve is of the recorded activity alone: a label that varies with another one can borrow its tuning."
    order = "those that carry the label first, in order of information"
    return f"Tuning of {which}: {order}. {shown}. {blank} {doubt}"
