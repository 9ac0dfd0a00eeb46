"""Make labels from time series: their kind, unit, columns and derivation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import CIRCULAR, Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins import resample
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.angles import SILENT, in_radians, named_angle, radians_per
from xcebra_nwb.nwb.labels.derived import Derive, derivation
from xcebra_nwb.nwb.labels.label import FEW_CLASSES, Label, check_classes, check_varies, empty, encoded, named
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, first_text, name_of, text
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import Samples, columns, container, read_samples, unit_of

AXES = ("x", "y", "z")
OF_ANGLES = ("velocity", "speed", "acceleration")  # derivations that differ for a circular source


@dataclass(frozen=True, kw_only=True)
class SeriesLabel(Label):
    """A label from a time series.

    Attributes:
        samples: Its values at their times.
        tracked: Whether it is a tracked position, which stands still where tracking is lost.
        derive: Computes the label from the samples that were not lost; None to use the samples as they are.
    """

    samples: Samples
    tracked: bool = False
    derive: Derive | None = None

    @property
    def range(self) -> Range:
        """The start and stop of the samples in s."""
        return self.samples.range

    @property
    def times(self) -> np.ndarray:
        """The times of the samples in s."""
        return self.samples.times

    @property
    def period(self) -> float | None:
        """The typical step between samples in s."""
        return self.samples.period

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label in each bin, and the bins at which tracking was lost.

        Args:
            grid: The bins.
            time: ``time`` of the config: which gaps are bridged, and when tracking counts as lost.

        Returns:
            The label as :meth:`.Label.binned` describes it, and True where tracking was lost, shape (time,).

        Raises:
            Refusal: The label never moves, or nothing can be derived from it.
        """
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
        if self.derive is not None:
            samples = self._derived(samples)
        if self.kind == "circular":
            return resample.circular(samples, grid, time.max_gap), lost
        if self.kind == "discrete":
            return resample.discrete(samples.times, samples.values[:, 0], grid, time.max_gap), lost
        values = resample.continuous(samples, grid, time.max_gap, centred=True)
        values[lost] = np.nan
        return values, lost

    def _derived(self, samples: Samples) -> Samples:
        assert self.derive is not None
        samples = self.derive(samples)
        samples = samples.keep(np.isfinite(samples.values).all(axis=1))
        if not len(samples.times):
            what = f"label {self.name} ({self.source}): no two samples follow each other without a gap"
            raise Refusal(Code.LABEL_EMPTY, what, "derive it from a series that is sampled regularly")
        return samples


def series_label(file: NwbFile, name: str, label: LabelConfig) -> SeriesLabel:
    """Return a label from a time series.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; ``source`` is the path of the series.

    Raises:
        Refusal: The series has no finite value, is constant, or has times or a unit that cannot be true.
        UsageError: The kind, columns or derivation do not fit the series.
    """
    path, group = label.source, file.groups[label.source]
    samples = read_samples(group, path, _chosen(name, label, group))
    frame = dataset(group, "reference_frame")
    result = SeriesLabel(
        name=name,
        kind="continuous",
        units=unit_of(group) if label.unit is None else label.unit,
        source=path,
        reference_frame="" if frame is None else first_text(frame),
        axes=axes(columns(group), label.columns),
        notes=samples.notes,
        samples=samples,
    )
    if label.derive:
        turns = label.derive in OF_ANGLES and samples.values.shape[1] == 1 and is_angle(file, path, label.unit)
        kind: Kind = "circular" if turns else "continuous"
    else:
        kind = automatic_kind(file, label, samples) if label.kind == "auto" else label.kind
    if kind == "discrete":
        return _discrete(result, _code_names(group))
    result = _without_missing(result, keep_axes=bool(label.derive or label.columns))
    if kind == "circular":
        result = _circular(result)
    moving = is_kind(group, "SpatialSeries") and container(file, path) != "CompassDirection"
    result = replace(result, tracked=moving and kind == "continuous")
    return _derived(result, label) if label.derive else result


def _chosen(name: str, label: LabelConfig, group: h5py.Group) -> list[int] | None:
    """Return the columns to read, None for all of them."""
    held = columns(group)
    beyond = [column for column in label.columns or [] if column >= held]
    if beyond:
        raise UsageError(
            f"labels.{name}: columns: {label.source} has {held}, none with the number {beyond[0]}", "count them from 0"
        )
    return None if len(group["data"].shape) < 2 else label.columns


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


def automatic_kind(file: NwbFile, label: LabelConfig, samples: Samples) -> Kind:
    """Return the kind of a label from a series.

    A single column is circular by its unit, its container or its name. Texts and up to eight different whole numbers
    are discrete. All else is continuous.

    Args:
        file: The open file.
        label: Section of the config; ``source`` is the path of the series.
        samples: Its samples.
    """
    path = label.source
    single_column = samples.values.shape[1] == 1
    whole = samples.values.dtype.kind in "iub" and not is_kind(file.groups[path], "SpatialSeries")
    if samples.values.dtype.kind not in "iubf" or (
        single_column and whole and len(np.unique(samples.values)) <= FEW_CLASSES
    ):
        return "discrete"
    return "circular" if single_column and is_angle(file, path, label.unit) else "continuous"


