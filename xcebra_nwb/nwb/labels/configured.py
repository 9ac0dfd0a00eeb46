"""Read a label that the config names, from a series, intervals or events."""

from __future__ import annotations

import re

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.from_events import event_label, holds_events, is_events, read_events
from xcebra_nwb.nwb.labels.from_intervals import ELAPSED, interval_label, interval_series_label
from xcebra_nwb.nwb.labels.from_series import series_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.points import OF_POINTS
from xcebra_nwb.nwb.labels.series_values import AXES
from xcebra_nwb.nwb.labels.table_columns import label_columns
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, parent, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns

RESERVED = {
    *("activity", "valid", "segment", "observed", "masked_by", "time", "unit", "unit_id", "row", "region", "n_spikes"),
    *("isi_violations", "isi_cv2"),
}


def configured_label(file: NwbFile, name: str, label: LabelConfig) -> Label:
    """Return the label that the config describes.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config.

    Raises:
        UsageError: Its source is not in the file, or does not fit the rest of its section.
        Refusal: Its source cannot be a label: it is empty, constant, or has times that cannot be trusted.
    """
    if name in RESERVED:
        raise UsageError(f"labels: {name} means something else in the results", "give the label another name")
    written = label.source if isinstance(label.source, str) else ", ".join(label.source)
    label = resolved(file, name, label)
    if label.derive in OF_POINTS or any(path in file.series for path in label.sources):
        return _sampled(file, name, label)
    if label.min_confidence is not None:
        raise UsageError(f"labels.{name}: min_confidence is for series of tracked points", "leave it out")
    tables = interval_tables(file)
    if not isinstance(label.source, str):
        others = [path for path in label.sources if path.split("#")[0] not in tables]
        if others:
            raise UsageError(
                f"labels.{name}: {len(label.sources)} sources, which must be tables of intervals; {others[0]} is none",
                "name one path in source",
            )
        return interval_label(file, name, label, written)
    path = label.path
    if path.split("#")[0] in tables or "#" in path:
        return interval_label(file, name, label, written if "*" in written and "#" not in path else path)
    if not _can_be_derived(file, label):
        raise unknown_path(f"labels.{name}", path, known_sources(file))
    return _sampled(file, name, label)


def _sampled(file: NwbFile, name: str, label: LabelConfig) -> Label:
    """Return a label from series or events."""
    path = label.sources[0]
    unknown = next((source for source in label.sources if source not in file.groups), None)
    if unknown is not None:
        raise unknown_path(f"labels.{name}", unknown, known_sources(file))
    other = next((source for source in label.sources if source not in file.series), None)
    if other is not None and len(label.sources) > 1 and label.derive not in OF_POINTS:
        raise UsageError(f"labels.{name}: {other} is no series, other sources are", "name series only, or tables only")
    if label.derive is None and label.window is not None:
        raise UsageError(f"labels.{name}: window is for tables of intervals, {path} is none", "leave window out")
    if label.derive in ELAPSED and label.derive != "time_from":
        raise UsageError(
            f"labels.{name}: derive: {label.derive} needs a table of intervals, {path} is none",
            f"tables: {', '.join(interval_tables(file)) or 'the file holds none'}",
        )
    if isinstance(label.source, str):
        if label.derive == "time_from":
            return event_label(name, path, read_events(file.groups[path], path), label.window_seconds)
        if is_kind(file.groups[path], "IntervalSeries") and label.derive is None:
            return interval_series_label(file, name, label)
    events = next((source for source in label.sources if holds_events(file, source)), None)
    if events is not None:
        raise UsageError(
            f"labels.{name}: {events} holds events, which have no value between them", "add derive: time_from"
        )
    if label.derive == "time_from":
        raise UsageError(f"labels.{name}: derive: time_from needs one source, not {len(label.sources)}", "name one")
    return series_label(file, name, label)


def known_sources(file: NwbFile) -> list[str]:
    """Return the paths from which a label can be made.

    They are the series with up to three columns, and the columns of interval tables as ``path#column``.
    """
    from_tables = [f"{path}#{column}" for path in interval_tables(file) for column in label_columns(file, path)]
    return [path for path, group in file.series.items() if columns(group) <= len(AXES)] + from_tables


def resolved(file: NwbFile, name: str, label: LabelConfig) -> LabelConfig:
    """Return the section of a label with the paths of the objects that its source means.

    ``*`` stands for any name, or a part of one. Links are followed. A container that holds a single series stands for
    that series.

    Args:
        file: The open file.
        name: Name of the label.
        label: Its section of the config.

    Returns:
        The section; its ``source`` is a path if a single object is meant, else a list of paths.

    Raises:
        UsageError: A path with ``*`` fits no object.
    """
    paths = [path for source in label.sources for path in _matching(file, name, source.rstrip("/"))]
    paths = list(dict.fromkeys(_canonical(file, path) for path in paths))
    return label.model_copy(update={"source": paths[0] if len(paths) == 1 else paths})


def _matching(file: NwbFile, name: str, path: str) -> list[str]:
    """Return the paths that a path with ``*`` stands for; the path itself if it has none.

    With a column after ``#``, these are the tables that have it.
    """
    if "*" not in path:
        return [path]
    holder, hash_, column = path.partition("#")
    pattern = re.compile("[^/]*".join(map(re.escape, holder.split("*"))))
    tables = interval_tables(file)
    if hash_:
        having = [table for table in tables if dataset(file.groups[table], column) is not None]
        found = [f"{table}#{column}" for table in having if pattern.fullmatch(table)]
    else:
        found = [known for known in dict.fromkeys([*file.series, *tables]) if pattern.fullmatch(known)]
    if not found:
        raise unknown_path(f"labels.{name}", path, known_sources(file))
    return found


def _canonical(file: NwbFile, path: str) -> str:
    """Return the path of the object that a configured path means."""
    path, hash_, column = path.partition("#")
    path = file.canonical_path(path)
    if hash_:
        return f"{path}#{column}"
    inside = [p for p in file.series if parent(p) == path]
    return inside[0] if path not in file.series and len(inside) == 1 else path


def _can_be_derived(file: NwbFile, label: LabelConfig) -> bool:
    """Return whether a label can be derived from an object that is no label itself.

    That holds for events, which have times, and for the voltage of an electrode, which has a phase.
    """
    group = file.groups.get(label.path)
    if group is None:
        return False
    return is_events(group) or (label.derive == "phase" and dataset(group, "data") is not None)
