"""The null-corrected map: every unit's share of a label against its own share when that label is broken.

Much of a raw map is firing rate and noise structure, the same for every label and for nulls, and the inverse's overall
size falls as a label is encoded better. So every map is brought to unit norm over units, and its logarithm, from the
median unit's, is compared unit by unit with those of the nulls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import false_discovery_control

Floats = NDArray[np.float64]
LEAST_NULLS = 3
TOO_FEW = f"fewer than {LEAST_NULLS} nulls: the spread of a unit's null cannot be known"
SMALLEST_SHARE = 1e-6  # of a map's norm; below it a unit's share is rounding, and its logarithm says nothing


class NullTest(NamedTuple):
    """Shapes (label, unit); NaN where a unit's map or null cannot be known."""

    z: Floats
    p_value: Floats
    q_value: Floats


def unit_norm(maps: Floats) -> Floats:
    """Return ``maps`` (..., unit) at unit norm over the units that are known; a map of zeros becomes NaN."""
    norm = np.sqrt(np.nansum(maps**2, axis=-1, keepdims=True))
    return np.divide(maps, norm, out=np.full_like(maps, np.nan), where=norm > 0)


def score_maps(seeds: Floats, nulls: Floats) -> NullTest:
    """Return z, p and q of the maps ``seeds`` (seed, label, unit) against ``nulls`` (null, label, unit).

    A null's map of a label is NaN where the label has fewer nulls than others. z compares the mean over seeds with the
    nulls of the same unit. p is the rank of a unit's z among the z of all nulls and units of the label, every null
    scored against the others; q controls the false discovery rate over the units of a label (Benjamini and Hochberg
    1995).
    """
    tested = [_score_label(seeds[:, label], known_nulls(nulls[:, label])) for label in range(seeds.shape[1])]
    return NullTest(*(np.stack(values) for values in zip(*tested, strict=True)))


def known_nulls(maps: Floats) -> Floats:
    """Return the rows of ``maps`` (null, unit) that are the map of a null, and not padding."""
    return maps[np.isfinite(maps).any(axis=1)]


def _score_label(seeds: Floats, nulls: Floats) -> NullTest:
    """z, p and q (unit,) of one label's maps ``seeds`` (seed, unit) against ``nulls`` (null, unit)."""
    nothing = np.full(seeds.shape[1], np.nan)
    if len(nulls) < LEAST_NULLS:
        return NullTest(nothing, nothing.copy(), nothing.copy())
    true, null = log_share(unit_norm(seeds).mean(axis=0)), log_share(nulls)
    z = null_score(true, null)
    each = np.stack([null_score(null[n], np.delete(null, n, axis=0)) for n in range(len(null))])
    p_value = rank_p_value(z, each.ravel())
    return NullTest(z, p_value, _false_discovery_rate(p_value))


def log_share(maps: Floats) -> Floats:
    """Return the logarithm of ``maps`` (..., unit) at unit norm, less its median over units.

    At unit norm alone a label that half of the units carry leaves each of them a share hardly above that of a null; the
    median unit stays where it is, whatever the others do.
    """
    logarithm = np.log(np.maximum(unit_norm(maps), SMALLEST_SHARE))
    known = np.where(np.isnan(logarithm).all(axis=-1, keepdims=True), 0.0, logarithm)
    return logarithm - np.nanmedian(known, axis=-1, keepdims=True)


def null_score(values: Floats, null: Floats) -> Floats:
    """Return how many standard deviations of ``null`` (null, unit) ``values`` (unit,) lie above its mean.

    A variance of a few nulls is itself uncertain, so each unit's is moderated by those of all units.
    """
    variance = moderated_variance(null.var(axis=0, ddof=1), len(null) - 1)
    return (values - null.mean(axis=0)) / np.sqrt(variance)


def moderated_variance(variance: Floats, freedom: int) -> Floats:
    """Return variances (unit,), known with ``freedom`` degrees of freedom, drawn towards their common value.

    Empirical Bayes with a scaled inverse chi-squared prior fitted to all units (Smyth 2004, Statistical Applications
    in Genetics and Molecular Biology 3:1, section 6.2). A variance of zero stays unknown: NaN.
    """
    known = variance > 0
    result = np.full_like(variance, np.nan)
    if not known.any():
        return result
    scores = np.log(variance[known]) - digamma(freedom / 2) + np.log(freedom / 2)
    spread = scores.var(ddof=1) - polygamma(1, freedom / 2) if known.sum() > 1 else 0.0
    if spread <= 0:
        result[known] = np.exp(scores.mean())
        return result
    prior_freedom = 2 * _inverse_trigamma(spread)
    prior = np.exp(scores.mean() + digamma(prior_freedom / 2) - np.log(prior_freedom / 2))
    result[known] = (prior_freedom * prior + freedom * variance[known]) / (prior_freedom + freedom)
    return result


def _inverse_trigamma(value: float) -> float:
    return float(brentq(lambda x: polygamma(1, x) - value, 1e-6, 1e8))


def rank_p_value(scores: Floats, null_scores: Floats) -> Floats:
    """Return for each of ``scores`` the share of ``null_scores`` at least as large, itself counted among them."""
    ordered = np.sort(null_scores[np.isfinite(null_scores)])
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.where(np.isfinite(scores), (1 + above) / (1 + len(ordered)), np.nan)


def _false_discovery_rate(p_value: Floats) -> Floats:
    q_value = np.full_like(p_value, np.nan)
    known = np.isfinite(p_value)
    if known.any():
        q_value[known] = false_discovery_control(p_value[known], method="bh")
    return q_value
