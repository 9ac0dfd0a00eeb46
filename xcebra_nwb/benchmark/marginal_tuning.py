"""The classical test of tuning: spatial information of a unit about one label alone, against circular shifts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.label_cells import label_cells
from xcebra_nwb.core.session import label_features, labels

Floats = NDArray[np.float64]
SHIFTS = 4000  # so that a lone unit among a hundred can reach q <= 0.05
LEAST_SHIFT = 10.0  # s
SPLITS = 6  # of the space of a label with several axes: 64 cells of equal occupancy
CELLS = {"continuous": 30, "circular": 24}
OUTER = 0.005  # share of the values at each end of a continuous label that are counted in the outermost cells


class MarginalTuning(NamedTuple):
    """The strength of the tuning of every unit to one label, and its p among circular shifts, (unit,) each.

    The strength is the spatial information of spikes, in bits a spike. Of rates and fluorescence it is the share of the
    variance that lies between cells of the label.
    """

    strength: Floats
    p_value: Floats


def marginal_tuning(
    session: xr.Dataset, generator: np.random.Generator, shifts: int = SHIFTS
) -> dict[str, MarginalTuning]:
    """Return the tuning of every unit to every label alone, by label.

    Args:
        session: session dataset; only its valid bins are read.
        generator: source of the shifts.
        shifts: number of circular shifts of the labels against the activity.
    """
    bins = np.flatnonzero(session["valid"].values)
    activity = session["activity"].values[bins].astype(np.float64)
    statistic = shifted_information if session["activity"].attrs["kind"] == "spikes" else shifted_variance
    least = min(round(LEAST_SHIFT / float(session.attrs["bin_width"])), len(bins) // 4)
    drawn = np.r_[0, generator.integers(least, len(bins) - least + 1, shifts)]
    tuning = {}
    for name, label in labels(session).items():
        strength = statistic(cells(label.values[bins], label.attrs["kind"]), activity, drawn)
        tuning[name] = MarginalTuning(strength[0], (strength >= strength[0]).mean(axis=0))
    return tuning


def marginal_p_values(session: xr.Dataset, generator: np.random.Generator) -> Floats:
    """Return p of the tuning of every unit to every label alone, (label, unit).

    Args:
        session: session dataset; only its valid bins are read.
        generator: source of the shifts.
    """
    return np.stack([tuning.p_value for tuning in marginal_tuning(session, generator).values()])


def cells(values: NDArray, kind: str) -> NDArray[np.int64]:
    """Return the number of the cell that every value of a label falls into, (time,).

    Args:
        values: label (time,) or (time, axis); rad for a circular label, codes for a discrete one.
        kind: continuous, circular or discrete.

    >>> cells(np.array([0.0, np.pi, 2 * np.pi]), "circular").tolist()
    [0, 12, 0]
    """
    if kind == "discrete":
        numbers: NDArray[np.int64] = np.unique(values, return_inverse=True)[1].reshape(-1)
        return numbers
    if values.ndim == 2 and values.shape[1] > 1:
        return label_cells(label_features(values, kind), False, SPLITS, (1.0,)).of_sample
    values, count = values.reshape(len(values)), CELLS[kind]
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
    mean = np.maximum(activity.mean(axis=0), 1e-12)
    information = np.zeros((len(shifts), activity.shape[1]))
    for share, means in _cell_means(cell, activity, shifts):
        ratio = np.maximum(means / mean, 1e-12)
        information += share * ratio * np.log2(ratio)
    rounded: Floats = information.round(9)  # equal sums must stay equal after the FFT
    return rounded


def shifted_variance(cell: NDArray[np.int64], activity: Floats, shifts: NDArray[np.int64]) -> Floats:
    """Return the share of the variance of every unit that lies between cells, under shifts of the label, (shift, unit).

    Args:
        cell: cell of every bin, (time,).
        activity: rates or fluorescence, (time, unit).
        shifts: bins by which the label is moved on, (shift,); 0 leaves it where it is.

    >>> shifted_variance(np.array([0, 0, 1, 1]), np.array([[1.0], [1.0], [-1.0], [-1.0]]), np.array([0, 1])).tolist()
    [[1.0], [0.0]]
    """
    between = np.zeros((len(shifts), activity.shape[1]))
    for share, means in _cell_means(cell, activity, shifts):
        between += share * np.square(means - activity.mean(axis=0))
    rounded: Floats = (between / np.maximum(activity.var(axis=0), 1e-12)).round(9)
    return rounded


def _cell_means(cell: NDArray[np.int64], activity: Floats, shifts: NDArray[np.int64]) -> Iterator[tuple[float, Floats]]:
    """Yield the share of the bins in every cell, and the mean activity in it under every shift, (shift, unit)."""
    # A correlation by FFT gives the sums in a cell for all shifts at once.
    spectrum = np.fft.rfft(activity, axis=0)
    for number in np.unique(cell):
        inside = (cell == number).astype(np.float64)
        sums = np.fft.irfft(spectrum * np.conj(np.fft.rfft(inside))[:, None], n=len(cell), axis=0)[shifts]
        yield float(inside.mean()), sums / inside.sum()
