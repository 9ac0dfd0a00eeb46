"""Test what a label tells about each unit, beyond the other labels: held-out prediction against shuffled labels.

Activity in each fold is predicted from the label in the other folds. The statistic is the covariance of the prediction
with the activity beyond the expected, summed over folds. It is computed at several widths and priors, for the label
alone and together with each other label; each is scaled by its own spread over the shuffled labels, and the largest
counts (Westfall and Young 1993, Resampling-Based Multiple Testing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from xcebra_nwb.attribution.expected_activity import Sums, changes, sum_columns, sums_of
from xcebra_nwb.attribution.label_cells import Cells, cell_sums
from xcebra_nwb.attribution.moderated_variance import CONFIDENCE
from xcebra_nwb.attribution.observed_activity import BLOCKS_A_FOLD, FOLDS, Observed
from xcebra_nwb.core.carriers import DECIDED, FIRST_DRAWS, LEVEL, MOST_DRAWS, SOME_DRAWS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FINENESS = 1.2  # times more draws than a unit needs to reach LEVEL after the correction for all units
COLUMNS_AT_ONCE = 128  # of all orders


@dataclass(frozen=True, eq=False)
class Model:
    """A way to read a label: cells of the label, and of another label that it is read together with."""

    cells: Cells
    other: Cells | None = None

    def cell(self, orders: Sequence[Integers | None]) -> Integers:
        """Return the cell of every sample when the label is read in other orders, (sample, order)."""
        cell = np.stack([self.cells.ordered(order) for order in orders], axis=1)
        return cell if self.other is None else cell * self.other.count + self.other.of_sample[:, None]

    @property
    def count(self) -> int:
        """The number of cells."""
        return self.cells.count * (1 if self.other is None else self.other.count)

    @property
    def smoothers(self) -> list[tuple[Floats, ...]]:
        """The smoothers of the cells."""
        if self.other is None:
            return [(smoother,) for smoother in self.cells.smoothers]
        return list(zip(self.cells.smoothers, self.other.smoothers, strict=True))


class Information(NamedTuple):
    """What a label tells about each unit, in nats or explained half squares, with its interval, (unit,)."""

    gain: Floats
    half_interval: Floats


class LabelTest:
    """The statistics of one label and a range of units."""

    def __init__(self, observed: Observed, expected: Floats, models: Sequence[Model]) -> None:
        """Prepare the sums.

        Args:
            observed: activity of the units.
            expected: activity that is expected without the label, shape (sample, unit).
            models: ways to read the label.
        """
        self._observed, self._models = observed, models
        self._columns = sum_columns(observed, expected)
        self._fold = observed.fold

    def only(self, units: Integers) -> LabelTest:
        """Return the test of some of the units, by index."""
        test = object.__new__(LabelTest)
        test.__dict__ |= self.__dict__
        count = self._observed.activity.shape[1]
        exposures = count + units if self._observed.counts else np.array([count])
        test._columns = np.ascontiguousarray(self._columns[:, np.r_[units, exposures]])
        return test

    def statistics(self, orders: Iterable[Integers | None]) -> Iterator[NDArray[np.float32]]:
        """Yield the statistics of some orders, every candidate and unit, (order, candidate, unit).

        Args:
            orders: orders in which the label is read, shape (sample,) each; None as recorded.
        """
        source = iter(orders)
        # Orders of a few units are computed together, since numpy takes longer to begin than to add them up.
        while some := list(islice(source, max(1, COLUMNS_AT_ONCE // self._columns.shape[1]))):
            yield self._statistics(some)

    def _statistics(self, orders: Sequence[Integers | None]) -> NDArray[np.float32]:
        rows: list[NDArray[np.float32]] = []
        for model in self._models:
            sums = self._sums(model.cell(orders), model, self._fold, FOLDS)
            training = sums.elsewhere()
            for smoother in model.smoothers:
                narrow = [axis.astype(np.float32) for axis in smoother]
                rows += [(change * sums.excess).sum(axis=(0, 1)) for change in changes(training, narrow)]
        return np.stack(rows, axis=1)

    def information(self) -> Information:
        """Return the held-out gain in log likelihood from the label as recorded.

        The candidate of each unit and fold is the one that predicts best in the other folds. The interval is Student's
        t over the blocks of the recording.
        """
        gains: list[Floats] = []
        for model in self._models:
            sums = self._sums(model.cell([None])[:, 0], model, self._observed.block, FOLDS * BLOCKS_A_FOLD)
            training = sums.folds().elsewhere()
            for smoother in model.smoothers:
                gains += [sums.gain(np.repeat(c, BLOCKS_A_FOLD, axis=0)) for c in changes(training, smoother)]
        each = np.stack(gains)  # (candidate, block, unit)
        folds = each.reshape(len(each), FOLDS, BLOCKS_A_FOLD, -1)
        best = best_elsewhere(folds.sum(axis=2))
        chosen = np.take_along_axis(folds, best[None, :, None], axis=0)[0].reshape(FOLDS * BLOCKS_A_FOLD, -1)
        half = stdtrit(len(chosen) - 1, 0.5 + CONFIDENCE / 2) * chosen.std(axis=0, ddof=1) * np.sqrt(len(chosen))
        return Information(chosen.sum(axis=0), half)

    def _sums(self, cell: Integers, model: Model, part: Integers, parts: int) -> Sums:
        return sums_of(cell_sums(cell, model.count, part, parts, self._columns), self._observed.counts)


def best_elsewhere(gains: Floats) -> NDArray[np.int64]:
    """Return for every fold the candidate with the largest gain in the other folds, (fold, unit).

    Args:
        gains: shape (candidate, fold, unit).

    >>> best_elsewhere(np.array([[[0.0], [0.0], [0.0]], [[9.0], [-1.0], [-1.0]]])).ravel().tolist()
    [0, 1, 1]
    """
    return (gains.sum(axis=1, keepdims=True) - gains).argmax(axis=0)


class Tested(NamedTuple):
    """The p-value of each unit, and the number of shuffled labels that it was compared with, (unit,)."""

    p_value: Floats
    draws: Integers


def test_units(test: LabelTest, orders: Iterable[Integers], units: int, tested: int) -> Tested:
    """Return the p-value of each unit: the rank of its statistic among those of shuffled labels.

    All units are compared with ``SOME_DRAWS`` shuffled labels. Those that few of the shuffled labels beat are compared
    with ``FIRST_DRAWS``, and with more, until the units that none of them beats can pass the correction for all units.

    Args:
        test: statistics of the units.
        orders: orders of shuffled labels, as many as there are.
        units: number of units in ``test``.
        tested: number of units that the correction is made for.
    """
    source, goal, part = iter(orders), SOME_DRAWS, test
    drawn = next(test.statistics([None]))
    left, p_value, draws = np.arange(units), np.ones(units), np.zeros(units, dtype=int)
    while len(left) and (more := list(part.statistics(islice(source, max(0, goal + 1 - len(drawn)))))):
        drawn = np.concatenate([drawn, *more])
        above, p_value[left] = _ranks(drawn)
        draws[left] = len(drawn) - 1
        goal = FIRST_DRAWS if goal < FIRST_DRAWS else draws_needed(tested, int((above == 0).sum()))
        undecided = above < DECIDED
        left, drawn = left[undecided], drawn[:, :, undecided]
        part = test.only(left)
    return Tested(p_value, draws)


def draws_needed(tested: int, outstanding: int) -> int:
    """Return the number of draws after which ``outstanding`` units of ``tested`` can have q <= LEVEL.

    >>> draws_needed(50, 50), draws_needed(50, 1), draws_needed(1000, 1)
    (24, 1200, 10000)
    """
    return min(MOST_DRAWS, int(np.ceil(FINENESS * tested / (LEVEL * max(1, outstanding)))))


def _ranks(drawn: NDArray[np.float32]) -> tuple[Integers, Floats]:
    """Return how many shuffled labels are at least as good as the recorded one, and the p-value, (unit,).

    Args:
        drawn: statistics, shape (draw, candidate, unit); the first draw is the label as recorded.
    """
    spread = drawn.std(axis=0)
    scaled = np.divide(drawn - drawn.mean(axis=0), spread, out=np.zeros_like(drawn), where=spread > 0)
    score = scaled.max(axis=1)  # (draw, unit)
    above = (score[1:] >= score[0]).sum(axis=0)
    return above, (1 + above) / len(score)
