"""The whole recording at full resolution for a figure that is zoomed: use of bins, activity, and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core import session as contract
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.results import from_json
from xcebra_nwb.report.figures.label_colors import axis_names
from xcebra_nwb.report.packing import pack_bytes

MOST_VALUES = 1_500_000  # of all tracks; a value takes a byte, and packed mostly less
LEVELS = 255  # of a track; 0 stands for no value
USES = ("masked", "guard, not used", "training", "held out")
REACH = (0.05, 99.95)  # percentiles of the values that a track spans
Values = NDArray[np.float64]


@dataclass
class Track:
    """A track of the figure: codes or levels of every bin, or their extremes where bins are put together."""

    name: str
    kind: str  # use, classes, line, circle
    names: list[str] = field(default_factory=list)
    low: float = 0.0
    high: float = 1.0
    units: str = ""
    columns: list[NDArray[np.uint8]] = field(default_factory=list)

    def about(self) -> dict[str, Any]:
        """Return what a script needs to know of the track beside its values."""
        said = {"name": self.name, "kind": self.kind, "columns": len(self.columns)}
        if self.names:
            return said | {"names": self.names}
        return said | {"low": self.low, "high": self.high, "units": self.units}


def timeline(session: xr.Dataset, training: xr.Dataset, population: Values, activity_units: str) -> dict[str, Any]:
    """Return the tracks of a session, packed for a script.

    Args:
        session: session.nc.
        training: training.nc, for the split.
        population: mean activity over units in every bin, (time,).
        activity_units: of it.
    """
    time, width = session["time"].values, float(session.attrs["bin_width"])
    labels = contract.labels(session)
    count = 2 + sum(contract.label_axes(label) for label in labels.values())
    step = 1 if len(time) * count <= MOST_VALUES else -(-2 * len(time) * count // MOST_VALUES)
    known = session["observed" if "observed" in session else "valid"].values
    tracks = [_use(session, training, step)]
    tracks.append(_line("mean activity of the units", np.where(known, population, np.nan), activity_units, step))
    for name, label in labels.items():
        tracks += _of_label(name, label, step)
    packed = b"".join(_differences(column) for track in tracks for column in track.columns)
    return {
        "bins": len(time), "step": step, "first": float(time[0]) - width / 2, "width": width,
        "tracks": [track.about() for track in tracks], "packed": str(pack_bytes(packed)),
    }  # fmt: skip


def _use(session: xr.Dataset, training: xr.Dataset, step: int) -> Track:
    """What each bin is used for, and why not."""
    reasons = from_json(session.attrs["masks"])
    reasons = [f"masked: {reason}" for reason in reasons][: LEVELS - len(USES)] if isinstance(reasons, dict) else []
    code = np.where(session["valid"].values, 1, 0)
    code = np.where(training["split"].values >= 0, training["split"].values + 2, code)
    if "masked_by" in session:
        by = session["masked_by"].values
        code = np.where((code == 0) & (by >= 0) & (by < len(reasons)), by + len(USES), code)
    return Track("use of the bins", "use", [*USES, *reasons], columns=[_middle(code + 1, step)])


def _of_label(name: str, label: xr.DataArray, step: int) -> list[Track]:
    kind, units = label.attrs["kind"], str(label.attrs["units"])
    if kind == "discrete":
        classes = decode_list(label.attrs["classes"])[: LEVELS - 1]
        code = np.where(label.values < len(classes), label.values + 1, 0)
        return [Track(name, "classes", [each or "(empty)" for each in classes], columns=[_middle(code, step)])]
    if kind == "circular":
        turned = np.degrees(np.mod(label.values, 2 * np.pi))
        return [Track(name, "circle", low=0.0, high=360.0, units="°", columns=[_middle(_levels(turned, 0, 360), step)])]
    if label.ndim == 1:
        return [_line(name, label.values, units, step)]
    names = axis_names(label)
    return [_line(f"{name}, {each}", label.values[:, axis], units, step) for axis, each in enumerate(names)]


def _line(name: str, values: Values, units: str, step: int) -> Track:
    finite = values[np.isfinite(values)]
    low, high = (float(end) for end in np.percentile(finite, REACH)) if finite.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    levels = _levels(values, low, high)
    columns = [levels] if step == 1 else _extremes(levels, step)
    return Track(name, "line", low=low, high=high, units=units, columns=columns)


def _levels(values: Values, low: float, high: float) -> NDArray[np.uint8]:
    """Values as levels from 1 to 255; 0 where there is none."""
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1)
    return np.where(known, 1 + np.rint(share * (LEVELS - 1)), 0).astype(np.uint8)


def _extremes(levels: NDArray[np.uint8], step: int) -> list[NDArray[np.uint8]]:
    """The lowest and the highest of each ``step`` bins that has any; so no peak is lost."""
    padded = np.concatenate([levels, np.zeros(-len(levels) % step, np.uint8)]).reshape(-1, step)
    lowest = np.where(padded > 0, padded, LEVELS).min(axis=1)
    highest = padded.max(axis=1)
    return [np.where(highest > 0, lowest, 0).astype(np.uint8), highest]


def _middle(codes: NDArray, step: int) -> NDArray[np.uint8]:
    return np.asarray(codes[step // 2 :: step] if len(codes) > step // 2 else codes[:1], dtype=np.uint8)


def _differences(column: NDArray[np.uint8]) -> bytes:
    """Steps from value to value, which pack better than values."""
    return np.diff(column, prepend=np.zeros(1, np.uint8)).tobytes()
