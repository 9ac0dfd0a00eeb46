"""Read the samples of a label, and mark those that stand for nothing or have a low confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.stand_ins import StandIns, measured_positive, number_stand_ins, text_stand_ins
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, first_text, name_of, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import Samples, columns, container, read_samples, read_times, unit_of
from xcebra_nwb.nwb.reading.values import number, numbers

AXES = ("x", "y", "z")
LEAST_CONFIDENCE = 0.6  # what DeepLabCut plots and analyses by default
MOST_CONFIDENCE = 1.5  # the scores of SLEAP exceed 1 a little
CONFIDENCES = ("confidence", "likelihood")
SAME_TIME = 1e-6  # s
LEAST_COMMON = 0.9  # of the samples of the shortest series


@dataclass(frozen=True)
class SeriesValues:
    """The samples of one or several series.

    Attributes:
        source: Path of the series, or all paths.
        samples: The samples as the file has them, shape (sample, column).
        missing: Whether a sample stands for nothing, or its confidence is too low, shape (sample,).
        axes: Names of the columns.
        unit: Unit of the values.
        reference_frame: Description of the zero and the axes in the file.
        notes: Changes that were made, in words.
        suspicious: What is odd about the values, in words; these lines are in ``notes``, too.
        spatial: Whether they are a tracked position or direction.
        holds: Whether a value holds until the next sample.
        scale: Factor and offset by which the file's numbers became the values.
    """

    source: str
    samples: Samples
    missing: np.ndarray
    axes: tuple[str, ...]
    unit: str
    reference_frame: str
    notes: tuple[str, ...]
    suspicious: tuple[str, ...]
    spatial: bool
    holds: bool
    scale: tuple[float, float] = (1.0, 0.0)

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers or truth values."""
        return self.samples.values.dtype.kind in "iubf"

    def with_gaps(self) -> Samples:
        """Return the samples as float64, NaN where they are missing or not finite.

        Raises:
            ValueError: They are texts.
        """
        values = self.samples.values.astype(np.float64)
        values[self.missing] = np.nan
        values[~np.isfinite(values)] = np.nan
        return replace(self.samples, values=values)

    def as_stored(self) -> np.ndarray:
        """Return the numbers that the file stores, such as -999, NaN where missing, shape (sample, column)."""
        values, (factor, offset) = self.with_gaps().values, self.scale
        if self.scale == (1.0, 0.0) or factor == 0:
            return values
        stored = (values - offset) / factor
        whole = np.round(stored)
        return np.where(np.abs(stored - whole) < 1e-6 * np.maximum(np.abs(whole), 1.0), whole, stored)


def series_values(file: NwbFile, name: str, label: LabelConfig, path: str | None = None) -> SeriesValues:
    """Return the samples of the series that a label names.

    The columns of several series stand side by side.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; its sources are paths of series.
        path: The one series to read; None for all sources.

    Raises:
        UsageError: Its columns do not exist, or the series cannot stand side by side.
        Refusal: A series cannot be read.
    """
    paths = label.sources if path is None else (path,)
    if len(paths) == 1:
        return _cleaned(file, paths[0], _read(file, name, label, paths[0]))
    parts = [_read(file, name, label, source) for source in paths]
    return _cleaned(file, paths[0], side_by_side(name, parts))


