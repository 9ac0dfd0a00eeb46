"""The activity that is expected without a label: from the other labels and from the slow drift of each unit.

Counts are a product of factors, one for every other label, one for all of them together, and one for the drift. Rates
and fluorescence are a sum of such terms. Terms are fitted in turn, a few times (backfitting; Hastie and Tibshirani
1990, Generalized Additive Models). The smoothness of a term is chosen by held-out prediction, and the term is then
fitted to the whole recording. So what is left sums to nearly 0 in every cell of the other labels, also where an animal
rests once at a place of its own: predictions from other folds would miss that place, and leave a label that tells of
rests, such as speed, to explain the error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.attribution.label_cells import Cells, cell_sums, smoothed
from xcebra_nwb.attribution.observed_activity import BLOCKS_A_FOLD, FOLDS, Observed

Floats = NDArray[np.float64]
PRIORS = (3.0, 30.0, 300.0)  # weights of the expectation, in expected spikes, or in samples of rates
DRIFT = 1 / 12  # standard deviation of the Gaussian that follows the drift, as a share of the recording
COSINES = math.ceil(math.sqrt(-2 * math.log(np.finfo(float).eps)) / (math.pi * DRIFT))  # the others are below rounding
ROUNDS = 3
LEAST_EXPECTED = 1e-6  # spikes in a sample


@dataclass(frozen=True, eq=False)
class Sums:
    """What a curve is estimated from, in every part of the recording and cell, (part, cell, unit).

    If the label is read in several orders, (part, cell, order, unit).

    ``excess`` is the activity beyond the expected, ``exposure`` the expected count, or the weight of samples of rates.
    """

    excess: NDArray[Any]
    exposure: NDArray[Any]
    counts: bool

    def elsewhere(self) -> Sums:
        """Return the sums over all other parts."""
        excess, exposure = (values.sum(axis=0) - values for values in (self.excess, self.exposure))
        return Sums(excess, exposure, self.counts)

    def together(self) -> Sums:
        """Return the sums over all parts, as one part."""
        excess, exposure = (values.sum(axis=0, keepdims=True) for values in (self.excess, self.exposure))
        return Sums(excess, exposure, self.counts)

    def folds(self) -> Sums:
        """Return the sums of folds from the sums of their blocks."""
        cells = self.excess.shape[1]
        excess, exposure = (
            values.reshape(FOLDS, BLOCKS_A_FOLD, cells, -1).sum(axis=1) for values in (self.excess, self.exposure)
        )
        return Sums(excess, exposure, self.counts)

    def gain(self, change: Floats) -> Floats:
        """Return the gain in log likelihood, (part, unit), when activity is expected to change by ``change``.

        In nats for counts (Poisson); half the squared error that is explained for standardised rates.

        Args:
            change: (part, cell, unit), as a share of the expected counts, or in standard deviations of rates.
        """
        if self.counts:
            observed = self.excess + self.exposure
            return (observed * np.log1p(change) - self.exposure * change).sum(axis=1)
        return (change * self.excess - 0.5 * self.exposure * np.square(change)).sum(axis=1)


def summed(observed: Observed, expected: Floats, cell: NDArray[np.int64], count: int) -> Sums:
    """Return the sums in the blocks of the recording.

    Args:
        observed: activity of the units.
        expected: expected activity, shape (sample, unit).
        cell: cell of every sample, shape (sample,).
        count: number of cells.
    """
    sums = cell_sums(cell, count, observed.block, FOLDS * BLOCKS_A_FOLD, sum_columns(observed, expected))
    return sums_of(sums.astype(np.float64), observed.counts)


def sum_columns(observed: Observed, expected: Floats) -> NDArray[np.float32]:
    """Return the columns whose sums make :class:`Sums`: the excess of every unit, then the exposures."""
    if observed.counts:
        return np.hstack([observed.activity - expected, expected]).astype(np.float32)
    weight = observed.weight[:, None]
    return np.hstack([weight * (observed.activity - expected), weight]).astype(np.float32)


def sums_of(columns: NDArray[Any], counts: bool) -> Sums:
    """Return sums (part, cell, ..., column) of :func:`sum_columns` as :class:`Sums`."""
    if counts:
        units = columns.shape[-1] // 2
        return Sums(columns[..., :units], columns[..., units:], counts)
    return Sums(columns[..., :-1], columns[..., -1:], counts)


def changes(training: Sums, smoother: Sequence[NDArray[Any]]) -> list[Floats]:
    """Return the estimated change of activity in every cell, one array (part, cell, ..., unit) for each prior.

    The mean of the excess in and around a cell, shrunk towards 0 by a prior weight of the expectation.

    Args:
        training: sums of the samples that the change is estimated from.
        smoother: of the cells, shape (cell, cell); two where the cells are pairs of cells.
    """
    excess, exposure = smoothed(smoother, training.excess), smoothed(smoother, training.exposure)
    return [excess / (exposure + prior) for prior in PRIORS]


def expected_activity(observed: Observed, others: Sequence[Cells]) -> Floats:
    """Return the activity that is expected from the drift of each unit and from other labels, (sample, unit).

    Args:
        observed: activity of the units.
        others: cells of every other label, and of all of them together.
    """
    terms = [_constant(observed), *(_no_term(observed) for _ in others), _no_term(observed)]
    for _ in range(ROUNDS if others else 1):
        for number, cells in enumerate(others, start=1):
            terms[number] = _label_term(observed, _joined(terms[:number] + terms[number + 1 :], observed), cells)
        terms[-1] = _drift_term(observed, _joined(terms[:-1], observed))
    return _joined(terms, observed)


def _constant(observed: Observed) -> Floats:
    """Return the mean activity as a term, (sample, unit)."""
    weight = observed.weight[:, None]
    if observed.counts:
        return weight * observed.activity.sum(axis=0) / weight.sum()
    return np.zeros_like(observed.activity)


def _no_term(observed: Observed) -> Floats:
    return np.ones((1, 1)) if observed.counts else np.zeros((1, 1))


def _joined(terms: Sequence[Floats], observed: Observed) -> Floats:
    """Return the product of the terms of counts, or the sum of those of rates."""
    joined = terms[0]
    for term in terms[1:]:
        joined = joined * term if observed.counts else joined + term
    return np.maximum(joined, LEAST_EXPECTED) if observed.counts else joined


def _label_term(observed: Observed, expected: Floats, cells: Cells) -> Floats:
    """Return the term of a label, (sample, unit): what it adds to ``expected``.

    The smoother and the prior of each unit are those that predict best in held-out folds; the term is 0 if none helps.
    """
    folds = summed(observed, expected, cells.of_sample, cells.count).folds()
    held_out, whole = [np.zeros_like(folds.excess)], [np.zeros_like(folds.excess[:1])]
    for smoother in cells.smoothers:
        held_out += changes(folds.elsewhere(), (smoother,))
        whole += changes(folds.together(), (smoother,))
    best = np.stack([folds.gain(change).sum(axis=0) for change in held_out]).argmax(axis=0)  # (unit,)
    change = np.take_along_axis(np.stack(whole), best[None, None, None], axis=0)[0, 0, cells.of_sample]
    return 1 + change if observed.counts else change


def _drift_term(observed: Observed, expected: Floats) -> Floats:
    """Return the term of slow drift, (sample, unit): activity against ``expected``, both smoothed."""
    weight = observed.weight[:, None]
    if observed.counts:
        return _slow(observed.activity) / np.maximum(_slow(expected), LEAST_EXPECTED)
    return _slow(weight * (observed.activity - expected)) / _slow(weight)


def _slow(values: Floats) -> Floats:
    """Return ``values`` (sample, column) smoothed by a wide Gaussian, mirrored at both ends.

    It is the product of cosine transforms. The Gaussian leaves nothing of all but a few slow cosines.
    """
    frequency, count = np.arange(min(COSINES, len(values))), len(values)
    cosines = np.cos(np.outer((np.arange(count) + 0.5) / count, np.pi * frequency))
    kept = np.exp(-0.5 * np.square(np.pi * frequency * DRIFT)) * np.where(frequency > 0, 2, 1) / count
    smoothed: Floats = cosines @ (kept[:, None] * (cosines.T @ values))
    return smoothed
