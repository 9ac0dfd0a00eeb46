"""Activity around events of a label: where its trials begin, or where a class begins in a label without trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.session import label_axes, labels, trial_numbers

BEFORE = 1.0  # s before an event
LONGEST, SHORTEST = 3.0, 1.0  # s after it, by the median length of the trials
MOST_LAGS = 40  # bins of lag
MOST_GROUPS = 4  # of events, by class or by the value of the label
FEWEST = 5  # events of a group
MOST_EVENTS = 1000  # of a label that enter; evenly over the session
LEVEL = 0.95  # of the intervals
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """The events of a label, in groups.

    Attributes:
        bins: The bin that begins at each event, ascending, shape (event,).
        group: Number of the group of each event, shape (event,).
        names: Of the groups.
        step: Bins of time in a bin of lag.
        first: Lag of the first bin of lag, in bins of time; negative.
        lags: Number of bins of lag.
        by_trial: Whether events are the beginnings of trials, rather than of classes.
    """

    bins: NDArray[np.int64]
    group: NDArray[np.int64]
    names: list[str]
    step: int
    first: int
    lags: int
    by_trial: bool

    def centers(self, width: float) -> Values:
        """Return the centres of the bins of lag in s, (lag,), for bins of time of ``width`` s."""
        return np.asarray((self.first + self.step * (np.arange(self.lags) + 0.5)) * width, dtype=np.float64)

    @property
    def span(self) -> tuple[int, int]:
        """The first bin of time around an event, and the one after the last."""
        return self.first, self.first + self.step * self.lags


@dataclass(frozen=True)
class EventRate:
    """Mean activity around the events of each group, and its interval over events, (group, lag, unit)."""

    mean: Values
    low: Values
    high: Values


def label_events(session: xr.Dataset) -> dict[str, Events]:
    """Return the events of each label that has any: groups of five events or more, at most four of them.

    Args:
        session: The session dataset.
    """
    found = {name: _events(session, name, label) for name, label in labels(session).items()}
    return {name: events for name, events in found.items() if events is not None}


def _events(session: xr.Dataset, name: str, label: xr.DataArray) -> Events | None:
    """The events of a label; None for a label without."""
    trial = trial_numbers(session, name)
    if trial is not None:
        bins, lengths = _trial_starts(trial, session["valid"].values)
    elif label.attrs["kind"] == "discrete":
        bins, lengths = _class_starts(session, label.values)
    else:
        return None
    group, names = _groups(label, bins)
    bins, group, lengths, names = _large(bins, group, lengths, names)
    if not len(bins):
        return None
    chosen = np.unique(np.linspace(0, len(bins) - 1, min(len(bins), MOST_EVENTS)).round().astype(np.int64))
    return Events(bins[chosen], group[chosen], names, *_lags(session, lengths), by_trial=trial is not None)


def _trial_starts(trial: NDArray, valid: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first bin of each trial of which some bin is in use, in order of time, and its number of bins."""
    numbers, first, lengths = np.unique(trial, return_index=True, return_counts=True)
    used = np.isin(numbers, trial[valid]) & (numbers >= 0)
    order = np.argsort(first[used], kind="stable")
    return first[used][order], lengths[used][order]


