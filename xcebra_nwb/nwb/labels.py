"""Labels: a behavioural variable of the file, read and cleaned, ready to be brought to bins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from xcebra_nwb.config import Kind, Time
from xcebra_nwb.errors import Refusal, UsageError
from xcebra_nwb.nwb import resample
from xcebra_nwb.nwb.file import NwbFile, dataset, first_text, neurodata_type, text
from xcebra_nwb.nwb.grid import Grid, Range
from xcebra_nwb.nwb.series import Samples, container, read_samples, unit_of
from xcebra_nwb.refusals import Code

DEGREES = {"deg", "degree", "degrees", "°"}
RADIANS = {"rad", "radian", "radians"}
FEW_CLASSES = 8  # whole numbers with at most so many values are classes, unless the config says otherwise
MOST_CLASSES = 100


@dataclass(frozen=True, kw_only=True)
class Label(ABC):
    """A label before it is binned; subclasses hold its values.

    ``source`` is its path in the file, ``units`` those after conversion (rad for a circular label), ``classes`` the
    names of a discrete label's codes, ``notes`` what was done to it, in words.
    """

    name: str
    kind: Kind
    units: str
    source: str
    reference_frame: str = ""
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def range(self) -> Range:
        """Start and stop of what the label covers, s."""

    @abstractmethod
    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label per bin, NaN (discrete: -1) where missing, and the bins (time,) at which tracking was lost.

        Continuous (time, axis), circular (time,) in rad, discrete (time,) codes.
        """

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the number of the trial of every bin, (time,), -1 outside of any; None if the label has no trials."""
        return None

    @property
    @abstractmethod
    def times(self) -> np.ndarray:
        """All times that the label rests on, s."""

    @property
    def period(self) -> float | None:
        """The typical step between samples, s; None for a label that is not sampled."""
        return None


@dataclass(frozen=True, kw_only=True)
class SeriesLabel(Label):
    """A label from a time series; ``tracked`` for a position, which can be lost and then stands still."""

    samples: Samples
    tracked: bool = False

    @property
    def range(self) -> Range:
        """Start and stop of the samples, s."""
        return self.samples.range

    @property
    def times(self) -> np.ndarray:
        """The times of the samples, s."""
        return self.samples.times

    @property
    def period(self) -> float | None:
        """The typical step between samples, s."""
        return self.samples.period

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label per bin and the bins at which tracking was lost."""
        still = np.zeros(len(self.samples.times), dtype=bool)
        lost = np.zeros(grid.count, dtype=bool)
        if self.tracked and time.max_still is not None:
            still, stretches = standing_still(self.samples, time.max_still)
            lost = grid.tally(*grid.touched(stretches)) > 0
        samples = self.samples.keep(~still)
        if not len(samples.times):
            raise Refusal(
                Code.LABEL_CONSTANT,
                f"label {self.name} ({self.source}) never moves",
                "raise time.max_still or drop the label",
            )
        if self.kind == "circular":
            return resample.circular(samples, grid, time.max_gap), lost
        if self.kind == "discrete":
            return resample.discrete(samples.times, samples.values[:, 0], grid, time.max_gap), lost
        values = resample.continuous(samples, grid, time.max_gap)
        values[lost] = np.nan
        return values, lost


def series_label(file: NwbFile, name: str, path: str, kind: str = "auto") -> SeriesLabel:
    """Return the label ``name`` from the series at ``path``.

    Raises:
        Refusal: nothing but NaN, constant, or times that cannot be used.
        UsageError: the kind does not fit the data.
    """
    group = file.groups[path]
    samples = read_samples(group, path)
    frame = dataset(group, "reference_frame")
    label = SeriesLabel(
        name=name,
        kind="continuous",
        units=unit_of(group),
        source=path,
        reference_frame="" if frame is None else first_text(frame),
        notes=samples.notes,
        samples=samples,
    )
    chosen = _automatic_kind(file, path, samples) if kind == "auto" else kind
    if chosen == "discrete":
        return _discrete(label)
    label = _without_missing(label)
    if chosen == "circular":
        return _circular(label)
    moving = neurodata_type(group) == "SpatialSeries" and container(file, path) != "CompassDirection"
    return replace(label, tracked=moving)


def _automatic_kind(file: NwbFile, path: str, samples: Samples) -> Kind:
    """Circular by unit or container, discrete for texts and few whole numbers, else continuous."""
    one = samples.values.shape[1] == 1
    whole = samples.values.dtype.kind in "iub" and neurodata_type(file.groups[path]) != "SpatialSeries"
    if samples.values.dtype.kind not in "iubf" or (one and whole and len(np.unique(samples.values)) <= FEW_CLASSES):
        return "discrete"
    return "circular" if one and is_angle(file, path) else "continuous"


