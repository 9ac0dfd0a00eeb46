"""Describe single objects of a file: neural sources, series and intervals."""

from __future__ import annotations

import h5py
import numpy as np

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal, XcebraError
from xcebra_nwb.nwb.inventory.foresight import LOOKED_AT, Foresight
from xcebra_nwb.nwb.inventory.models import Gap, IntervalTable, LabelSeries, NeuralSource, Remark, TimeRange
from xcebra_nwb.nwb.labels.configured import configured_label
from xcebra_nwb.nwb.labels.from_events import holds_events, read_events
from xcebra_nwb.nwb.labels.table_columns import doubts, label_columns
from xcebra_nwb.nwb.neural import choice, quality
from xcebra_nwb.nwb.neural.readers import Candidate
from xcebra_nwb.nwb.neural.suspicious import suspicious_units
from xcebra_nwb.nwb.reading import clock, present
from xcebra_nwb.nwb.reading.clock import oddities
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, neurodata_type
from xcebra_nwb.nwb.reading.intervals import covered, proper, read_intervals
from xcebra_nwb.nwb.reading.series import ends, read_times, sample_count, time_unit_note, transposed, unit_of
from xcebra_nwb.nwb.reading.spikes import landmarks, read_observed, read_spikes, spike_numbers
from xcebra_nwb.nwb.reading.table import column_names
from xcebra_nwb.nwb.reading.times import gaps, outliers, sample_period
from xcebra_nwb.nwb.reading.trains import observation_notes


def neural_source(
    file: NwbFile, candidate: Candidate, foresight: Foresight
) -> tuple[NeuralSource, list[Gap], list[Remark]]:
    """Return the description of a neural source.

    Args:
        file: The open file.
        candidate: The neural source.
        foresight: The selection of ``auto``, and the spikes that were read for it.

    Returns:
        The description, the gaps between its samples, and remarks on anything suspicious.
    """
    source = NeuralSource(
        path=candidate.path,
        layout=candidate.layout,
        kind=candidate.kind,
        units=candidate.units,
        unit=candidate.unit,
        taken_by_auto=candidate.path in foresight.automatic.neural,
        remark=candidate.refused,
    )
    counted = source.taken_by_auto or not foresight.automatic.neural  # once, not for each signal of the same cells
    about = _remarks(source.path, suspicious_units(file, source.path, counted))
    source = source.model_copy(update={"where": quality.where_line(file, source.path) or ""})
    if candidate.layout == "units":
        units, remarks = _units(file, source, foresight)
        return units, [], remarks + about
    paths = choice.matching(file, candidate.path)
    if candidate.kind == "spikes":
        return source, [], []
    group = file.groups[paths[0]]
    times, rate, suspicious = _looked_at(group, paths[0])
    stored = list(group["data"].shape)[:: -1 if transposed(group) else 1]
    shape = [stored[0], candidate.units] if len(paths) > 1 else stored
    suspicious += present.remarks(group)
    update = {"shape": shape, "rate": rate, "time_range": _range(times), "trusted_range": _trusted(times)}
    return source.model_copy(update=update), _gaps(candidate.path, times), _remarks(candidate.path, suspicious) + about


def label_series(file: NwbFile, path: str) -> tuple[LabelSeries, list[Gap], list[Remark]]:
    """Return the description of a series that could be a label.

    Args:
        file: The open file.
        path: Path of the series.

    Returns:
        The description, the gaps between its samples, and remarks on anything suspicious.
    """
    group = file.groups[path]
    times, rate, suspicious = _looked_at(group, path)
    suspicious += present.remarks(group)
    if holds_events(file, path):
        return _events(file, path, times), [], _remarks(path, suspicious)
    kind = ""
    if not _large(group):
        try:
            label = configured_label(file, "label", LabelConfig(source=path))
            kind, rate = label.kind, rate if label.period is not None else None
            suspicious += [line.removeprefix(f"{path}: ") for line in label.suspicious]
        except XcebraError as error:
            suspicious.append(error.message.removeprefix(f"label label ({path}) ").removeprefix(f"{path}: "))
    series = LabelSeries(
        path=path,
        neurodata_type=neurodata_type(group),
        shape=list(group["data"].shape),
        unit=unit_of(group),
        rate=rate,
        time_range=_range(times),
        trusted_range=_trusted(times),
        kind=kind,
        description=attribute(group, "description"),
        doubt=next((doubt.what for doubt in clock.doubts(_usable(times)) if not _large(group)), ""),
    )
    return series, _gaps(path, times), _remarks(path, suspicious)


def _events(file: NwbFile, path: str, times: np.ndarray) -> LabelSeries:
    """Return the description of events, which have no rate and no gaps."""
    group = file.groups[path]
    return LabelSeries(
        path=path,
        neurodata_type=neurodata_type(group),
        shape=[len(times)],
        unit="",
        rate=None,
        time_range=_range(times),
        trusted_range=_trusted(times),
        kind="events",
        description=attribute(group, "description"),
    )


