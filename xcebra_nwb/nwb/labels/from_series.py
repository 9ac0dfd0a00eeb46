"""Make labels from time series: their kind, unit, columns and derivation."""

from __future__ import annotations

import re
from dataclasses import replace

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import CIRCULAR, Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels.angles import (
    MOST_TURNS,
    SILENT,
    angle_kind,
    in_radians,
    is_curvature,
    named_angle,
    named_direction,
    radians_per,
    turns,
    words_of,
    wrapped_steps,
    wraps,
)
from xcebra_nwb.nwb.labels.derived import derivation
from xcebra_nwb.nwb.labels.jumps import jumps
from xcebra_nwb.nwb.labels.label import (
    check_classes,
    check_varies,
    empty,
    encoded,
    kind_of_values,
    named,
)
from xcebra_nwb.nwb.labels.points import OF_POINTS, direction, pose
from xcebra_nwb.nwb.labels.sampled_label import SeriesLabel
from xcebra_nwb.nwb.labels.series_values import SeriesValues, series_values
from xcebra_nwb.nwb.reading.file import NwbFile, name_of, parent, text
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import Samples, container, unit_of

CHANGES = ("velocity", "speed", "acceleration", "heading", "phase")  # derivations that need how values change
OF_ANGLES = ("velocity", "speed", "acceleration")  # derivations that differ for a circular source
LENGTHS = re.compile(r"(centi|milli|micro)?met(er|re)s?|[cmuµ]?m|px|pixels?|inch(es)?", re.IGNORECASE)
PLACE = re.compile(
    r"(^|[_\W])(pos(ition)?s?|track|lap|maze|corridor|location|coordinates?|wheel|[xyz])($|[_\W\d])", re.IGNORECASE
)
CHANGING = re.compile(r"vel(ocity)?|speed|accel|per.s|/ ?s", re.IGNORECASE)


def series_label(file: NwbFile, name: str, label: LabelConfig) -> SeriesLabel:
    """Return a label from a time series, or from several that were sampled together.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config; ``source`` is the path of the series, or several paths.

    Raises:
        Refusal: The series has no finite value, is constant, or has times or a unit that cannot be true.
        UsageError: The kind, columns or derivation do not fit the series.
    """
    if label.derive in OF_POINTS:
        return _from_points(file, name, label)
    values = series_values(file, name, label)
    result = _label_of(name, values)
    if values.holds and label.derive in CHANGES:
        what = f"label {name} ({values.source}): its values hold until the next sample and have no {label.derive}"
        raise Refusal(Code.LABEL_NOT_DERIVABLE, what, "name a series that is sampled throughout")
    kind, notes = _kind(file, name, label, values)
    result = replace(result, notes=(*result.notes, *notes))
    if kind == "discrete":
        return _discrete(result, values, _code_names(file.groups[label.sources[0]]))
    result = _without_missing(result, values, keep_axes=bool(label.derive or label.columns))
    path = label.sources[0]
    an_angle = len(label.sources) == 1 and len(result.axes) == 1 and is_angle(file, path, label.unit)
    if kind == "circular":
        result = _circular(result, is_direction(file, path))
    else:
        result = _in_radians(result, is_direction(file, path)) if an_angle and label.derive in OF_ANGLES else result
        if len(result.axes) > 1 and radians_per(values.unit) is not None:
            result = _with_wraps(result)
        elif an_angle or _is_place(file, path, values.unit):
            result = _with_breaks(result)
    compass = container(file, path) == "CompassDirection"
    result = replace(result, tracked=values.spatial and not compass and kind == "continuous" and not values.holds)
    return _derived(result, label) if label.derive else result


def _label_of(name: str, values: SeriesValues) -> SeriesLabel:
    if values.missing.all():
        said = "; ".join(values.notes)
        raise Refusal(
            Code.LABEL_EMPTY,
            f"label {name} ({values.source}): no sample is left{f': {said}' if said else ''}"[:600],
            "lower min_confidence if that took them, or name another series",
        )
    return SeriesLabel(
        name=name,
        kind="continuous",
        units=values.unit,
        source=values.source,
        reference_frame=values.reference_frame,
        axes=values.axes,
        notes=values.notes,
        suspicious=values.suspicious,
        samples=values.samples,
        holds=values.holds,
    )


