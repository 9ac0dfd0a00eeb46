"""Test maps against nulls: the share of a unit in a label's map against its share in the maps of null labels.

Much of a raw map is firing rate and noise structure, which is the same for every label and for nulls. The overall size
of the inverse falls as a label is encoded better. So every map is scaled to unit norm over units. Its logarithm is
centred on the middle half of the units and compared, unit by unit, with the logarithms of the null maps.

The test corrects for three differences (statistics.md, "z, p and q"). Seeds are averaged, while a null is a single
encoder. The encoders of an encoded label vary less than the encoders of a null label. The share of a unit without
information changes when other units carry the label.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.attribution.comparison import known_nulls
from xcebra_nwb.attribution.moderated_variance import half_interval, moderated

Floats = NDArray[np.float64]
LEAST_NULLS = 3
TOO_FEW = f"fewer than {LEAST_NULLS} nulls: the spread of a unit's null cannot be known"
SMALLEST_SHARE = 1e-6  # of a map's norm; smaller shares are rounding errors
MIDDLE = 0.25  # share of the units left out at each end, which leaves the middle half
LEAST_BULK = 10  # fewest distinct scores for an estimate of the bulk


class NullTest(NamedTuple):
    """The test of every label and unit, (label, unit); NaN without a map or nulls."""

    z: Floats
    z_low: Floats  # 95 % interval over seeds
    z_high: Floats
    p_value: Floats
    q_value: Floats


def unit_norm(maps: Floats) -> Floats:
    """Return ``maps`` (..., unit) scaled to unit norm over the units with a value.

    A map of zeros becomes NaN.

    >>> unit_norm(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [nan, nan]]
    """
    norm = np.sqrt(np.nansum(maps**2, axis=-1, keepdims=True))
    return np.divide(maps, norm, out=np.full_like(maps, np.nan), where=norm > 0)


def score_maps(seeds: Floats, nulls: Floats) -> NullTest:
    """Return z, p and q of the maps of seeds against the maps of nulls.

    z compares the mean over seeds with the nulls of the same unit. p is the rank of a unit's z among the z of all nulls
    and units of the label, where every null is scored against the other nulls. q controls the false discovery rate
    over the units of a label (Benjamini and Hochberg 1995).

    Args:
        seeds: maps of the seeds, shape (seed, label, unit).
        nulls: maps of the nulls of each label, shape (null, label, unit); NaN where a label has fewer nulls.
    """
    tested = [_score_label(seeds[:, label], known_nulls(nulls[:, label])) for label in range(seeds.shape[1])]
    return NullTest(*(np.stack(values) for values in zip(*tested, strict=True)))


def _score_label(seeds: Floats, nulls: Floats) -> NullTest:
    """Return the test (unit,) of a label's maps ``seeds`` (seed, unit) against ``nulls`` (null, unit)."""
    if len(nulls) < LEAST_NULLS:
        return NullTest(*np.full((5, seeds.shape[1]), np.nan))
    true, null = log_share(seeds), log_share(nulls)
    z, error = null_score(true, null)
    each = np.stack([null_score(null[n : n + 1], np.delete(null, n, axis=0)).z for n in range(len(null))])
    half, p_value = half_interval(true) / error, rank_p_value(z, each.ravel())
    return NullTest(z, z - half, z + half, p_value, false_discovery_rate(p_value))


