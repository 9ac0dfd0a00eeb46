"""Say which series and columns ``auto`` does not take for labels, and why."""

from __future__ import annotations

from collections.abc import Collection

from xcebra_nwb.nwb.labels.from_events import holds_events
from xcebra_nwb.nwb.labels.table_columns import label_columns
from xcebra_nwb.nwb.reading.file import NwbFile, neurodata_type
from xcebra_nwb.nwb.reading.intervals import INVALID, interval_tables
from xcebra_nwb.nwb.reading.series import columns, container, module

EYES = {"EyeTracking", "PupilTracking"}
MOST_AXES = 3  # a position in space; more columns are poses
NEURAL_MODULES = {"ecephys", "ophys"}
SHOWN = 5  # paths in one line


def skipped_notes(file: NwbFile, mentioned: Collection[str]) -> list[str]:
    """Return a line for each reason for which ``auto`` skips series and columns.

    Each line has the first paths that the reason applies to.

    Args:
        file: The open file.
        mentioned: Paths that are taken, or that another line explains.
    """
    reasons: dict[str, list[str]] = {}
    for path, group in file.series.items():
        if path not in mentioned and not _neural(path, neurodata_type(group)):
            reasons.setdefault(why_not(file, path), []).append(path)
    tables = [path for path in interval_tables(file) if path not in mentioned and path != INVALID]
    columns_left = [f"{path}#{column}" for path in tables for column in label_columns(file, path)]
    columns_left = [column for column in columns_left if column not in mentioned]
    if columns_left:
        reasons["columns of intervals, as there are series"] = columns_left
    return [f"not taken, {reason}: {listed(paths)}" for reason, paths in reasons.items()]


def why_not(file: NwbFile, path: str) -> str:
    """Return why ``auto`` does not take a series for a label.

    Args:
        file: The open file.
        path: Path of the series.
    """
    group = file.series[path]
    if container(file, path) in EYES:
        return "eye or pupil tracking"
    if holds_events(file, path):
        return "events"
    if neurodata_type(group) == "IntervalSeries":
        return "epochs"
    if group["data"].dtype.kind not in "iuf":
        return "texts or truth values"
    if columns(group) > MOST_AXES:
        return f"more than {MOST_AXES} columns"
    return "nothing says that it is a position, direction, velocity or speed"


def listed(paths: list[str]) -> str:
    """Return the first five paths, and the number of the others.

    >>> listed(["/a", "/b"])
    '/a, /b'
    """
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def _neural(path: str, kind: str) -> bool:
    """Return whether a series is neural data rather than behaviour."""
    return kind == "RoiResponseSeries" or module(path) in NEURAL_MODULES
