"""Labels as a user gives them in Python, brought onto the bins of the activity."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.api.given import Given, given, pynapple_type
from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.config.section import LABEL_NAME
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.bins.grid import Grid
from xcebra_nwb.nwb.labels.angles import angle_kind, in_radians, named_angle, named_direction, radians_per
from xcebra_nwb.nwb.labels.configured import RESERVED
from xcebra_nwb.nwb.labels.from_events import event_label
from xcebra_nwb.nwb.labels.from_intervals import inside_or_not
from xcebra_nwb.nwb.labels.label import MOST_CLASSES, Label, encoded, kind_of_values
from xcebra_nwb.nwb.labels.sampled_label import SeriesLabel
from xcebra_nwb.nwb.reading.series import Samples

KINDS = ("continuous", "circular", "discrete", "events")
KEYS = ("values", "kind", "units", "trials", "window")


@dataclass(frozen=True)
class UserLabel:
    """A label as it was given, with its kind settled.

    Attributes:
        name: Its name.
        kind: ``continuous``, ``circular``, ``discrete`` or ``events``.
        given: Its values, times or intervals.
        values: The cleaned values: numbers, rad, or class codes; shape (sample,) or (sample, axis). None for events and
            intervals.
        classes: Names of the codes.
        units: Unit of the values.
        trials: Number of the trial of each sample, -1 outside of any, shape (sample,); None without trials.
        window: Start and stop around an event in s; None for the time since the last one.
        notes: How it was understood, in words.
    """

    name: str
    kind: str
    given: Given
    values: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    units: str = ""
    trials: NDArray[np.int64] | None = None
    window: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The source for messages and for the session dataset."""
        return f"labels[{self.name!r}]"

    @property
    def has_times(self) -> bool:
        """Whether it can be brought onto any bins."""
        return self.given.times is not None or self.given.intervals is not None or self.kind == "events"

    def timed(self) -> Label:
        """Return the label as extraction from a file would have it.

        Raises:
            Refusal: There is no event, or no time between intervals.
        """
        if self.kind == "events":
            return event_label(self.name, self.source, self._events(), self.window)
        if self.given.intervals is not None:
            return inside_or_not(self.name, self.source, self.given.intervals)
        assert self.values is not None and self.given.times is not None
        known = self.values >= 0 if self.kind == "discrete" else np.isfinite(self.values).reshape(len(self.values), -1)
        kept = known if known.ndim == 1 else known.any(axis=1)
        return SeriesLabel(
            name=self.name,
            kind=cast(Kind, self.kind),
            units=self.units,
            source=self.source,
            axes=self.given.columns if self.values.ndim == 2 else (),
            classes=self.classes,
            notes=self.notes,
            samples=Samples(self.given.times[kept], self.values.reshape(len(self.values), -1)[kept]),
        )

    def _events(self) -> NDArray[np.float64]:
        times = self.given.times if self.given.times is not None else np.ravel(np.asarray(self.given.values, float))
        return np.sort(times[np.isfinite(times)])


