"""Compute labels from several tracked points: a direction from two, or a pose from key points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.labels.series_values import AXES, SeriesValues, at_common_times, marked, series_values
from xcebra_nwb.nwb.labels.stand_ins import number_stand_ins
from xcebra_nwb.nwb.reading.file import NwbFile, name_of, parent
from xcebra_nwb.nwb.reading.series import Samples, columns

OF_POINTS = ("direction", "pose")
TOGETHER = 0.05  # of the median distance: points that lie closer have no direction
LEAST_SEEN = 0.5  # of the samples in which a key point must be seen
CONFIDENCES = ("_confidence", "_likelihood")


def key_points(file: NwbFile, label: LabelConfig) -> list[str]:
    """Return the paths of the series of key points that the sources of a label mean.

    A container stands for its series with two or three columns.

    Args:
        file: The open file.
        label: Section of the config with paths of series or containers.
    """
    paths: list[str] = []
    for source in label.sources:
        inside = [p for p, group in file.series.items() if parent(p) == source and columns(group) in (2, 3)]
        paths += [source] if source in file.series else inside
    return paths


def direction(file: NwbFile, name: str, label: LabelConfig) -> SeriesValues:
    """Return the direction from the second of two points to the first in rad, shape (sample, 1).

    It is 0 along the first axis. It is missing where a point is lost, or both lie together.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config: two series of points at the same times, or one with four columns.

    Raises:
        UsageError: The sources are no two points.
    """
    points = _points(file, name, label)
    if len(points) != 2:
        raise UsageError(
            f"labels.{name}: derive: direction needs two points, the source has {len(points)}",
            "name two series with columns x and y, or one series with four columns",
        )
    front, back = (point.with_gaps().values[:, :2] for point in points)
    way = front - back
    apart = np.linalg.norm(way, axis=1)
    seen = np.isfinite(apart)
    if not seen.any():
        raise _nothing_seen(name, points)
    together = seen & (apart <= TOGETHER * float(np.median(apart[seen])))
    angle = np.where(seen & ~together, np.arctan2(way[:, 1], way[:, 0]), np.nan)
    first, second = points
    whence = f"from {second.source} to {first.source}" if first.source != second.source else f"of {first.source}"
    return _joined(points, angle[:, None], ("",), "rad", f"label {name}: direction {whence}")


def pose(file: NwbFile, name: str, label: LabelConfig) -> SeriesValues:
    """Return key points relative to their mean, shape (sample, point times axis).

    A sample counts where every key point is seen, so that the mean is that of the same points. A key point that is seen
    in less than half of the samples is left out.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config: a container of key points, several series, or a wide one.

    Raises:
        UsageError: The sources are fewer than two key points.
        Refusal: Fewer than two key points are seen.
    """
    points = _points(file, name, label)
    widths = {point.samples.values.shape[1] for point in points}
    if len(points) < 2 or len(widths) != 1:
        what = f"{len(points)} key points" if len(widths) < 2 else "key points of 2 and 3 columns"
        raise UsageError(
            f"labels.{name}: derive: pose needs two key points or more of as many columns, the source has {what}",
            "name a PoseEstimation, several series, or one with the columns x and y of each point",
        )
    positions = np.stack([point.with_gaps().values for point in points], axis=1)  # (sample, point, axis)
    shares = np.isfinite(positions).all(axis=2).mean(axis=0)
    kept = np.flatnonzero(shares >= LEAST_SEEN)
    if len(kept) < 2:
        raise _nothing_seen(name, points)
    relative = positions[:, kept] - positions[:, kept].mean(axis=1, keepdims=True)
    names = _point_names(points)
    lines = [f"label {name}: {len(kept)} key points relative to their mean"]
    lines += [
        f"label {name}: {names[index]} is seen in {shares[index]:.0%} of the samples and was left out"
        for index in range(len(points))
        if index not in kept
    ]
    axes = tuple(f"{names[index]}_{AXES[axis]}" for index in kept for axis in range(relative.shape[2]))
    return _joined(points, relative.reshape(len(relative), -1), axes, points[0].unit, *lines)


def _points(file: NwbFile, name: str, label: LabelConfig) -> list[SeriesValues]:
    """Return each point as values of its own, so that it is lost on its own."""
    paths = key_points(file, label)
    if not paths:
        raise UsageError(
            f"labels.{name}: {', '.join(label.sources)}: no series of points with two or three columns",
            "name a container of such series, or the series",
        )
    if len(paths) > 1:
        points = [series_values(file, name, label, path) for path in paths]
        narrow = next((point for point in points if point.samples.values.shape[1] < 2), None)
        if narrow is not None:
            raise UsageError(f"labels.{name}: {narrow.source} has one column, a point has two or three", "")
        return at_common_times(name, points)
    return _parts(name, series_values(file, name, label, paths[0]), file.groups[paths[0]]["data"].shape)


def _parts(name: str, wide: SeriesValues, shape: tuple[int, ...]) -> list[SeriesValues]:
    """Return the points of a series whose columns are x, y of the first point, x, y of the second, and so on."""
    held = wide.samples.values.shape[1]
    width = shape[2] if len(shape) == 3 and shape[2] in (2, 3) and held % shape[2] == 0 else 2
    if held % width:
        raise UsageError(
            f"labels.{name}: {wide.source} has {held} columns, which are no pairs of x and y",
            "name them with columns: [x of the first point, y of the first, x of the second, ...]",
        )
    parts = []
    for begin in range(0, held, width):
        values = wide.samples.values[:, begin : begin + width]
        part = replace(
            wide, samples=replace(wide.samples, values=values), axes=wide.axes[begin : begin + width], suspicious=()
        )
        found = number_stand_ins(part.as_stored(), in_order=not wide.holds, tracked=True)
        parts.append(marked(part, found))
    return parts


def _point_names(points: list[SeriesValues]) -> list[str]:
    """Return the names of key points: those of their series, or point0, point1, ... of a wide one."""
    names = [name_of(point.source) for point in points]
    if len({point.source for point in points}) == 1:
        return [f"point{number}" for number in range(len(points))]
    ends = [name.removeprefix("PoseEstimationSeries").strip("_ ") or name for name in names]
    return ends if len(set(ends)) == len(ends) else [point.source.strip("/").replace("/", "_") for point in points]


def _joined(
    points: list[SeriesValues], values: np.ndarray, axes: tuple[str, ...], unit: str, *lines: str
) -> SeriesValues:
    """Return values that were computed from several points, with the notes of all of them."""
    sources = list(dict.fromkeys(point.source for point in points))
    return replace(
        points[0],
        source=", ".join(sources),
        samples=Samples(points[0].samples.times, values),
        missing=~np.isfinite(values).all(axis=1),
        axes=axes,
        unit=unit,
        notes=(*dict.fromkeys(note for point in points for note in point.notes), *lines),
        suspicious=tuple(dict.fromkeys(line for point in points for line in point.suspicious)),
        spatial=False,
        scale=(1.0, 0.0),
    )


def _nothing_seen(name: str, points: list[SeriesValues]) -> Refusal:
    notes = "; ".join(dict.fromkeys(note for point in points for note in point.notes))
    return Refusal(
        Code.LABEL_EMPTY,
        f"label {name}: the points are hardly ever seen{f': {notes}' if notes else ''}"[:600],
        "lower min_confidence, or name other series",
    )
