"""Read time series: times and values, cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import check_size
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, neurodata_type, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.present import absent, missing
from xcebra_nwb.nwb.reading.times import restarts, sample_period
from xcebra_nwb.nwb.reading.values import is_text, number, numbers, values

TOLERANCE = 1e-6  # s; one sample too many does no harm
MOST_SPATIAL = 3  # columns of a SpatialSeries, by the schema
LONG = 100  # values; no three samples of behaviour have so many columns


@dataclass(frozen=True)
class Samples:
    """Values at sorted times.

    Attributes:
        times: Times in s, finite and sorted, shape (sample,).
        values: Values, shape (sample, column).
        notes: Changes that were made to them, in words.
    """

    times: np.ndarray
    values: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def period(self) -> float | None:
        """The typical step between samples in s."""
        return sample_period(self.times)

    @property
    def range(self) -> tuple[float, float]:
        """The start and stop of the samples in s, with half a period at both ends."""
        half = (self.period or 0.0) / 2
        return float(self.times[0]) - half, float(self.times[-1]) + half

    def near(self, start: float, stop: float, reach: float) -> Samples:
        """Return the samples near a range of time.

        Args:
            start: Start of the range in s.
            stop: Stop of the range in s.
            reach: Distance from the range up to which samples are taken in s.

        >>> Samples(np.arange(10.0), np.zeros((10, 1))).near(4.0, 5.0, 1.0).times.tolist()
        [3.0, 4.0, 5.0, 6.0]
        """
        first, last = np.searchsorted(self.times, [start - reach - TOLERANCE, stop + reach + TOLERANCE])
        return Samples(self.times[first:last], self.values[first:last])

    def keep(self, rows: np.ndarray) -> Samples:
        """Return the samples where ``rows`` (sample,) is true."""
        return self if rows.all() else Samples(self.times[rows], self.values[rows], self.notes)


def container(file: NwbFile, path: str) -> str:
    """Return the type of the group that holds ``path``, "" if it has none."""
    holder = file.groups.get(parent(path))
    return "" if holder is None else neurodata_type(holder)


def module(path: str) -> str:
    """Return the processing module of a path, "" if it is in none.

    >>> module("/processing/behavior/Position/position")
    'behavior'
    """
    parts = path.split("/")
    return parts[2] if parts[1] == "processing" and len(parts) > 2 else ""


def columns(group: h5py.Group) -> int:
    """Return the number of values per sample of a series."""
    shape = group["data"].shape
    if transposed(group):
        return int(shape[0])
    return int(np.prod(shape[1:])) if len(shape) > 1 else 1


def transposed(group: h5py.Group) -> bool:
    """Return whether data are stored as (column, time).

    The number of timestamps shows it. Without timestamps, the number of regions of interest (``rois``) does. Else data
    are taken as transposed if they would have a single sample, or up to three and more columns than a SpatialSeries can
    have or any behaviour has.
    """
    shape, stamps = group["data"].shape, dataset(group, "timestamps")
    if len(shape) != 2:
        return False
    if stamps is not None and stamps.shape:
        return bool(shape[0] != stamps.size == shape[1])
    rois = dataset(group, "rois")
    if rois is not None and rois.shape:
        return bool(shape[1] != rois.shape[0] == shape[0])
    if shape[0] == 1:
        return bool(shape[1] > 1)
    return bool(shape[0] <= MOST_SPATIAL < shape[1] and (is_kind(group, "SpatialSeries") or shape[1] >= LONG))


def unit_of(group: h5py.Group) -> str:
    """Return the unit of a series' values as the file gives it."""
    return attribute(group["data"], "unit")


def read_times(group: h5py.Group, path: str) -> np.ndarray:
    """Return the times of a series in s, as stored, shape (sample,).

    Args:
        group: The series.
        path: Its path, for errors.

    Raises:
        Refusal: The sampling rate is not a positive number.
    """
    stamps = dataset(group, "timestamps")
    if stamps is not None:
        _check_shape(stamps, path)
        return clock.read(stamps).reshape(-1)
    check_size(group["data"])
    return _regular(group, path, np.arange(sample_count(group)))


def ends(group: h5py.Group, path: str) -> np.ndarray:
    """Return the first and the last time of a series in s, shape (2,).

    Args:
        group: The series.
        path: Its path, for errors.

    Raises:
        Refusal: The sampling rate is not a positive number.
    """
    stamps = dataset(group, "timestamps")
    if stamps is not None and stamps.shape:
        _check_shape(stamps, path)
        rows = [tuple(0 if length == 1 else row for length in stamps.shape) for row in (0, stamps.size - 1)]
        return np.r_[clock.read(stamps, rows[0]), clock.read(stamps, rows[1])]
    return _regular(group, path, np.array([0, sample_count(group) - 1]))


def _check_shape(stamps: h5py.Dataset, path: str) -> None:
    if sum(length != 1 for length in stamps.shape) > 1:
        shape = " x ".join(map(str, stamps.shape))
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{path}: timestamps of shape {shape}, where each sample needs one",
            "keep one row or column of them in the file",
        )


def sample_count(group: h5py.Group) -> int:
    """Return the number of samples of a series."""
    return int(group["data"].shape[1 if transposed(group) else 0])


