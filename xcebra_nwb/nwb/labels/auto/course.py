"""Compare labels over time: where each has a value, and how well one predicts another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.nwb.bins.grid import DEFAULT_WIDTH, Grid, Range
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.reading.times import outliers

MOST_BINS = 200_000
CELLS = (50, 20)  # along a single column, along each of two
FEWEST_IN_CELL = 5  # bins, on average
FEWEST = 50  # bins in which both labels have a value


@dataclass(frozen=True)
class Course:
    """The values of a label in bins.

    Attributes:
        values: Numbers, cosine and sine of a direction, or one column a class, shape (time, column).
        present: True where the label has a value, shape (time,).
        discrete: Whether the columns are classes.
        width: Width of a bin in s.
    """

    values: np.ndarray
    present: np.ndarray
    discrete: bool
    width: float

    @property
    def seconds(self) -> float:
        """The time in which the label has a value in s."""
        return float(self.present.sum() * self.width)


def grid_over(ranges: list[Range]) -> Grid:
    """Return bins over all ranges of time, no more than 200,000."""
    start, stop = min(first for first, _ in ranges), max(last for _, last in ranges)
    width = max(DEFAULT_WIDTH, (stop - start) / MOST_BINS)
    return Grid(start, width, max(1, int((stop - start) / width)))


def trusted_range(label: Label) -> Range:
    """Return the start and stop of a label in s, without absurd times."""
    far = outliers(label.times)
    kept = label.times[np.isfinite(label.times) & ~np.isin(label.times, far)]
    return (float(kept.min()), float(kept.max())) if len(far) else label.range


def course(label: Label, grid: Grid) -> Course:
    """Return the values of a label in bins.

    Args:
        label: The label.
        grid: The bins.

    Raises:
        Refusal: The label never moves, or nothing can be derived from it.
    """
    time = Time()
    longest = max(time.max_gap, 1.01 * (label.period or 0.0))  # a label that is sampled slowly is judged as well
    binned, lost = label.binned(grid, time.model_copy(update={"max_gap": longest}))
    if label.kind == "discrete":
        present = (binned >= 0) & ~lost
        values = np.zeros((grid.count, len(label.classes)), dtype=np.float32)
        values[np.flatnonzero(present), binned[present].astype(int)] = 1
        return Course(values, present, discrete=True, width=grid.width)
    values = np.stack([np.cos(binned), np.sin(binned)], axis=1) if label.kind == "circular" else binned
    values = values.reshape(grid.count, -1)
    present = np.isfinite(values).all(axis=1) & ~lost
    return Course(values, present, discrete=False, width=grid.width)


def predictability(target: Course, source: Course) -> float:
    """Return how well one label predicts another in the bins that both share, 0 to 1.

    It is the share of the variance that the other label explains, over all columns (R²), by a linear regression or by
    the means in cells of its values. Of two discrete labels, it is the share of the entropy that the other label takes
    away (Theil's U).

    Args:
        target: The label to predict.
        source: The label that predicts.

    >>> here = np.ones(100, dtype=bool)
    >>> ramp = Course(np.arange(100.0)[:, None], here, False, 0.05)
    >>> round(predictability(ramp, Course(2 * ramp.values + 1, here, False, 0.05)), 3)
    1.0
    """
    shared = target.present & source.present
    if shared.sum() < FEWEST:
        return 0.0
    wanted, given = target.values[shared].astype(np.float64), source.values[shared].astype(np.float64)
    if target.discrete and source.discrete:
        return _uncertainty(wanted.argmax(axis=1), given.argmax(axis=1))
    wanted = wanted - wanted.mean(axis=0)
    total = float(np.sum(wanted**2))
    if total == 0:
        return 1.0
    features = np.column_stack([given, np.ones(len(given))])
    left = wanted - features @ np.linalg.lstsq(features, wanted, rcond=None)[0]
    linear = 1.0 - float(np.sum(left**2)) / total
    return max(0.0, linear, _by_cells(wanted, given, total) if not source.discrete else 0.0)


def _by_cells(target: np.ndarray, source: np.ndarray, total: float) -> float:
    """Return the share of the variance that the mean of each cell of the source explains, corrected for their number.

    Cells divide up to two columns of the source, so that a path that is bent also predicts the way along it.
    """
    if source.shape[1] > len(CELLS):
        return 0.0
    cells = np.zeros(len(source), dtype=np.int64)
    for values in source.T:
        number = CELLS[source.shape[1] - 1]
        along = number * (values - values.min()) / max(np.ptp(values), 1e-300)
        cells = number * cells + np.minimum(along.astype(np.int64), number - 1)
    _, cell, members = np.unique(cells, return_inverse=True, return_counts=True)
    if len(members) >= len(source) / FEWEST_IN_CELL:
        return 0.0
    means = np.stack([np.bincount(cell, weights=column) for column in target.T], axis=1) / members[:, None]
    explained = 1.0 - float(np.sum((target - means[cell]) ** 2)) / total
    return 1.0 - (1.0 - explained) * (len(source) - 1) / (len(source) - len(members))


def _uncertainty(target: np.ndarray, source: np.ndarray) -> float:
    """Return the share of the entropy of ``target`` that ``source`` takes away."""
    from sklearn.metrics import mutual_info_score  # imported here because it takes half a second

    shares = np.bincount(target) / len(target)
    entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    return float(mutual_info_score(target, source)) / entropy if entropy else 1.0
