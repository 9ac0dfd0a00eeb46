"""The activity of a session, block by block: smoothed, standardised, and stored as the encoder input.

An activity may not fit the memory. All functions here read it in blocks and return the same bits as for the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from xcebra_nwb.core import host_memory
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.scratch import Rows, filled_array

BLOCK = 2**22  # values of the activity in a block; it limits the memory beyond the result
NOT_FINITE = "activity is not finite in valid bins"
SMOOTHING_REACH = 4.0  # standard deviations after which the Gaussian is cut off
LEAST_DEVIATION = 1e-9  # standard deviation of a unit that varies at all
SHARE = 0.5  # of the free memory, for the encoder input; the rest is for the computation
NARROW = (np.dtype(np.uint8), np.dtype(np.int16))  # torch 2.4 cannot gather rows of uint16
WIDE = np.dtype(np.float32)


def contract_failure(problem: str) -> Failure:
    """Return the failure to raise when a session dataset breaks its contract."""
    return Failure(f"session dataset breaks its contract: {problem}", "please report this with the file's name")


def is_finite(values: np.ndarray) -> bool:
    """Return whether no value is NaN or infinite.

    >>> is_finite(np.array([0.0, 1.0])), is_finite(np.array([0.0, np.nan]))
    (True, False)
    """
    return bool(np.isfinite(values).all())


def encoder_input(session: xr.Dataset) -> np.ndarray:
    """Return the encoder input of a session, (time, unit) float32, in memory."""
    values = np.empty(session["activity"].shape, dtype=np.float32)
    fill_encoder_input(session, values)
    return values


def fill_encoder_input(session: xr.Dataset, values: Rows) -> None:
    """Fill ``values`` (time, unit) with the encoder input.

    The activity is smoothed within segments, then standardised by the mean and variance of the valid bins. A unit
    without variance there becomes zero, and so do bins that are not valid. The arithmetic is float64; the result has
    the type of ``values`` (:func:`input_type`).

    Raises:
        Failure: The activity is not finite in valid bins.
    """
    fill_standardized(session, values)


def fill_standardized(session: xr.Dataset, values: Rows, known: Moments | None = None) -> Moments:
    """Fill ``values`` (time, unit) with the encoder input, and return the moments that it is standardised by.

    Args:
        session: The session dataset.
        values: Array to fill.
        known: Moments of the recording that the encoder was trained on; None: those of this one.

    Raises:
        Failure: The activity is not finite in valid bins.
    """
    valid, moments = session["valid"].values, Moments(session.sizes["unit"])
    for rows, smoothed in _smoothed(session):
        values[rows] = smoothed
        moments.add(smoothed[valid[rows]])
    if not is_finite(moments.mean):
        raise contract_failure(NOT_FINITE)
    moments = moments if known is None else known
    if session["activity"].attrs["standardize"]:
        for rows in blocks(session):
            values[rows] = np.where(valid[rows, None], moments.standardized(values[rows]), 0.0)
    return moments


def fill_recorded(session: xr.Dataset, values: Rows) -> None:
    """Fill ``values`` (time, unit) with the recorded activity.

    It is neither smoothed nor standardised.
    """
    for rows in blocks(session):
        values[rows] = session["activity"][rows].values


def input_array(session: xr.Dataset, folder: Path, most: float | None = None) -> NDArray[np.number]:
    """Return the encoder input of a session, in memory or as a map of a scratch file.

    Args:
        session: The session dataset; its activity is read block by block.
        folder: For a scratch file, unless the environment names one.
        most: Bytes that the array may take in memory; None: half of the free memory.

    Returns:
        Array (time, unit).

    Raises:
        Failure: The array fits neither the memory nor a disk.
    """
    return stored_array("the encoder input", session, input_type(session), fill_encoder_input, folder, most)


def stored_array(
    title: str,
    session: xr.Dataset,
    dtype: np.dtype,
    fill: Callable[[xr.Dataset, Rows], None],
    folder: Path,
    most: float | None = None,
) -> NDArray[np.number]:
    """Return an array that ``fill`` writes, in memory or as a map of a scratch file.

    Args:
        title: Name of the array in messages.
        session: The session dataset that ``fill`` reads.
        dtype: Type of the array.
        fill: Writes the rows of a session.
        folder: For a scratch file, unless the environment names one.
        most: Bytes that the array may take in memory; None: half of the free memory.

    Returns:
        Array (time, unit).

    Raises:
        Failure: The array fits neither the memory nor a disk.
    """
    shape = session.sizes["time"], session.sizes["unit"]
    most = SHARE * host_memory.free_bytes() if most is None else most
    return filled_array(title, shape, dtype, partial(fill, session), folder, most)


def count_type(most: int) -> np.dtype:
    """Return the smallest type in which counts of at most ``most`` are stored.

    >>> count_type(255).name, count_type(256).name, count_type(10**5).name
    ('uint8', 'int16', 'uint32')
    """
    return next((narrow for narrow in NARROW if most <= np.iinfo(narrow).max), np.min_scalar_type(most))


def recorded_type(session: xr.Dataset) -> np.dtype:
    """Return the type for the recorded activity: of small counts, else float32.

    The stored type decides; no value is read.
    """
    stored = session["activity"].dtype
    return next((narrow for narrow in NARROW if np.can_cast(stored, narrow)), WIDE)


def input_type(session: xr.Dataset) -> np.dtype:
    """Return the type for the encoder input: of raw counts, else float32."""
    return recorded_type(session) if is_raw(session) else WIDE


def is_raw(session: xr.Dataset) -> bool:
    """Return whether the encoder input is the recorded activity, 0 in invalid bins."""
    attrs = session["activity"].attrs
    return not attrs["standardize"] and attrs["smoothing"] == 0


def blocks(session: xr.Dataset) -> Iterator[slice]:
    """Yield the time bins of ``session`` in blocks whose activity takes little memory."""
    size = max(1, BLOCK // session.sizes["unit"], 8 * smoothing_reach(session))
    for start in range(0, session.sizes["time"], size):
        yield slice(start, min(start + size, session.sizes["time"]))


def smoothing_reach(session: xr.Dataset) -> int:
    """Return the number of bins over which smoothing spreads a spike."""
    sigma = float(session["activity"].attrs["smoothing"]) / float(session.attrs["bin_width"])
    return int(np.ceil(SMOOTHING_REACH * sigma))


class Moments:
    """Mean and variance of the columns of an array that comes block by block.

    scikit-learn's StandardScaler.partial_fit makes the same update, but loading it costs more than these lines.

    Attributes:
        count: Number of rows so far.
        mean: Mean of the rows, (column,).

    >>> moments = Moments(1)
    >>> moments.add(np.array([[1.0], [2.0]]))
    >>> moments.add(np.array([[3.0]]))
    >>> moments.mean.tolist(), round(float(moments.deviation[0]), 4)
    ([2.0], 0.8165)
    """

    def __init__(self, columns: int) -> None:
        self.count, self.mean = 0, np.zeros(columns)
        self._squares = np.zeros(columns)

    def add(self, values: NDArray) -> None:
        """Add rows (row, column).

        The update is that of Chan, Golub and LeVeque 1983 (Am. Stat. 37:242, eq. 2.1).
        """
        if not len(values):
            return
        values = values.astype(np.float64, copy=False)
        count, mean = len(values), values.mean(axis=0)
        difference, total = mean - self.mean, self.count + count
        self._squares += ((values - mean) ** 2).sum(axis=0) + difference**2 * (self.count * count / total)
        self.mean, self.count = self.mean + difference * (count / total), total

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation (column,)."""
        return np.asarray(np.sqrt(self._squares / max(self.count, 1)))

    def standardized(self, values: NDArray) -> NDArray[np.float64]:
        """Return ``values`` (row, column) with mean 0 and variance 1 in every column.

        A column that does not vary becomes 0.
        """
        centred, deviation = values - self.mean, self.deviation
        return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > LEAST_DEVIATION)