def log_share(maps: Floats) -> Floats:
    """Return the logarithm of maps at unit norm, centred on the middle units.

    Args:
        maps: maps, shape (..., unit).

    Returns:
        Logarithms minus their mean over the middle half of the units, same shape.

    >>> log_share(np.array([1.0, 1.0, 1.0, np.e])).round(6).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    # At unit norm, a label that half of the units carry gives each of them a share hardly above that of a null. The
    # units in the middle are a stable reference.
    logarithm = np.log(np.maximum(unit_norm(maps), SMALLEST_SHARE))
    known = np.where(np.isnan(logarithm).all(axis=-1, keepdims=True), 0.0, logarithm)
    return logarithm - np.apply_along_axis(_middle_mean, -1, known)[..., None]


def _middle_mean(values: Floats) -> float:
    """Return the mean of the middle half of ``values`` (unit,), without NaN."""
    # scipy.stats.trim_mean leaves NaN out only from version 1.17 on.
    known = values[~np.isnan(values)]
    cut = int(MIDDLE * len(known))
    ordered = np.partition(known, (cut, len(known) - cut - 1))
    return float(ordered[cut : len(known) - cut].mean())


class NullScore(NamedTuple):
    """The z of every unit (unit,), and the error (unit,) by which it was divided."""

    z: Floats
    error: Floats


def null_score(values: Floats, null: Floats) -> NullScore:
    """Return the z score of encoders against nulls, unit by unit.

    z is the difference between the mean of ``values`` and the mean of ``null``, divided by its standard error, minus
    the centre of the bulk of the units. The squared error is the variance over encoders divided by their number, plus
    the variance over nulls divided by theirs. A single encoder is assumed to vary like a null.

    If the bulk of the units is spread more widely than this error explains, the error is inflated. The inflation is
    limited to the amount by which the variance over nulls exceeds the variance over encoders.

    Args:
        values: logarithms of shares of the encoders, shape (encoder, unit).
        null: logarithms of shares of the nulls, shape (null, unit).

    Returns:
        z and the inflated standard error, both of shape (unit,).

    >>> null = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.2]])
    >>> null_score(np.array([[1.0, 0.1]]), null).z.round(2).tolist()
    [2.92, -2.92]
    """
    between = moderated(null.var(axis=0, ddof=1), len(null) - 1).variance
    within = moderated(values.var(axis=0, ddof=1), len(values) - 1).variance if len(values) > 1 else between
    variance = within / len(values) + between / len(null)
    raw = (values.mean(axis=0) - null.mean(axis=0)) / np.sqrt(variance)
    known = np.isfinite(raw)
    if not known.any():
        return NullScore(raw, np.sqrt(variance))
    centre, spread = bulk(raw[known])
    # The recording, or the units that carry the label, can move all other units; then the bulk is spread more widely.
    excess = max(0.0, float(np.mean((between - within)[known]) / np.mean(variance[known])))
    inflation = np.sqrt(1 + min(excess, max(0.0, spread - 1)))
    return NullScore((raw - centre) / inflation, np.sqrt(variance) * inflation)


def bulk(scores: Floats) -> tuple[float, float]:
    """Return the centre and the variance of the bulk of ``scores`` (unit,).

    The reweighted minimum covariance determinant (Rousseeuw and Van Driessen 1999, Technometrics 41:212), which
    tolerates outliers in nearly half of the units. For fewer than ten distinct scores, the median and 0.

    >>> bulk(np.array([0.0, 1.0, 5.0]))
    (1.0, 0.0)
    """
    if len(np.unique(scores)) < LEAST_BULK:
        return float(np.median(scores)), 0.0
    from sklearn.covariance import MinCovDet  # slow to import, and reports do not need it

    fitted = MinCovDet().fit(scores[:, None])
    return float(fitted.location_[0]), float(fitted.covariance_[0, 0])


def smallest_p(nulls: int) -> float:
    """Return the smallest p that a score can have among ``nulls`` null scores.

    >>> smallest_p(19)
    0.05
    """
    return 1 / (1 + nulls)


def rank_p_value(scores: Floats, null_scores: Floats) -> Floats:
    """Return the p-value of each score: its rank among the null scores.

    It is the share of null scores that are at least as large, where the score itself is counted as one of them.

    >>> rank_p_value(np.array([2.5, 0.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 1.0]
    """
    ordered = np.sort(null_scores[np.isfinite(null_scores)])
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.where(np.isfinite(scores), (1 + above) / (1 + len(ordered)), np.nan)


def false_discovery_rate(p_value: Floats) -> Floats:
    """Return q of every unit (unit,) by the method of Benjamini and Hochberg (1995); NaN where p is NaN.

    >>> false_discovery_rate(np.array([0.01, np.nan, 0.02])).round(3).tolist()
    [0.02, nan, 0.02]
    """
    from scipy.stats import false_discovery_control  # imported late: it takes a second, and pages do without

    q_value = np.full_like(p_value, np.nan)
    known = np.isfinite(p_value)
    if known.any():
        q_value[known] = false_discovery_control(p_value[known], method="bh")
    return q_value
