"""The classical test of tuning: spatial information of a unit about one label alone, against circular shifts."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.session import labels

Floats = NDArray[np.float64]
SHIFTS = 4000  # so that a lone unit among a hundred can reach q <= 0.05
LEAST_SHIFT = 10.0  # s
CELLS = {"continuous": 30, "circular": 24}
OUTER = 0.005  # share of the values at each end of a continuous label that are counted in the outermost cells


def marginal_p_values(session: xr.Dataset, generator: np.random.Generator, shifts: int = SHIFTS) -> Floats:
    """Return p of the tuning of every unit to every label alone, (label, unit).

    Args:
        session: session dataset with labels of one axis; only its valid bins are read.
        generator: source of the shifts.
        shifts: number of circular shifts of the labels against the activity.

    Returns:
        Rank of a unit's spatial information among that of the shifts.
    """
    bins = np.flatnonzero(session["valid"].values)
    activity = session["activity"].values[bins].astype(np.float64)
    least = min(round(LEAST_SHIFT / float(session.attrs["bin_width"])), len(bins) // 4)
    drawn = np.r_[0, generator.integers(least, len(bins) - least + 1, shifts)]
    p_values = []
    for label in labels(session).values():
        information = shifted_information(cells(label.values[bins], label.attrs["kind"]), activity, drawn)
        p_values.append((information >= information[0]).mean(axis=0))
    return np.stack(p_values)


def cells(values: NDArray, kind: str) -> NDArray[np.int64]:
    """Return the number of the cell that every value of a label falls into, (time,).

    Args:
        values: label, (time,); rad for a circular label, codes for a discrete one.
        kind: continuous, circular or discrete.

    >>> cells(np.array([0.0, np.pi, 2 * np.pi]), "circular").tolist()
    [0, 12, 0]
    """
    if kind == "discrete":
        numbers: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].reshape(-1)
        return numbers
    count = CELLS[kind]
    if kind == "circular":
        return (values / (2 * np.pi) * count).astype(np.int64) % count
    low, high = np.quantile(values, [OUTER, 1 - OUTER])
    return ((values - low) / max(high - low, 1e-12) * count).astype(np.int64).clip(0, count - 1)


def shifted_information(cell: NDArray[np.int64], activity: Floats, shifts: NDArray[np.int64]) -> Floats:
    """Return the spatial information of every unit under shifts of the label, (shift, unit).

    Skaggs et al. 1993, in bits a spike: the sum over cells of occupancy times r log2 r, with the rate r divided by
    the unit's mean rate.

    Args:
        cell: cell of every bin, (time,).
        activity: counts or rates that are not negative, (time, unit).
        shifts: bins by which the label is moved on, (shift,); 0 leaves it where it is.

    >>> shifted_information(np.array([0, 0, 1, 1]), np.array([[2.0], [2.0], [0.0], [0.0]]), np.array([0, 1])).tolist()
    [[1.0], [0.0]]
    """
    bins = len(cell)
    # A correlation by FFT gives the sums in a cell for all shifts at once.
    spectrum = np.fft.rfft(activity, axis=0)
    mean = np.maximum(activity.mean(axis=0), 1e-12)
    information = np.zeros((len(shifts), activity.shape[1]))
    for number in np.unique(cell):
        inside = (cell == number).astype(np.float64)
        correlation = np.fft.irfft(spectrum * np.conj(np.fft.rfft(inside))[:, None], n=bins, axis=0)[shifts]
        ratio = np.maximum(correlation / (inside.sum() * mean), 1e-12)
        information += inside.mean() * ratio * np.log2(ratio)
    rounded: Floats = information.round(9)  # equal sums must stay equal after the FFT
    return rounded
