"""Variances of few values, moderated by those of all units, and the interval of a mean over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import t

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


class Moderated(NamedTuple):
    """Variances (unit,), NaN where unknown, and the degrees of freedom of each."""

    variance: Floats
    freedom: float


def moderated(variance: Floats, freedom: int) -> Moderated:
    """Return variances (unit,) of ``freedom`` degrees of freedom, drawn towards their common value.

    Empirical Bayes with a scaled inverse chi-squared prior fitted to all units (Smyth 2004, Statistical Applications
    in Genetics and Molecular Biology 3:1, section 6.2). A variance of zero stays unknown: NaN.
    """
    known = variance > 0
    result = np.full_like(variance, np.nan)
    if not known.any():
        return Moderated(result, float(freedom))
    scores = np.log(variance[known]) - digamma(freedom / 2) + np.log(freedom / 2)
    spread = scores.var(ddof=1) - polygamma(1, freedom / 2) if known.sum() > 1 else 0.0
    if spread <= 0:
        result[known] = np.exp(scores.mean())
        return Moderated(result, np.inf)
    prior_freedom = 2 * _inverse_trigamma(spread)
    prior = np.exp(scores.mean() + digamma(prior_freedom / 2) - np.log(prior_freedom / 2))
    result[known] = (prior_freedom * prior + freedom * variance[known]) / (prior_freedom + freedom)
    return Moderated(result, prior_freedom + freedom)


def _inverse_trigamma(value: float) -> float:
    return float(brentq(lambda x: polygamma(1, x) - value, 1e-6, 1e8))


def half_interval(seeds: Floats) -> Floats:
    """Return half the width (unit,) of the 95 % interval of the mean over ``seeds`` (seed, unit).

    Student's t on the moderated variance; NaN for a single seed. The interval covers what other seeds would give on the
    same recording. It does not cover other recordings.
    """
    if len(seeds) < 2:
        return np.full(seeds.shape[1], np.nan)
    variance, freedom = moderated(seeds.var(axis=0, ddof=1), len(seeds) - 1)
    width: Floats = t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance / len(seeds))
    return width