def _class_starts(session: xr.Dataset, codes: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins at which one class follows another within a segment, and for how many bins it stays."""
    codes = np.where(session["valid"].values, codes, -1).astype(np.int64)
    first = np.flatnonzero(np.diff(codes, prepend=-2))
    lengths = np.diff(np.r_[first, len(codes)])
    seen = (first > 0) & (codes[first] >= 0) & (codes[first - 1] >= 0) & _together(session, first)
    return first[seen], lengths[seen]


def _together(session: xr.Dataset, bins: NDArray[np.int64]) -> NDArray[np.bool_]:
    segment = session["segment"].values
    return np.asarray(segment[bins] == segment[np.maximum(bins - 1, 0)])


def _groups(label: xr.DataArray, bins: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the group of each event: by class, or by the range of the value; one group for a label of several axes."""
    kind = str(label.attrs["kind"])
    if not len(bins) or (kind != "discrete" and label_axes(label) > 1):
        return np.zeros(len(bins), dtype=np.int64), ["all events"]
    values = label.values[bins].reshape(-1)
    if kind == "discrete":
        return values.astype(np.int64), decode_list(label.attrs["classes"])
    if kind == "circular":
        quarter = (np.mod(values, 2 * np.pi) // (np.pi / 2)).astype(np.int64).clip(0, 3)
        return quarter, ["0° to 90°", "90° to 180°", "180° to 270°", "270° to 360°"]
    distinct = np.unique(values)
    if len(distinct) <= MOST_GROUPS:
        return np.searchsorted(distinct, values), [_named(value, label) for value in distinct]
    edges = np.quantile(values, [1 / 3, 2 / 3])
    low, high = (f"{edge:.3g}" for edge in edges)
    units = f" {label.attrs['units']}".rstrip()
    return np.searchsorted(edges, values), [f"under {low}{units}", f"{low} to {high}{units}", f"over {high}{units}"]


def _named(value: float, label: xr.DataArray) -> str:
    return f"{value:.3g} {label.attrs['units']}".rstrip()


def _large(
    bins: NDArray[np.int64], group: NDArray[np.int64], lengths: NDArray[np.int64], names: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Keep the largest groups, in their order."""
    counts = np.bincount(group, minlength=len(names))
    largest = np.sort(np.argsort(-counts, kind="stable")[:MOST_GROUPS])
    kept = [int(each) for each in largest if counts[each] >= FEWEST]
    inside = np.isin(group, kept)
    return bins[inside], np.searchsorted(kept, group[inside]), lengths[inside], [names[each] for each in kept]


def _lags(session: xr.Dataset, lengths: NDArray[np.int64]) -> tuple[int, int, int]:
    """Return bins of time in a bin of lag, the first lag, and the number of bins of lag."""
    width = float(session.attrs["bin_width"])
    after = float(np.clip(np.median(lengths) * width, SHORTEST, LONGEST))
    step = max(1, int(np.ceil((BEFORE + after) / width / MOST_LAGS)))
    before, later = (max(1, int(np.floor(seconds / (step * width)))) for seconds in (BEFORE, after))
    return step, -before * step, before + later


def around_events(session: xr.Dataset, events: Events, chosen: NDArray[np.int64]) -> Iterator[tuple[int, Values]]:
    """Yield events and the activity around each, (lag, unit): Hz for spikes, else the activity's unit.

    A lag is NaN where a bin of it was not observed, or lies outside of the recording.

    Args:
        session: The session dataset; its activity is read event by event.
        events: The events.
        chosen: The numbers of the events that are yielded.
    """
    known = session["observed" if "observed" in session else "valid"].values
    spikes, width = session["activity"].attrs["kind"] == "spikes", float(session.attrs["bin_width"])
    first, last = events.span
    for event in chosen.tolist():
        start, stop = int(events.bins[event]) + first, int(events.bins[event]) + last
        rows = slice(max(start, 0), max(min(stop, len(known)), 0))
        values = np.full((last - first, session.sizes["unit"]), np.nan)
        there = np.where(known[rows, None], session["activity"][rows].values, np.nan)
        values[rows.start - start : rows.stop - start] = there
        rates = values.reshape(events.lags, events.step, -1).mean(axis=1)
        yield event, rates / width if spikes else rates


def event_rate(session: xr.Dataset, events: Events) -> EventRate:
    """Return the mean activity around the events of each group, with a 95 % interval over events.

    The interval is Student's. A lag that fewer than five events of the group show is NaN.

    Args:
        session: The session dataset; its activity is read event by event.
        events: The events.
    """
    shape = len(events.names), events.lags, session.sizes["unit"]
    count, total, squares = np.zeros(shape[:2]), np.zeros(shape), np.zeros(shape)
    for event, rates in around_events(session, events, np.arange(len(events.bins))):
        group, there = events.group[event], np.isfinite(rates).all(axis=1)
        count[group, there] += 1
        total[group, there] += rates[there]
        squares[group, there] += rates[there] ** 2
    enough = np.broadcast_to((count >= FEWEST)[..., None], shape)
    many = np.maximum(count, 2)[..., None]
    mean = np.where(enough, total / many, np.nan)
    error = np.sqrt(np.maximum(squares - total**2 / many, 0) / (many - 1) / many)
    reach = stdtrit(many - 1, (1 + LEVEL) / 2) * error
    low = mean - reach
    spikes = session["activity"].attrs["kind"] == "spikes"
    return EventRate(mean, np.maximum(low, 0) if spikes else low, mean + reach)