@dataclass(frozen=True)
class Column:
    """A label on bins.

    Attributes:
        label: The label as it was given.
        kind: ``continuous``, ``circular`` or ``discrete``.
        values: Its values, shape (time,) or (time, axis); NaN, or -1 for classes, where missing.
        units: Unit of the values.
        classes: Names of the codes.
        axes: Names of the axes of a vector.
        trials: Number of the trial of each bin, shape (time,); None without trials.
        borders: Times in s that windows do not cross.
        notes: How it was made, in words.
    """

    label: UserLabel
    kind: str
    values: NDArray[Any]
    units: str
    classes: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    trials: NDArray[np.int64] | None = None
    borders: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each bin has a value, shape (time,)."""
        known = self.values >= 0 if self.kind == "discrete" else np.isfinite(self.values)
        return np.asarray(known.all(axis=1) if known.ndim == 2 else known)


def user_labels(labels: Mapping[str, Any]) -> list[UserLabel]:
    """Return the labels of a mapping from name to values, or to a mapping with ``values`` and what is known of them.

    Raises:
        UsageError: There is none, a name cannot be used, a key is unknown, or values and kind do not fit.
        Refusal: An angle cannot have the unit that was given.

    >>> one, other = user_labels({"speed": [0.5, 1.5, 0.7], "choice": {"values": ["left", "right", "left"]}})
    >>> one.kind, other.kind, other.classes
    ('continuous', 'discrete', ('left', 'right'))
    """
    if not isinstance(labels, Mapping) or not labels:
        raise UsageError("labels: at least one label is needed", 'such as {"position": position}')
    return [_label(name, value) for name, value in labels.items()]


def on_bins(label: UserLabel, grid: Grid, times: NDArray[np.float64] | None, rows: NDArray, config: Time) -> Column:
    """Return a label on the bins of the activity.

    Values without times, and values at the times of the activity, are taken as they are. Others are brought onto the
    bins as in the extraction of a file.

    Args:
        label: The label.
        grid: The bins.
        times: Times of the activity's samples in s, shape (sample,); None without.
        rows: Bin of each sample of the activity, shape (sample,).
        config: ``time`` of the config.

    Raises:
        UsageError: It has neither times nor a value for each sample of the activity.
    """
    own = label.given.times
    if label.values is not None and (own is None or (times is not None and np.array_equal(own, times))):
        return _as_given(label, grid, rows)
    timed = label.timed()
    values, _ = timed.binned(grid, config)
    vector = values.ndim == 2 and values.shape[1] > 1
    return Column(
        label=label,
        kind=timed.kind,
        values=values if vector or values.ndim == 1 else values[:, 0],
        units=timed.units,
        classes=timed.classes,
        axes=timed.axes,
        trials=timed.trials(grid),
        borders=timed.borders,
        notes=timed.notes,
    )


def _as_given(label: UserLabel, grid: Grid, rows: NDArray) -> Column:
    assert label.values is not None
    if len(label.values) != len(rows):
        raise UsageError(
            f"label {label.name}: {len(label.values):,} values, and the activity has {len(rows):,} bins",
            "give a value for each bin, or a label with times (pynapple, or xarray with the coordinate time)",
        )
    missing: Any = -1 if label.kind == "discrete" else np.nan
    values = np.full((grid.count, *label.values.shape[1:]), missing, dtype=label.values.dtype)
    values[rows] = label.values
    trials = label.trials
    if trials is not None:
        if len(trials) != len(rows):
            raise UsageError(f"label {label.name}: {len(trials):,} trials for {len(rows):,} bins", "give one a bin")
        each, trials = trials, np.full(grid.count, -1, dtype=np.int64)
        trials[rows] = each
    axes = label.given.columns if values.ndim == 2 else ()
    return Column(label, label.kind, values, label.units, label.classes, axes, trials, notes=label.notes)


def _label(name: str, value: Any) -> UserLabel:
    if not isinstance(name, str) or not re.fullmatch(LABEL_NAME, name) or name in RESERVED:
        raise UsageError(f"label {name!r}: not a name for a label", "letters, digits and _, and no name of the dataset")
    about: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {"values": value}
    for key in about:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, n=1)
            raise UsageError(f"label {name}: unknown key {key!r}", f"did you mean {near[0]}?" if near else str(KEYS))
    if "values" not in about:
        raise UsageError(f"label {name}: no values", f'{{"{name}": {{"values": values, "kind": ...}}}}')
    kind = about.get("kind")
    if kind is not None and kind not in KINDS:
        raise UsageError(f"label {name}: no kind {kind!r}", f"one of {', '.join(KINDS)}")
    found = given(about["values"], f"label {name}")
    units = str(about.get("units") or (found.attrs or {}).get("units", ""))
    kind = kind or (found.attrs or {}).get("kind")
    events = kind == "events" or pynapple_type(about["values"]) == "Ts"
    window = _window(name, about.get("window"), events)
    if events:
        return UserLabel(name, "events", found, units="s", window=window)
    if found.intervals is not None:
        if kind not in (None, "discrete"):
            raise UsageError(f"label {name}: intervals mean inside or outside, which is discrete", "leave kind out")
        return UserLabel(name, "discrete", found)
    trials = about.get("trials")
    made = _cleaned(name, found, kind, units)
    return made if trials is None else _with_trials(made, trials)


def _window(name: str, window: Any, events: bool) -> tuple[float, float] | None:
    if window is None:
        return None
    if not events or len(window) != 2 or not float(window[0]) < float(window[1]):
        raise UsageError(f"label {name}: window {window}", "start and stop in s around events, such as (-0.5, 1)")
    return float(window[0]), float(window[1])


def _with_trials(label: UserLabel, trials: Any) -> UserLabel:
    numbers = np.asarray(trials)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise UsageError(f"label {label.name}: trials are whole numbers, one a bin", "-1 outside of trials")
    return UserLabel(**{**vars(label), "trials": numbers.astype(np.int64)})


def _cleaned(name: str, found: Given, kind: str | None, units: str) -> UserLabel:
    """Return a label of values with its kind and its numbers."""
    values = found.values
    assert values is not None
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    numeric = values.dtype.kind in "iuf"
    kind, notes = (kind, ()) if kind is not None else _kind(name, units, values)
    if kind == "discrete":
        return _discrete(name, found, values)
    if not numeric:
        raise UsageError(f"label {name}: values of type {values.dtype} cannot be {kind}", 'give "kind": "discrete"')
    numbers = values.astype(np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    if kind == "circular":
        if numbers.ndim == 2:
            raise UsageError(f"label {name}: a circular label has one column", "give each angle a name of its own")
        known = np.isfinite(numbers)
        angles, said = in_radians(name, f"labels[{name!r}]", units, numbers[known])
        numbers[known], units, notes = angles, "rad", (*notes, *said)
    return UserLabel(name, kind, found, numbers, units=units or "a.u.", notes=notes)


def _kind(name: str, units: str, values: NDArray[Any]) -> tuple[str, tuple[str, ...]]:
    """Return the kind of values that nobody named, and how it was found."""
    if values.ndim == 2:
        return "continuous", ()
    if values.dtype.kind in "iuf" and (named_angle(name) or radians_per(units) is not None):
        finite = values[np.isfinite(values)].astype(np.float64)
        kind, notes = angle_kind(name, f"labels[{name!r}]", units, finite, named_direction(name))
        return kind, (f"label {name}: {kind}, by its name or unit", *notes)
    kind = kind_of_values(values)
    return kind, (f"label {name}: {kind}, by its values",)


def _discrete(name: str, found: Given, values: NDArray[Any]) -> UserLabel:
    if values.ndim == 2:
        raise UsageError(f"label {name}: a discrete label has one column", "give each a name of its own")
    coded = (found.attrs or {}).get("classes")
    if coded is not None and values.dtype.kind in "iu":  # a label of a session dataset: codes, -1 where missing
        return UserLabel(name, "discrete", found, values.astype(np.int64), tuple(json.loads(coded)))
    codes, classes = encoded(values)
    if len(classes) > MOST_CLASSES:
        raise UsageError(
            f"label {name}: {len(classes)} different values, too many classes", 'give "kind": "continuous"'
        )
    return UserLabel(name, "discrete", found, codes, classes)