def is_angle(file: NwbFile, path: str) -> bool:
    """Return whether a series holds directions: by its unit, or by standing in a CompassDirection."""
    unit = unit_of(file.groups[path]).strip().lower()
    return unit in DEGREES | RADIANS or container(file, path) == "CompassDirection"


def _without_missing(label: SeriesLabel) -> SeriesLabel:
    """The label without samples that hold NaN in any column; refused where nothing or a constant is left."""
    values = label.samples.values
    if values.dtype.kind not in "iubf":
        raise UsageError(f"labels.{label.name}: {label.source} holds texts", "set kind: discrete")
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise Refusal(
            Code.LABEL_EMPTY,
            f"label {label.name} ({label.source}) holds nothing but NaN",
            "name another series in labels",
        )
    samples = Samples(label.samples.times[finite], values[finite].astype(np.float64), label.samples.notes)
    check_varies(label, samples.values)
    notes = label.notes
    if not finite.all():
        notes = (*notes, f"{label.source}: {int(np.sum(~finite))} samples with NaN were left out")
    return replace(label, samples=samples, notes=notes)


def check_varies(label: Label, values: np.ndarray) -> None:
    """Raise :class:`Refusal` where ``values`` (sample, column) are the same throughout."""
    if np.all(values == values[:1]):
        raise Refusal(
            Code.LABEL_CONSTANT, f"label {label.name} ({label.source}) is constant", "name another series in labels"
        )


def _circular(label: SeriesLabel) -> SeriesLabel:
    values = label.samples.values
    if values.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {values.shape[1]} columns, a circular label has one",
            "set kind: continuous",
        )
    unit = label.units.strip().lower()
    degrees, notes = unit in DEGREES, label.notes
    if unit not in DEGREES | RADIANS:
        degrees = bool(np.abs(values).max() > 2 * np.pi + 0.1)
        notes = (*notes, f"{label.source}: unit {label.units!r} taken as {'degrees' if degrees else 'radians'}")
    samples = replace(label.samples, values=np.deg2rad(values) if degrees else values)
    return replace(label, kind="circular", units="rad", samples=samples, notes=notes)


def _discrete(label: SeriesLabel) -> SeriesLabel:
    values = label.samples.values
    if values.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {values.shape[1]} columns, a discrete label has one",
            "set kind: continuous",
        )
    codes, classes = encoded(values[:, 0])
    if not len(classes):
        raise Refusal(
            Code.LABEL_EMPTY,
            f"label {label.name} ({label.source}) holds nothing but NaN",
            "name another series in labels",
        )
    check_classes(label, classes)
    present = codes >= 0
    samples = Samples(label.samples.times[present], codes[present][:, None], label.samples.notes)
    check_varies(label, samples.values)
    return replace(label, kind="discrete", units="", classes=classes, samples=samples)


def check_classes(label: Label, classes: tuple[str, ...]) -> None:
    """Raise :class:`UsageError` where there are more classes than a discrete label can have."""
    if len(classes) > MOST_CLASSES:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {len(classes)} different values, too many classes",
            "set kind: continuous or name another source",
        )


def encoded(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes 0, 1, ... (-1 for NaN and empty texts) of ``values`` and the sorted classes they stand for."""
    if values.dtype.kind in "OSU":
        texts = np.array([text(value) for value in values], dtype=object)
        present = texts != ""
    else:
        texts, present = values, np.isfinite(values.astype(np.float64))
    unique, inverse = np.unique(texts[present], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[present] = inverse
    return codes, tuple(_class_name(value) for value in unique)


def _class_name(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float | np.floating) else text(value)


def standing_still(samples: Samples, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples (sample,) inside stretches of identical values longer than ``longest`` s, and those stretches.

    The stretches are (stretch, 2): the times of their first and last sample.
    """
    changes = np.any(samples.values[1:] != samples.values[:-1], axis=1)
    first = np.r_[0, np.flatnonzero(changes) + 1]
    last = np.r_[first[1:] - 1, len(samples.times) - 1]
    long = samples.times[last] - samples.times[first] > longest
    run = np.repeat(np.arange(len(first)), last - first + 1)
    return long[run], np.stack([samples.times[first[long]], samples.times[last[long]]], axis=1)
