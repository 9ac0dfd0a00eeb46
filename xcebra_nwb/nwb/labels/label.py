"""Define what every label can do, whatever object of the file it comes from."""

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
from xcebra_nwb.nwb.labels.stand_ins import missing, plain_text
from xcebra_nwb.nwb.reading.file import text

FEW_CLASSES = 8  # whole numbers with at most so many values are classes, unless the config says otherwise
MOST_CLASSES = 100


@dataclass(frozen=True, kw_only=True)
class Label(ABC):
    """A behavioural variable that was read and cleaned, and can be binned.

    Subclasses hold its values.

    Attributes:
        name: Name in the session dataset.
        kind: ``continuous``, ``circular`` or ``discrete``.
        units: Unit after conversion; rad for a circular label.
        source: Path in the file.
        reference_frame: Description of the zero and the axes in the file.
        axes: Names of the columns of a vector.
        classes: Names of the codes of a discrete label.
        notes: Changes that were made to it, in words.
        suspicious: What is odd about its values, in words; these lines are in ``notes``, too.
    """

    name: str
    kind: Kind
    units: str
    source: str
    reference_frame: str = ""
    axes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()

    @property
    @abstractmethod
    def range(self) -> Range:
        """The start and stop of the time that the label covers in s."""

    @abstractmethod
    def binned(self, grid: Grid, time: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return the label in each bin, and the bins at which tracking was lost.

        Args:
            grid: The bins.
            time: ``time`` of the config.

        Returns:
            The label: shape (time, axis) if continuous, (time,) in rad if circular, (time,) codes if discrete; NaN, or
                -1 for codes, where it is missing. And True where tracking was lost, shape (time,).
        """

    def trials(self, grid: Grid) -> np.ndarray | None:
        """Return the trial of each bin, -1 outside of all, shape (time,).

        It is None for a label that has no trials.
        """
        return None

    @property
    def borders(self) -> np.ndarray:
        """The times in s at which a trial of the label starts or stops.

        A change of the label there is no movement.
        """
        return np.empty(0)

    @property
    @abstractmethod
    def times(self) -> np.ndarray:
        """All times in s on which the label rests."""

    @property
    def period(self) -> float | None:
        """The typical step between samples in s; None for a label without samples."""
        return None


def check_varies(label: Label, values: np.ndarray) -> None:
    """Raise a refusal if the values of a label are all the same.

    Args:
        label: The label, for the message.
        values: Its values, shape (sample, column).
    """
    if np.all(values == values[:1]):
        raise Refusal(
            Code.LABEL_CONSTANT, f"label {label.name} ({label.source}) is constant", "name another series in labels"
        )


def check_axes_vary(label: Label, values: np.ndarray) -> None:
    """Raise a refusal if any column of a label is constant in the bins in use.

    Args:
        label: The label, for the message.
        values: Its values in the bins in use, shape (bin, column).
    """
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
    """Raise a usage error if a discrete label has too many classes."""
    if len(classes) > MOST_CLASSES:
        raise UsageError(
            f"labels.{label.name}: {label.source} has {len(classes)} different values, too many classes",
            "set kind: continuous or name another source",
        )


def encoded(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the class code of each value, and the sorted classes.

    NaN, empty texts and texts such as "N/A" have the code -1. Blanks around a text do not count.

    >>> codes, classes = encoded(np.array(["right", "left ", "", "left"], dtype=object))
    >>> codes.tolist(), classes
    ([1, 0, -1, 0], ('left', 'right'))
    """
    if values.dtype.kind in "OSU":
        texts = np.array([plain_text(text(value)) for value in values], dtype=object)
        present = ~missing(texts.tolist())
    else:
        texts, present = values, np.isfinite(values.astype(np.float64))
    unique, inverse = np.unique(texts[present], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[present] = inverse
    return codes, tuple(_class_name(value) for value in unique)


def kind_of_values(values: np.ndarray) -> Kind:
    """Return the kind of a label of one column from its values.

    Texts, truth values and up to eight different whole numbers are discrete. So are whole numbers that are stored as
    floats, if they come back, or last for three samples on average. All else is continuous.

    >>> kind_of_values(np.array([0.0, 1.0, 0.0, np.nan])), kind_of_values(np.array([0.1, 0.2, 0.1]))
    ('discrete', 'continuous')
    """
    if values.dtype.kind not in "iuf":
        return "discrete"
    finite = values[np.isfinite(values)]
    different = np.unique(finite)
    runs = 1 + int(np.sum(finite[1:] != finite[:-1]))
    recur = values.dtype.kind in "iu" or runs > len(different) or len(finite) >= 3 * len(different)
    whole = bool(np.all(different == np.round(different)))
    return "discrete" if whole and recur and len(different) <= FEW_CLASSES else "continuous"


def named(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return class codes 0, 1, ... replaced by their names.

    The codes stay if there are no names, or not for every code.

    >>> named(np.array([0, 1, 1]), ["left", "right"]).tolist()
    ['left', 'right', 'right']
    """
    if not names or values.dtype.kind not in "iu" or not len(values) or values.min() < 0 or values.max() >= len(names):
        return values
    return np.asarray(names, dtype=object)[values]


def empty(label: Label) -> Refusal:
    """Return the refusal of a label that has no value."""
    what = f"label {label.name} ({label.source}) holds nothing but NaN"
    return Refusal(Code.LABEL_EMPTY, what, "name another series in labels")


def _class_name(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float | np.floating) else text(value)[:MOST_LABEL]