def event_list(file: NwbFile, path: str) -> tuple[LabelSeries, list[Gap], list[Remark]]:
    """Return the description of event times that have no values.

    Args:
        file: The open file.
        path: Path of the events.

    Returns:
        The description, no gaps, and remarks on anything suspicious.
    """
    times = read_events(file.groups[path], path)
    return _events(file, path, times), [], _remarks(path, oddities(times, sampled=False))


def interval_table(file: NwbFile, path: str) -> tuple[IntervalTable, list[Remark]]:
    """Return the description of a table of intervals, and remarks on its times.

    Args:
        file: The open file.
        path: Path of the table.
    """
    group = file.groups[path]
    intervals = read_intervals(group)
    times = intervals[np.isfinite(intervals)]
    table = IntervalTable(
        path=path,
        rows=len(intervals),
        columns=column_names(group),
        labels=label_columns(file, path),
        kinds={column: _kind(file, f"{path}#{column}") for column in label_columns(file, path)},
        time_range=_range(times),
        covered=covered(group),
    )
    suspicious = [what for what in oddities(intervals[:, 0], sampled=False) if not what.startswith("times restart")]
    improper = int(np.sum(~proper(intervals) & np.isfinite(intervals).all(axis=1)))
    suspicious += [note] if (note := clock.unit_note(group["start_time"])) else []
    suspicious += [f"{improper} rows stop before they start"] if improper else []
    suspicious += doubts(file, path)
    suspicious += present.remarks(group)
    return table, _remarks(path, suspicious)


def _kind(file: NwbFile, source: str) -> str:
    """Return the kind of the label that ``source`` would give, "" for none."""
    try:
        return configured_label(file, "label", LabelConfig(source=source)).kind
    except XcebraError:
        return ""


def _units(file: NwbFile, source: NeuralSource, foresight: Foresight) -> tuple[NeuralSource, list[Remark]]:
    """Return the description of a units table with spikes and observation."""
    table = file.groups[source.path]
    description = source.model_copy(update={"columns": column_names(table)})
    if dataset(table, "spike_times") is None:
        return description, []
    counts = spike_numbers(table)
    step = 1 + int(counts.sum()) // LOOKED_AT
    known = foresight.spikes.get(source.path)
    try:
        spikes, notes = read_spikes(table, step) if known is None else (known.spikes or [], known.changes)
    except Refusal as refusal:
        return description, _remarks(source.path, [refusal.message.removeprefix(f"{source.path}: ")])
    observed = read_observed(table)
    times = landmarks(spikes)
    suspicious = [*oddities(np.sort(times), sampled=False), *notes]
    try:
        if observed is not None and any(map(len, observed)):
            suspicious += observation_notes(spikes, observed[::step], source.path)
    except Refusal as refusal:
        suspicious.append(refusal.message.removeprefix(f"{source.path}: "))
    suspicious += [f"large: only every {step}th unit was looked at"] if step > 1 else []
    suspicious += present.remarks(table)
    silent = int(np.sum(counts == 0))
    suspicious += [f"{silent} units without a spike"] if silent else []
    update = {
        "events": int(counts.sum()),
        "time_range": _range(times),
        "trusted_range": _trusted(times),
        "observed_intervals": None if observed is None else sum(map(len, observed)),
    }
    return description.model_copy(update=update), _remarks(source.path, suspicious)


def _large(group: h5py.Group) -> bool:
    return int(np.prod(group["data"].shape, dtype=np.float64)) > LOOKED_AT


def _looked_at(group: h5py.Group, path: str) -> tuple[np.ndarray, float | None, list[str]]:
    """Return the times of a series, its rate and remarks.

    Of a large series, such as raw data, only the first and the last time are read.
    """
    if not _large(group):
        times = read_times(group, path)
        note = time_unit_note(group)
        return _usable(times), _rate(_usable(times)), [*([note] if note else []), *oddities(times)]
    times, samples = ends(group, path), sample_count(group)
    rate = (samples - 1) / (times[1] - times[0]) if times[1] > times[0] else None
    return times, rate, [f"large: of {samples} samples only the first and last times were looked at"]


def _usable(times: np.ndarray) -> np.ndarray:
    """Return the times without those that stand for nothing."""
    return times[~clock.fillers(times)]


def _rate(times: np.ndarray) -> float | None:
    period = sample_period(np.sort(times[np.isfinite(times)]))
    return None if period is None else 1 / period


def _range(times: np.ndarray) -> TimeRange | None:
    finite = times[np.isfinite(times)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def _trusted(times: np.ndarray) -> TimeRange | None:
    """Return the range of the times without absurd ones, None if none is absurd."""
    far = outliers(times)
    return _range(times[~np.isin(times, far)]) if len(far) else None


def _gaps(path: str, times: np.ndarray) -> list[Gap]:
    stretches = gaps(np.sort(times[np.isfinite(times)]))
    if not len(stretches):
        return []
    lengths = stretches[:, 1] - stretches[:, 0]
    longest = int(lengths.argmax())
    return [
        Gap(
            path=path,
            count=len(stretches),
            total=float(lengths.sum()),
            longest=float(lengths[longest]),
            longest_start=float(stretches[longest, 0]),
        )
    ]


def _remarks(path: str, problems: list[str]) -> list[Remark]:
    return [Remark(path=path, what=problem) for problem in dict.fromkeys(problems)]
