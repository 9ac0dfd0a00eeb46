"""Moderate the variances of units, and compute the confidence interval of a mean over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


class Moderated(NamedTuple):
    """Moderated variances (unit,), NaN where unknown, and their degrees of freedom."""

    variance: Floats
    freedom: float


def moderated(variance: Floats, freedom: int) -> Moderated:
    """Return the variances of units, shrunk towards their common value.

    Empirical Bayes with a scaled inverse chi-squared prior fitted to all units (Smyth 2004, Statistical Applications
    in Genetics and Molecular Biology 3:1, section 6.2).

    Args:
        variance: sample variances, shape (unit,).
        freedom: degrees of freedom of each sample variance.

    Returns:
        Moderated variances, NaN where the sample variance is 0, and their degrees of freedom (infinite if the sample
        variances differ by no more than chance, so that all units share one variance).

    >>> result = moderated(np.array([0.1, 1.0, 20.0, 0.0]), 4)
    >>> result.variance.round(2).tolist(), round(result.freedom, 2)
    ([0.15, 0.89, 16.53, nan], 4.86)
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
    """Return half the width of the 95 % interval of the mean over seeds.

    Student's t on the moderated variance. The interval covers other seeds on the same recording, not other recordings.

    Args:
        seeds: values of every seed, shape (seed, unit).

    Returns:
        Half widths, shape (unit,); NaN for a single seed.

    >>> half_interval(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])).round(2).tolist()
    [2.14, 2.14]
    """
    from scipy.stats import t  # imported late: it takes a second, and pages do without

    if len(seeds) < 2:
        return np.full(seeds.shape[1], np.nan)
    variance, freedom = moderated(seeds.var(axis=0, ddof=1), len(seeds) - 1)
    width: Floats = t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance / len(seeds))
    return width
