"""The errors of a label that was decoded on held-out bins, beside those of its nulls and of a guess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.held_out import errors
from xcebra_nwb.core import members
from xcebra_nwb.core.results import Results
from xcebra_nwb.core.session import labels
from xcebra_nwb.report.unit_tuning import short

TRAINED, HELD_OUT = 0, 1  # parts of the split
Values = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class HeldOutErrors:
    """The errors of a label on held-out samples, and the label as each member saw it."""

    label: xr.DataArray
    kind: str
    units: str
    bins: Integers  # (sample,) in session.nc
    held_out: int  # bins; of a long recording, some evenly spaced ones are decoded
    stretch: Integers  # (sample,) the number of the held-out stretch; training bins lie between two of them
    true: NDArray  # (sample,) or (sample, axis)
    decoded: NDArray  # (seed, sample) or (seed, sample, axis)
    seeds: Values  # (seed, sample)
    nulls: Values  # (null, sample)
    null_labels: list[NDArray]  # of each null, like ``true``
    null_bins: list[Integers]  # of each null, the bin from which it got its label, (sample,)
    guess: Values  # (sample,) of the mean, or of the commonest class, of training

    def middle(self, values: Values) -> float:
        """Return the typical error: the median, or the share of wrong classes.

        Args:
            values: errors.
        """
        known = values[np.isfinite(values)]
        return float(np.mean(known) if self.kind == "discrete" else np.median(known)) if known.size else float("nan")

    def said(self, error: float) -> str:
        """Return an error in words, with its unit.

        Args:
            error: as stored.
        """
        if self.kind == "discrete":
            return f"{100 * error:.0f} %"
        return (
            f"{np.degrees(error):.0f}°"
            if self.kind == "circular"
            else f"{plain_number(error, 2)} {self.units}".rstrip()
        )

    def shown(self, values: Values) -> Values:
        """Return errors as a chart shows them: in degrees, per cent, or the label's units.

        Args:
            values: errors.
        """
        factor = {"discrete": 100.0, "circular": 180 / np.pi}.get(self.kind, 1.0)
        return factor * values

    @property
    def name(self) -> str:
        """The name of the axis of errors."""
        return {"discrete": "wrong (%)", "circular": "error (°)"}.get(self.kind, f"error ({self.units or 'no unit'})")


def held_out_errors(results: Results, name: str) -> HeldOutErrors | None:
    """Return the errors of a label; None in results that do not have them.

    Args:
        results: the files of the session.
        name: of the label.
    """
    stored, session, training = results.decoded, results.session, results.training
    if stored is None or f"{name}_decoded" not in stored:
        return None
    label = labels(session)[name]
    kind, bins = str(label.attrs["kind"]), stored["bin"].values
    true, decoded = stored[f"{name}_true"].values, stored[f"{name}_decoded"].values
    nulls = members.nulls(training, name)
    known = label.values[training["split"].values == TRAINED]
    units = str(label.attrs["units"])
    trained = np.cumsum(training["split"].values == TRAINED)[bins]
    return HeldOutErrors(
        label=label,
        kind=kind,
        units="" if units.lower() == "none" else units,
        bins=bins,
        held_out=int((training["split"].values == HELD_OUT).sum()),
        stretch=np.cumsum(np.diff(trained, prepend=trained[:1]) > 0),
        true=true,
        decoded=decoded,
        seeds=np.stack([errors(true, read, kind) for read in decoded]),
        nulls=stored[f"{name}_null_error"].values[: len(nulls)].astype(float),
        null_bins=[training["null_bin"].values[null][bins] for null in nulls],
        null_labels=[members.seen_label(session, training, name, null)[bins] for null in nulls],
        guess=errors(true, np.broadcast_to(_constant(known, kind), true.shape), kind),
    )


def _constant(values: NDArray, kind: str) -> NDArray:
    """The best guess that knows nothing of the activity: the mean of training, or its commonest class."""
    if kind == "discrete":
        return np.asarray(np.bincount(values[values >= 0]).argmax())
    if kind == "circular":
        return np.asarray(np.angle(np.exp(1j * values).mean()))
    return np.asarray(values.mean(axis=0))


def plain_number(value: float, digits: int) -> str:
    """Return a number for reading, without an exponent where it is small.

    Args:
        value: the number.
        digits: that count.

    >>> plain_number(0.0000961, 2), plain_number(-12.34, 3), plain_number(2345.6, 2)
    ('0.000096', '−12.3', '2,346')
    """
    if not 0 < abs(value) < 1e-3:
        return short(value, digits)
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-").replace("-", "−")
