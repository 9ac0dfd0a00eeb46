"""Read a label that the config names, from a series, intervals or events."""

from __future__ import annotations

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.from_events import event_label, holds_events, is_events, read_events
from xcebra_nwb.nwb.labels.from_intervals import ELAPSED, interval_label, interval_series_label, label_columns
from xcebra_nwb.nwb.labels.from_series import AXES, series_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, parent, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns

RESERVED = {"activity", "valid", "segment", "time", "unit", "unit_id", "row", "region", "n_spikes"}


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
    path = _resolved(file, label.source.rstrip("/"))
    label = label.model_copy(update={"source": path})
    if path.split("#")[0] in interval_tables(file) or "#" in path:
        return interval_label(file, name, label)
    if path not in file.series and not _can_be_derived(file, label):
        raise unknown_path(f"labels.{name}", label.source, known_sources(file))
    if label.derive == "time_from":
        return event_label(name, label, read_events(file.groups[path], path))
    if label.derive in ELAPSED:
        raise UsageError(
            f"labels.{name}: derive: {label.derive} needs a table of intervals, {path} is none",
            f"tables: {', '.join(interval_tables(file)) or 'the file holds none'}",
        )
    if is_kind(file.groups[path], "IntervalSeries") and label.derive is None:
        return interval_series_label(file, name, label)
    if holds_events(file, path):
        raise UsageError(
            f"labels.{name}: {path} holds events, which have no value between them", "add derive: time_from"
        )
    return series_label(file, name, label)


def known_sources(file: NwbFile) -> list[str]:
    """Return the paths from which a label can be made.

    They are the series with up to three columns, and the columns of interval tables as ``path#column``.
    """
    from_tables = [f"{path}#{column}" for path in interval_tables(file) for column in label_columns(file, path)]
    return [path for path, group in file.series.items() if columns(group) <= len(AXES)] + from_tables


def _resolved(file: NwbFile, path: str) -> str:
    """Return the path of the object that a configured path means.

    Links are followed. A container that holds a single series stands for that series.
    """
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
    group = file.groups.get(label.source)
    if group is None:
        return False
    return is_events(group) or (label.derive == "phase" and dataset(group, "data") is not None)