def _from_points(file: NwbFile, name: str, label: LabelConfig) -> SeriesLabel:
    """Return a direction from two points, or a pose."""
    values = direction(file, name, label) if label.derive == "direction" else pose(file, name, label)
    result = _without_missing(_label_of(name, values), values, keep_axes=True)
    return replace(result, kind="circular", axes=()) if label.derive == "direction" else result


def _kind(file: NwbFile, name: str, label: LabelConfig, values: SeriesValues) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of a label, or of the source of a derivation, and notes on it.

    Texts and up to eight different whole numbers are discrete. A single column of angles is circular if it is a
    direction or wraps. All else is continuous.
    """
    if label.kind != "auto" and not label.derive:
        return label.kind, ()
    stored = values.samples.values
    several_sources, path = len(label.sources) > 1, label.sources[0]
    if several_sources or stored.shape[1] != 1 or not values.numeric:
        return ("continuous" if values.numeric or label.derive else "discrete"), ()
    known = values.with_gaps().values[:, 0]
    known = known[np.isfinite(known)]
    if label.derive:
        angles = label.derive in OF_ANGLES and is_angle(file, path, label.unit) and len(known) > 0
        turning = angles and (is_direction(file, path) or wraps(in_radians(name, path, values.unit, known)[0]))
        return ("circular" if turning else "continuous"), ()
    if not is_kind(file.groups[path], "SpatialSeries") and kind_of_values(known) == "discrete":
        return "discrete", ()
    if not is_angle(file, path, label.unit) or is_curvature(name_of(path)):
        return "continuous", ()
    return angle_kind(name, path, values.unit, known, is_direction(file, path))


def is_angle(file: NwbFile, path: str, unit: str | None = None) -> bool:
    """Return whether a series holds angles.

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


def is_direction(file: NwbFile, path: str) -> bool:
    """Return whether the file calls the angles of a series a direction.

    Its container is a CompassDirection, or its name or that of its container says so.

    Args:
        file: The open file.
        path: Path of the series.
    """
    holder = parent(path)
    names = [name_of(path)] + ([name_of(holder)] if holder.count("/") > 1 else [])
    return container(file, path) == "CompassDirection" or any(map(named_direction, names))


def _is_place(file: NwbFile, path: str, unit: str) -> bool:
    """Return whether a series says where something is, so that a jump of it is no movement."""
    name = words_of(name_of(path))
    if CHANGING.search(name) or CHANGING.search(unit):
        return False
    spatial = is_kind(file.groups[path], "SpatialSeries") and container(file, path) != "CompassDirection"
    return spatial or LENGTHS.fullmatch(unit.strip()) is not None or PLACE.search(name) is not None


def _with_breaks(label: SeriesLabel) -> SeriesLabel:
    """Return the label with the jumps of its samples, which are no movement."""
    if label.holds:
        return label
    breaks = jumps(label.samples)
    if not len(breaks):
        return label
    count = f"{len(breaks)} jump{'s' * (len(breaks) != 1)} within a sample, as where a lap starts anew or tracking errs"
    words = f"{label.source}: {count}: nothing is averaged, smoothed or derived across them"
    return replace(label, breaks=breaks, notes=(*label.notes, words))


def _with_wraps(label: SeriesLabel) -> SeriesLabel:
    """Return the label of several angles with the times at which one of them wraps, over which a mean means nothing."""
    factor, times = radians_per(label.units), label.samples.times
    assert factor is not None
    steps = np.stack([wrapped_steps(column) for column in factor * label.samples.values.T], axis=1)
    rows = np.flatnonzero(steps.any(axis=1))
    if label.holds or not len(rows):
        return label
    axis = label.axes[int(steps.any(axis=0).argmax())]
    words = f"{label.source}: its column {axis} wraps from one end of the circle to the other {len(rows)} times"
    remedy = "nothing is averaged across that. With columns: [its number] alone it is a direction"
    breaks = np.stack([times[rows], times[rows + 1]], axis=1)
    return replace(label, breaks=breaks, notes=(*label.notes, f"{words}: {remedy}"))


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
        differentiated=config.derive in CHANGES,
        notes=(*label.notes, f"label {label.name}: {words}, from {label.source}"),
    )


