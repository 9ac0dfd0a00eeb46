"""Find events, and make labels of the time since or around them."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np

from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading import clock
from xcebra_nwb.nwb.reading.file import NwbFile, attribute, dataset, neurodata_type, parent
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.series import columns, read_times
from xcebra_nwb.nwb.reading.values import numbers

EVENTS = "BehavioralEvents"


@dataclass(frozen=True, kw_only=True)
class EventLabel(Label):
    """The time since the last event, or to the nearest event within a window.

    Attributes:
        events: Times of the events in s, sorted, shape (event,).
        window: Start and stop around an event in s; None for the time since the last event.
    """

    events: np.ndarray  # (event,) s, sorted
    window: tuple[float, float] | None = None

    @property
    def range(self) -> Range:
        """The first and the last event in s, with the window around them."""
        before, after = self.window or (0.0, 0.0)
        return float(self.events[0]) + min(before, 0.0), float(self.events[-1]) + max(after, 0.0)

    @property
    def times(self) -> np.ndarray:
        """The times of the events in s."""
        return self.events

    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the time from an event at the centre of each bin.

        Args:
            grid: The bins.
            time: ``time`` of the config, which events do not need.

        Returns:
            The time in s, shape (time, 1), NaN where no event is near; and False for every bin, because events have no
            tracking that can be lost.
        """
        after = np.searchsorted(self.events, grid.centres, side="right")
        padded = np.r_[-np.inf, self.events, np.inf]
        since, until = grid.centres - padded[after], padded[after + 1] - grid.centres
        if self.window is None:
            value = np.where(np.isfinite(since), since, np.nan)
        else:
            since = np.where(self._inside(since), since, np.nan)
            lead = np.where(self._inside(-until), -until, np.nan)
            nearer = np.isnan(since) | (np.abs(lead) < np.abs(since))
            value = np.where(nearer & ~np.isnan(lead), lead, since)
        return value[:, None], np.zeros(grid.count, dtype=bool)

    def _inside(self, lag: np.ndarray) -> np.ndarray:
        assert self.window is not None
        return (lag >= self.window[0]) & (lag <= self.window[1])


def is_events(group: h5py.Group) -> bool:
    """Return whether a group holds times of events without values.

    That is a group with timestamps and no data, or a table of timestamps.
    """
    if neurodata_type(group) == "EventsTable":
        return dataset(group, "timestamp") is not None
    stamps = dataset(group, "timestamps")
    return stamps is not None and len(stamps.shape) == 1 and "data" not in group


def holds_events(file: NwbFile, path: str) -> bool:
    """Return whether the object at a path has no value between its times.

    Args:
        file: The open file.
        path: Path of a group or series.
    """
    if path not in file.groups:
        return False
    holder = file.groups.get(parent(path))
    group = file.groups[path]
    in_container = holder is not None and neurodata_type(holder) == EVENTS
    return in_container or neurodata_type(group) in {"Events", "LabeledEvents"} or is_events(group) or _moments(group)


def _moments(group: h5py.Group) -> bool:
    """Return whether the ``continuity`` of a series says that its samples are distinct moments."""
    data = dataset(group, "data")
    timed = dataset(group, "timestamps") is not None and not is_kind(group, "SpatialSeries")
    return data is not None and timed and attribute(data, "continuity").strip().lower() == "instantaneous"


def read_events(group: h5py.Group, path: str) -> np.ndarray:
    """Return the times of events in s, finite and sorted, shape (event,).

    In a series with zeros, such as a lick sensor, an event is a sample at which the value becomes positive. In other
    series, every sample is an event.

    Args:
        group: The group of the events.
        path: Its path in the file.
    """
    if is_events(group):
        events = clock.read(group["timestamp" if "timestamp" in group else "timestamps"]).reshape(-1)
    else:
        times, data = read_times(group, path), group["data"]
        events = times
        if columns(group) == 1 and data.dtype.kind in "iufb" and data.shape[0] == len(times):
            high = numbers(data).reshape(-1) > 0
            events = times[high & ~np.r_[False, high[:-1]]] if not high.all() else times
    return np.sort(events[np.isfinite(events)])


def event_label(name: str, source: str, events: np.ndarray, window: tuple[float, float] | None = None) -> EventLabel:
    """Return a label that is the time from events.

    Args:
        name: Name of the label.
        source: Its source, for messages.
        events: Times of the events in s, sorted, shape (event,).
        window: Start and stop around an event in s; None for the time since the last event.

    Raises:
        Refusal: There is no event.
    """
    if not len(events):
        raise Refusal(Code.LABEL_EMPTY, f"label {name} ({source}): no event", "name another source in labels")
    around = "since the last of" if window is None else f"from {window[0]:g} to {window[1]:g} s around"
    return EventLabel(
        name=name,
        kind="continuous",
        units="s",
        source=source,
        notes=(f"label {name}: time {around} {len(events)} events, from {source}",),
        events=events,
        window=window,
    )
