"""The label that the config names: from a series, an interval table or one of its columns, or events."""

from __future__ import annotations

from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.from_events import event_label, holds_events, is_events, read_events
from xcebra_nwb.nwb.labels.from_intervals import ELAPSED, interval_label, interval_series_label, label_columns
from xcebra_nwb.nwb.labels.from_series import AXES, series_label
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, neurodata_type, parent, unknown_path
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.series import columns

RESERVED = {"activity", "valid", "segment", "time", "unit", "unit_id", "row", "region", "n_spikes"}


def configured_label(file: NwbFile, name: str, label: LabelConfig) -> Label:
    """Return the label that the config calls ``name``.

    Raises:
        UsageError: its source is not in the file, or is no such thing as the config takes it for.
        Refusal: what stands there cannot be a label: empty, constant, or with times that cannot be trusted.
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
    if neurodata_type(file.groups[path]) == "IntervalSeries" and label.derive is None:
        return interval_series_label(file, name, label)
    if holds_events(file, path):
        raise UsageError(
            f"labels.{name}: {path} holds events, which have no value from one to the next", "add derive: time_from"
        )
    return series_label(file, name, label)


def known_sources(file: NwbFile) -> list[str]:
    """Return what a label can be made of: series of a few columns, and columns of interval tables."""
    from_tables = [f"{path}#{column}" for path in interval_tables(file) for column in label_columns(file, path)]
    return [path for path, group in file.series.items() if columns(group) <= len(AXES)] + from_tables


def _resolved(file: NwbFile, path: str) -> str:
    """The path of what stands at ``path``: links followed, and into a container that holds a single series."""
    path, hash_, column = path.partition("#")
    path = file.canonical_path(path)
    if hash_:
        return f"{path}#{column}"
    inside = [p for p in file.series if parent(p) == path]
    return inside[0] if path not in file.series and len(inside) == 1 else path


def _can_be_derived(file: NwbFile, label: LabelConfig) -> bool:
    """Whether what is no label by itself has times (events) or a phase (the voltage of an electrode)."""
    group = file.groups.get(label.source)
    if group is None:
        return False
    return is_events(group) or (label.derive == "phase" and dataset(group, "data") is not None)