def _without_missing(label: SeriesLabel, values: SeriesValues, keep_axes: bool) -> SeriesLabel:
    """Return the label without samples that are missing in any column.

    An axis that never changes, such as the height of a flat maze, is left out unless ``keep_axes``. If values hold
    until the next sample, a missing one stays as NaN.
    """
    if not values.numeric:
        raise UsageError(f"labels.{label.name}: {label.source} holds texts", "set kind: discrete")
    samples = values.with_gaps()
    finite = np.isfinite(samples.values).all(axis=1)
    if not finite.any():
        raise empty(label)
    known, notes = samples.values[finite], label.notes
    check_varies(label, known)
    varies = np.any(known != known[:1], axis=0)
    chosen = np.ones(len(varies), dtype=bool)
    if not varies.all() and not keep_axes:
        chosen = varies
        flat = [axis for axis, moves in zip(label.axes, varies, strict=True) if not moves]
        notes = (*notes, f"{label.source}: {', '.join(flat)} never changes and was left out")
        label = replace(label, axes=tuple(a for a in label.axes if a not in flat))
    if nowhere := int(np.sum(~finite & ~values.missing)):
        notes = (*notes, f"{label.source}: {nowhere} samples with NaN or infinity were left out")
    kept = np.ones(len(finite), dtype=bool) if label.holds else finite
    left = Samples(samples.times[kept], samples.values[kept][:, chosen], samples.notes)
    return replace(label, samples=left, notes=notes)


def _circular(label: SeriesLabel, directed: bool) -> SeriesLabel:
    values = label.samples.values
    if values.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {values.shape[1]} columns, a circular label has one",
            "name one with columns: [0], or set kind: continuous",
        )
    label = _in_radians(label, directed)
    over = turns(known := label.samples.values[np.isfinite(label.samples.values)])
    notes = label.notes
    if over >= MOST_TURNS and not wraps(known):
        notes = (
            *notes,
            f"{label.source}: it runs over {over:.2g} turns and was wrapped to one: right if its unit is not degrees",
        )
    return replace(label, kind="circular", axes=(), notes=notes)


def _in_radians(label: SeriesLabel, directed: bool) -> SeriesLabel:
    """Return a label of one column of angles with its values in rad, as they are."""
    values = label.samples.values[:, 0]
    known = np.isfinite(values)
    angles, notes = in_radians(label.name, label.source, label.units, values[known], directed)
    converted = np.full((len(values), 1), np.nan)
    converted[known, 0] = angles
    return replace(label, units="rad", samples=replace(label.samples, values=converted), notes=(*label.notes, *notes))


def _discrete(label: SeriesLabel, values: SeriesValues, code_names: tuple[str, ...]) -> SeriesLabel:
    stored = values.samples.values
    if stored.shape[1] != 1:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {stored.shape[1]} columns, a discrete label has one",
            "name one with columns: [0], or set kind: continuous",
        )
    codes = np.full(len(stored), -1, dtype=np.int64)
    rows = ~values.missing
    codes[rows], classes = encoded(named(stored[rows, 0], code_names))
    if not len(classes):
        raise empty(label)
    check_classes(label, classes)
    present = codes >= 0
    check_varies(label, codes[present][:, None])
    kept = np.ones(len(codes), dtype=bool) if label.holds else present
    samples = Samples(label.samples.times[kept], codes[kept][:, None], label.samples.notes)
    return replace(label, kind="discrete", units="", axes=(), classes=classes, samples=samples)


def _code_names(group: h5py.Group) -> tuple[str, ...]:
    """Return the names of the codes 0, 1, ... of a series, if the file has them."""
    if group["data"].dtype.kind == "b":
        return "False", "True"
    stored = group["data"].attrs.get("labels", ())
    return tuple(text(name) for name in np.atleast_1d(stored)) if len(np.shape(stored)) == 1 else ()