def _regular(group: h5py.Group, path: str, samples: np.ndarray) -> np.ndarray:
    """Return the times of ``samples`` of a series with a start and a rate."""
    start = group["starting_time"]
    rate = number(start, "rate", np.nan)
    first = clock.read(start).reshape(-1)
    if not (np.isfinite(rate) and rate > 0 and len(first)):
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{path}: sampling rate {rate:g} Hz, {len(first)} starting times",
            "write timestamps, or a starting time with a positive rate, into the file",
        )
    return first[0] + samples / rate


def read_samples(group: h5py.Group, path: str, chosen: Sequence[int] | None = None) -> Samples:
    """Return the samples of a series in its unit, sorted by time.

    The values are multiplied by the conversion factor, and the offset is added. Samples at non-finite times are left
    out.

    Args:
        group: The series.
        path: Its path, for notes and errors.
        chosen: Columns to read; None for all, an empty list for the times alone.

    Raises:
        Refusal: There is no sample, times and values differ in number, the clock restarts half way, or times cannot be
            those of samples (:mod:`xcebra_nwb.nwb.reading.clock`).
    """
    times, sampled = read_times(group, path), _read_values(group, chosen)
    notes = [f"{path}: {note}" for note in (time_unit_note(group), _turned_note(group)) if note] + _unwritten(
        group, path
    )
    if len(times) != len(sampled):
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{path}: {len(times)} timestamps for {len(sampled)} samples",
            "correct the series in the file",
        )
    filled = clock.fillers(times)
    if filled.any():
        notes.append(f"{path}: {clock.filler_note(filled)}; the samples were left out")
        times, sampled = times[~filled], sampled[~filled]
    if restarts(times):
        raise Refusal(
            Code.TIMES_NOT_TRUSTED,
            f"{path}: its timestamps restart half way",
            "correct the timestamps or name another series",
        )
    finite = np.isfinite(times)
    if not finite.any():
        raise Refusal(Code.TIMES_NOT_TRUSTED, f"{path}: no sample at a finite time", "name another series")
    if not finite.all():
        notes.append(f"{path}: {int(np.sum(~finite))} samples at times that are not finite were left out")
        times, sampled = times[finite], sampled[finite]
    for doubt in clock.doubts(times):
        if doubt.fatal:
            raise doubt.refusal(path)
        notes.append(f"{path}: {doubt.what}")
    if np.any(np.diff(times) < 0):
        order = np.argsort(times, kind="stable")
        times, sampled = times[order], sampled[order]
        notes.append(f"{path}: timestamps were not in order and were sorted")
    return Samples(times, sampled.reshape(len(sampled), -1), tuple(notes))


def time_unit_note(group: h5py.Group) -> str:
    """Return a line on a unit of the times other than s, "" for s."""
    stamps = dataset(group, "timestamps")
    return clock.unit_note(group["starting_time"] if stamps is None else stamps)


def _turned_note(group: h5py.Group) -> str:
    return "data stand as (column, time) in the file and were transposed" if transposed(group) else ""


def _unwritten(group: h5py.Group, path: str) -> list[str]:
    """Return a line on samples that the file does not hold, if there are any.

    Raises:
        Refusal: It holds none.
    """
    data = group["data"]
    gone = absent(data)
    if gone is None:
        return []
    if gone.where.all():
        raise missing(data, gone)
    return [f"{path}: {gone.words('samples', 1 if transposed(group) else 0)} and count as missing"]


def _read_values(group: h5py.Group, chosen: Sequence[int] | None) -> np.ndarray:
    """Return the values in the file's unit, shape (sample, ...).

    Integers without a conversion stay integers, and texts become ``str``.
    """
    data = group["data"]
    if data.dtype.kind not in "iufb" and not is_text(data):
        raise Refusal(
            Code.UNREADABLE_LAYOUT, f"{group.name}: data of type {data.dtype}", "name a series of numbers or texts"
        )
    if chosen is not None and not len(chosen):
        return np.empty((sample_count(group), 0))
    stored = _stored(data, transposed(group), chosen)
    if stored.dtype.kind not in "iuf":
        return stored.astype(np.int64) if stored.dtype.kind == "b" else stored
    conversion, offset = number(data, "conversion", 1.0), number(data, "offset", 0.0)
    channels = dataset(group, "channel_conversion")
    if conversion == 1.0 and offset == 0.0 and channels is None:
        return stored
    return stored * (conversion if channels is None else conversion * _of_channels(channels, stored, chosen)) + offset


def _stored(data: h5py.Dataset, turned: bool, chosen: Sequence[int] | None) -> np.ndarray:
    if chosen is None:
        return values(data).T if turned else values(data)
    check_size(data)
    return np.stack([values(data, _selection(data, turned, column)) for column in chosen], axis=1)


def _selection(data: h5py.Dataset, turned: bool, column: int) -> tuple[int | slice, ...]:
    """Return the index of one column in the data.

    If a sample is an array such as (part, axis), its last axis is counted first.
    """
    if turned:
        return column, slice(None)
    return slice(None), *map(int, np.unravel_index(column, data.shape[1:]))


def _of_channels(channels: h5py.Dataset, stored: np.ndarray, chosen: Sequence[int] | None) -> np.ndarray:
    """Return the conversion factor of each column."""
    factors = numbers(channels).reshape(-1)
    if chosen is not None and len(factors) > max(chosen):
        factors = factors[list(chosen)]
    if stored.ndim != 2 or len(factors) not in {1, stored.shape[1]}:
        raise Refusal(
            Code.UNREADABLE_LAYOUT,
            f"{channels.name}: {len(factors)} factors for values of shape {stored.shape}",
            "correct the series in the file",
        )
    return factors
