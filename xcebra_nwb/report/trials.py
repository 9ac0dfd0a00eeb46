"""The trials of a session, and the time in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.session import labels, trial_numbers

Values = NDArray[np.float64]
Integers = NDArray[np.int64]
SHOWN = 90  # per cent of the trials, which the time in a trial spans


@dataclass(frozen=True)
class Phase:
    """The time in a trial, in parts.

    Attributes:
        part: of every bin (time,); -1 outside of trials, and after the end.
        centers: s since the start of the trial, (part,).
        end: s, where the last part ends.
    """

    part: Integers
    centers: Values
    end: float


def trials_of(session: xr.Dataset, label: str) -> Integers | None:
    """Return the trial of every bin (time,), -1 outside: of the label, else of the first label that has trials.

    Args:
        session: session.nc.
        label: name of the label.
    """
    for name in (label, *labels(session)):
        trial = trial_numbers(session, name)
        if trial is not None and (trial >= 0).any():
            return trial
    return None


def in_trial(session: xr.Dataset, trial: Integers, most: int) -> Phase | None:
    """Return the time in a trial, up to the length that nine of ten trials do not exceed; None for trials of one bin.

    Args:
        session: session.nc.
        trial: of every bin, (time,); -1 outside.
        most: number of parts, at most: a part is a whole number of bins.
    """
    width, since = float(session.attrs["bin_width"]), since_start(session["time"].values, trial)
    inside = trial >= 0
    bins = np.full(len(trial), -1)
    bins[inside] = np.rint(since[inside] / width).astype(int)
    lengths = np.zeros(int(trial.max(initial=-1)) + 1, dtype=int)
    np.maximum.at(lengths, trial[inside], bins[inside] + 1)
    shown = int(np.percentile(lengths[np.unique(trial[inside])], SHOWN)) if inside.any() else 0
    if shown < 2:
        return None
    each = -(-shown // most)
    count = -(-shown // each)
    part = np.where((bins < 0) | (bins >= count * each), -1, bins // each)
    centers = (np.arange(count) + 0.5) * each * width
    return Phase(part, centers.astype(np.float64), count * each * width)


def since_start(times: Values, trial: Integers) -> Values:
    """Return the time since the first bin of the trial, (time,); NaN outside of trials.

    >>> since_start(np.array([0.0, 1.0, 2.0, 3.0]), np.array([-1, 0, 0, 1])).tolist()
    [nan, 0.0, 1.0, 0.0]
    """
    since = np.full(len(times), np.nan)
    inside = np.flatnonzero(trial >= 0)
    numbers, first, place = np.unique(trial[inside], return_index=True, return_inverse=True)
    if len(numbers):
        since[inside] = times[inside] - times[inside[first]][place.reshape(-1)]
    return since
