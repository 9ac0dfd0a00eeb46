"""Labels: a behavioural variable of the file, read and cleaned, ready to be brought to bins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.hdf5.bounds import MOST_LABEL
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, Range
from xcebra_nwb.nwb.reading.file import text

FEW_CLASSES = 8  # whole numbers with at most so many values are classes, unless the config says otherwise
MOST_CLASSES = 100


@dataclass(frozen=True, kw_only=True)
class Label(ABC):
    """A label before it is binned; subclasses hold its values.

    ``source`` is its path in the file, ``units`` those after conversion (rad for a circular label), ``axes`` the names
    of a vector's columns, ``classes`` those of a discrete label's codes, ``notes`` what was done to it, in words.
    """

    name: str
    kind: Kind
    units: str
    source: str
    reference_frame: str = ""
    axes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def range(self) -> Range:
        """Start and stop of what the label covers, s."""

    @abstractmethod
    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label per bin, NaN (discrete: -1) where missing, and the bins (time,) at which tracking was lost.

        Continuous (time, axis), circular (time,) in rad, discrete (time,) codes.
        """

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the number of the trial of every bin, (time,), -1 outside of any; None if the label has no trials."""
        return None

    @property
    def borders(self) -> np.ndarray:
        """Times at which a trial of the label starts or stops, s: what goes on there is no movement of the label."""
        return np.empty(0)

    @property
    @abstractmethod
    def times(self) -> np.ndarray:
        """All times that the label rests on, s."""

    @property
    def period(self) -> float | None:
        """The typical step between samples, s; None for a label that is not sampled."""
        return None


def check_varies(label: Label, values: np.ndarray) -> None:
    """Raise :class:`Refusal` where ``values`` (sample, column) are the same throughout."""
    if np.all(values == values[:1]):
        raise Refusal(
            Code.LABEL_CONSTANT, f"label {label.name} ({label.source}) is constant", "name another series in labels"
        )


def check_axes_vary(label: Label, values: np.ndarray) -> None:
    """Raise :class:`Refusal` where any column of ``values`` (bin, column), those in use, is the same throughout."""
    check_varies(label, values)
    flat = np.flatnonzero(np.all(values == values[:1], axis=0))
    if len(flat):
        names = ", ".join(label.axes[column] if label.axes else str(column) for column in flat)
        raise Refusal(
            Code.LABEL_CONSTANT,
            f"label {label.name} ({label.source}): {names} is constant in the bins in use",
            f"name the other columns, labels: {{{label.name}: {{columns: [...]}}}}, or widen time.within",
        )


def check_classes(label: Label, classes: tuple[str, ...]) -> None:
    """Raise :class:`UsageError` where there are more classes than a discrete label can have."""
    if len(classes) > MOST_CLASSES:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {len(classes)} different values, too many classes",
            "set kind: continuous or name another source",
        )


def encoded(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes 0, 1, ... (-1 for NaN and empty texts) of ``values`` and the sorted classes they stand for."""
    if values.dtype.kind in "OSU":
        texts = np.array([text(value) for value in values], dtype=object)
        present = texts != ""
    else:
        texts, present = values, np.isfinite(values.astype(np.float64))
    unique, inverse = np.unique(texts[present], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[present] = inverse
    return codes, tuple(_class_name(value) for value in unique)


def named(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return codes 0, 1, ... by their ``names``; as they are where there are none, or not for every code."""
    if not names or values.dtype.kind not in "iu" or not len(values) or values.min() < 0 or values.max() >= len(names):
        return values
    return np.asarray(names, dtype=object)[values]


def empty(label: Label) -> Refusal:
    """Return the refusal of a label without a value."""
    what = f"label {label.name} ({label.source}) holds nothing but NaN"
    return Refusal(Code.LABEL_EMPTY, what, "name another series in labels")


def _class_name(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float | np.floating) else text(value)[:MOST_LABEL]