def _smoothed(session: xr.Dataset) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of the activity (time, unit), smoothed within segments; 0 in invalid bins.

    A block is smoothed together with the bins around it that reach into it, so the result is that of the whole to the
    bit.
    """
    activity, segment, reach = session["activity"], session["segment"].values, smoothing_reach(session)
    sigma = float(activity.attrs["smoothing"]) / float(session.attrs["bin_width"])
    for rows in blocks(session):
        padded = slice(max(0, rows.start - reach), rows.stop + reach)
        values = np.where(segment[padded, None] >= 0, activity[padded].values, 0.0).astype(np.float64, copy=False)
        for run in _runs(segment[padded]) if sigma > 0 else ():
            values[run] = gaussian_filter1d(values[run], sigma, axis=0, mode="reflect", truncate=SMOOTHING_REACH)
        yield rows, values[rows.start - padded.start :][: rows.stop - rows.start]


def _runs(segment: np.ndarray) -> Iterator[slice]:
    """Yield the slices of equal, non-negative values of ``segment``."""
    borders = np.flatnonzero(np.diff(segment)) + 1
    for start, stop in zip(np.r_[0, borders], np.r_[borders, len(segment)], strict=True):
        if stop > start and segment[start] >= 0:
            yield slice(int(start), int(stop))