def side_by_side(name: str, parts: Sequence[SeriesValues]) -> SeriesValues:
    """Return several series at the same times as one with the columns of all.

    Args:
        name: Name of the label, for errors.
        parts: The series.

    Raises:
        UsageError: They have different times or units, or some are texts.
    """
    parts = at_common_times(name, parts)
    first = parts[0]
    for part in parts[1:]:
        if part.unit != first.unit:
            raise UsageError(
                f"labels.{name}: {first.source} is in {first.unit!r}, {part.source} in {part.unit!r}",
                "name series of one unit, or give the true one as unit",
            )
    if not all(part.numeric for part in parts):
        raise UsageError(f"labels.{name}: only series of numbers can stand side by side", "name one series in source")
    values = np.concatenate([part.samples.values for part in parts], axis=1)
    return replace(
        first,
        source=", ".join(part.source for part in parts),
        samples=Samples(first.samples.times, values, ()),
        missing=np.any([part.missing for part in parts], axis=0),
        axes=_joined_axes(parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        suspicious=tuple(dict.fromkeys(line for part in parts for line in part.suspicious)),
        spatial=all(part.spatial for part in parts),
        scale=first.scale if len({part.scale for part in parts}) == 1 else (1.0, 0.0),
    )


def at_common_times(name: str, parts: Sequence[SeriesValues]) -> list[SeriesValues]:
    """Return series with the samples whose times all of them have.

    Args:
        name: Name of the label, for errors.
        parts: The series.

    Raises:
        UsageError: They were not sampled together: a tenth or more of the shortest has no time in common.
    """
    ticks = [np.round(part.samples.times / SAME_TIME).astype(np.int64) for part in parts]
    common = ticks[0]
    for others in ticks[1:]:
        common = np.intersect1d(common, others)
    shortest = min(range(len(parts)), key=lambda index: len(ticks[index]))
    if len(common) <= LEAST_COMMON * len(ticks[shortest]):
        other = parts[0] if shortest else parts[1]
        raise UsageError(
            f"labels.{name}: {parts[shortest].source} and {other.source} have different times",
            "name series that were sampled together",
        )
    return [_at(part, ticks_of, common) for part, ticks_of in zip(parts, ticks, strict=True)]


def _at(part: SeriesValues, ticks: np.ndarray, common: np.ndarray) -> SeriesValues:
    """Return the first sample of a series at each of the common times."""
    rows = np.isin(ticks, common) & np.r_[True, ticks[1:] != ticks[:-1]]
    if rows.all():
        return part
    words = f"{part.source}: {int(np.sum(~rows))} samples at times that the other series lack were left out"
    return replace(part, samples=part.samples.keep(rows), missing=part.missing[rows], notes=(*part.notes, words))


def _joined_axes(parts: Sequence[SeriesValues]) -> tuple[str, ...]:
    """Return the names of columns from several series: their own names, with the axis if a series has several."""
    names = [name_of(part.source) for part in parts]
    names = names if len(set(names)) == len(names) else [part.source.strip("/") for part in parts]
    return tuple(
        series if len(part.axes) == 1 else f"{series}_{axis}"
        for series, part in zip(names, parts, strict=True)
        for axis in part.axes
    )


def axes(held: int, chosen: Sequence[int] | None) -> tuple[str, ...]:
    """Return the names of the columns of a label.

    They are x, y, z for a series with up to three columns, else their numbers.

    Args:
        held: Number of columns of the series.
        chosen: Columns that the config names; None for all.

    >>> axes(2, None), axes(5, [0, 4])
    (('x', 'y'), ('0', '4'))
    """
    numbers = range(held) if chosen is None else chosen
    return tuple(AXES[number] if held <= len(AXES) else str(number) for number in numbers)


def holds_values(group: h5py.Group) -> bool:
    """Return whether each value of a series holds until the next sample (``continuity`` is "step")."""
    return attribute(group["data"], "continuity").strip().lower() == "step"


def _read(file: NwbFile, name: str, label: LabelConfig, path: str) -> SeriesValues:
    group = file.groups[path]
    held = columns(group)
    beyond = [column for column in label.columns or [] if column >= held]
    if beyond:
        raise UsageError(
            f"labels.{name}: columns: {path} has {held}, none with the number {beyond[0]}", "count them from 0"
        )
    samples = read_samples(group, path, None if len(group["data"].shape) < 2 else label.columns)
    frame = dataset(group, "reference_frame")
    low, notes = _low_confidence(file, name, label, path, samples)
    return SeriesValues(
        source=path,
        samples=samples,
        missing=low,
        axes=axes(held, label.columns),
        unit=unit_of(group) if label.unit is None else label.unit,
        reference_frame="" if frame is None else first_text(frame),
        notes=(*samples.notes, *notes),
        suspicious=(),
        spatial=is_kind(group, "SpatialSeries"),
        holds=holds_values(group),
        scale=(number(group["data"], "conversion", 1.0), number(group["data"], "offset", 0.0)),
    )


def _cleaned(file: NwbFile, path: str, read: SeriesValues) -> SeriesValues:
    """Return the values with those marked that stand for nothing; ``path`` is that of the first series."""
    if not read.numeric:
        if read.samples.values.shape[1] != 1:
            return read
        found = text_stand_ins(read.samples.values[:, 0])
        return marked(read, StandIns(np.zeros_like(found.rows), found.words))  # a class for them is never made
    if file.groups[path]["data"].dtype.kind == "b":
        return read
    values = read.as_stored()
    pupil = container(file, path) == "PupilTracking" and not read.spatial
    positive = values.shape[1] == 1 and (pupil or measured_positive(name_of(path)))
    tracked = read.spatial and "/s" not in read.unit  # a speed may well be 0 again and again
    return marked(read, number_stand_ins(values, in_order=not read.holds, tracked=tracked, positive=positive))


def marked(read: SeriesValues, found: StandIns) -> SeriesValues:
    """Return values with those marked that were found to stand for nothing.

    Args:
        read: The values.
        found: The rows and the words for them.
    """
    stored = "" if read.scale == (1.0, 0.0) else "stored "
    words = tuple(f"{read.source}: {stored}{words}" for words in found.words)
    return replace(
        read,
        missing=read.missing | found.rows,
        notes=(*read.notes, *words),
        suspicious=(*read.suspicious, *words),
    )


def _low_confidence(
    file: NwbFile, name: str, label: LabelConfig, path: str, samples: Samples
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which samples have a confidence below ``min_confidence``, and a note."""
    none = np.zeros(len(samples.times), dtype=bool)
    confidence = confidence_of(file, path, samples)
    if confidence is None:
        if label.min_confidence is not None:
            raise UsageError(f"labels.{name}: min_confidence: no confidence lies beside {path}", "leave it out")
        return none, ()
    least = LEAST_CONFIDENCE if label.min_confidence is None else label.min_confidence
    known = confidence[np.isfinite(confidence)]
    if len(known) and known.max() > MOST_CONFIDENCE:
        if label.min_confidence is not None:
            what = f"labels.{name}: min_confidence: the confidence of {path} runs to {known.max():.4g}, not to 1"
            raise UsageError(what, "leave it out")
        return none, (f"{path}: its confidence runs to {known.max():.4g}, not to 1, and was not used",)
    low = ~(confidence >= least) if least > 0 else none
    if not low.any():
        return none, ()
    share = f"{int(low.sum())} of {len(low)} samples ({100 * low.mean():.2g} %)"
    return low, (f"{path}: {share} have a confidence under {least:g} and were left out (min_confidence)",)


def confidence_of(file: NwbFile, path: str, samples: Samples) -> np.ndarray | None:
    """Return the confidence of each sample of a series, None if the file has none.

    It lies in the series, or is a series beside it whose name says so.

    Args:
        file: The open file.
        path: Path of the series.
        samples: The samples that were read from it.
    """
    group = file.groups[path]
    inside = next((data for word in CONFIDENCES if (data := dataset(group, word)) is not None), None)
    if inside is not None and inside.dtype.kind in "iuf" and len(inside.shape) == 1:
        stored, times = numbers(inside), read_times(group, path)
        if len(stored) != len(times):
            return None
        rows = np.flatnonzero(np.isfinite(times))
        rows = rows[np.argsort(times[rows], kind="stable")]  # the order in which read_samples returns them
        return stored[rows] if len(rows) == len(samples.times) else None
    for other in _beside(file, path):
        found = read_samples(file.groups[other], other)
        same = (
            len(found.times) == len(samples.times) and found.values.dtype.kind in "iuf" and found.values.shape[1] == 1
        )
        if same and np.abs(found.times - samples.times).max(initial=0.0) <= SAME_TIME:
            return np.asarray(found.values[:, 0], dtype=np.float64)
    return None


def _beside(file: NwbFile, path: str) -> list[str]:
    """Return the paths of series that could be the confidence of the one at ``path``."""
    folder, name = parent(path), name_of(path)
    own = [f"{folder}/{name}_{word}" for word in CONFIDENCES]
    others = [other for other in file.series if parent(other) == folder and name_of(other).lower() not in CONFIDENCES]
    if others == [path]:
        own += [f"{folder}/{word}" for word in CONFIDENCES]
    return [other for other in own if other in file.series and other != path]