def is_angle(file: NwbFile, path: str, unit: str | None = None) -> bool:
    """Return whether a series holds directions.

    It does if its unit is one of angles or its container is a CompassDirection. If the unit says nothing, its name
    decides.

    Args:
        file: The open file.
        path: Path of the series.
        unit: Unit that the config gives; None for that of the file.
    """
    unit = unit_of(file.groups[path]) if unit is None else unit
    if radians_per(unit) is not None or container(file, path) == "CompassDirection":
        return True
    return unit.strip().lower() in SILENT and named_angle(name_of(path))


def _derived(label: SeriesLabel, config: LabelConfig) -> SeriesLabel:
    """Return the label that is derived from ``label``'s samples when it is binned."""
    kind: Kind = "circular" if config.derive in CIRCULAR else "continuous"
    held = label.samples.values.shape[1]
    derive, units, words = derivation(config, label.name, label.kind, label.units, held)
    return replace(
        label,
        kind=kind,
        units=units,
        axes=label.axes if config.derive == "velocity" else (),
        derive=derive,
        notes=(*label.notes, f"label {label.name}: {words}, from {label.source}"),
    )


def _without_missing(label: SeriesLabel, keep_axes: bool) -> SeriesLabel:
    """Return the label without samples that have NaN in any column.

    An axis that never changes, such as the height of a flat maze, is left out unless ``keep_axes``.
    """
    values = label.samples.values
    if values.dtype.kind not in "iubf":
        raise UsageError(f"labels.{label.name}: {label.source} holds texts", "set kind: discrete")
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise empty(label)
    values, notes = values[finite].astype(np.float64), label.notes
    check_varies(label, values)
    varies = np.any(values != values[:1], axis=0)
    if not varies.all() and not keep_axes:
        flat = [axis for axis, moves in zip(label.axes, varies, strict=True) if not moves]
        notes = (*notes, f"{label.source}: {', '.join(flat)} never changes and was left out")
        values, label = values[:, varies], replace(label, axes=tuple(a for a in label.axes if a not in flat))
    if not finite.all():
        notes = (*notes, f"{label.source}: {int(np.sum(~finite))} samples with NaN were left out")
    return replace(label, samples=Samples(label.samples.times[finite], values, label.samples.notes), notes=notes)


def _circular(label: SeriesLabel) -> SeriesLabel:
    values = label.samples.values
    if values.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {values.shape[1]} columns, a circular label has one",
            "name one with columns: [0], or set kind: continuous",
        )
    angles, notes = in_radians(label.name, label.source, label.units, values[:, 0])
    samples = replace(label.samples, values=angles[:, None])
    return replace(label, kind="circular", units="rad", axes=(), samples=samples, notes=(*label.notes, *notes))


def _discrete(label: SeriesLabel, code_names: tuple[str, ...]) -> SeriesLabel:
    values = label.samples.values
    if values.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {values.shape[1]} columns, a discrete label has one",
            "name one with columns: [0], or set kind: continuous",
        )
    codes, classes = encoded(named(values[:, 0], code_names))
    if not len(classes):
        raise empty(label)
    check_classes(label, classes)
    present = codes >= 0
    samples = Samples(label.samples.times[present], codes[present][:, None], label.samples.notes)
    check_varies(label, samples.values)
    return replace(label, kind="discrete", units="", axes=(), classes=classes, samples=samples)


def _code_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the codes 0, 1, ... of a series, if the file has them."""
    if group["data"].dtype.kind == "b":
        return "False", "True"
    stored = group["data"].attrs.get("labels", ())
    return tuple(text(name) for name in np.atleast_1d(stored)) if len(np.shape(stored)) == 1 else ()


def standing_still(samples: Samples, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Find stretches of identical values that last longer than a limit.

    Args:
        samples: The samples, shape (sample, column).
        longest: The limit in s.

    Returns:
        Whether each sample lies in such a stretch, shape (sample,), and the times of the first and last sample of each
        stretch in s, shape (stretch, 2).

    >>> samples = Samples(np.arange(5.0), np.array([[0.0], [1.0], [1.0], [1.0], [2.0]]))
    >>> still, stretches = standing_still(samples, 1.5)
    >>> still.tolist(), stretches.tolist()
    ([False, True, True, True, False], [[1.0, 3.0]])
    """
    changes = np.any(samples.values[1:] != samples.values[:-1], axis=1)
    first = np.r_[0, np.flatnonzero(changes) + 1]
    last = np.r_[first[1:] - 1, len(samples.times) - 1]
    long = samples.times[last] - samples.times[first] > longest
    run = np.repeat(np.arange(len(first)), last - first + 1)
    return long[run], np.stack([samples.times[first[long]], samples.times[last[long]]], axis=1)
