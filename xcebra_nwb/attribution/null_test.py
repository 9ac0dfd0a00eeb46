"""Test maps against nulls: each unit's share of a label against its share where the label is a null.

Much of a raw map is firing rate and noise structure, which is the same for every label and for nulls. The overall size
of the inverse falls as a label is encoded better. So every map is brought to unit norm over units. Its logarithm is
counted from the units in the middle and compared unit by unit with the logarithms of the null maps.

Three differences need care. Seeds are averaged, while a null is a single encoder. Encoders of an encoded label vary
less than those of a null label. Units that carry nothing still move when others carry the label. The docs
(statistics.md, "z, p and q") say how the test allows for each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from xcebra_nwb.attribution.comparison import known_nulls
from xcebra_nwb.attribution.moderated_variance import half_interval, moderated

Floats = NDArray[np.float64]
LEAST_NULLS = 3
TOO_FEW = f"fewer than {LEAST_NULLS} nulls: the spread of a unit's null cannot be known"
SMALLEST_SHARE = 1e-6  # of a map's norm; below it a unit's share is rounding, and its logarithm says nothing
MIDDLE = 0.25  # of the units are left out at either end, for the middle half
LEAST_BULK = 10  # units whose bulk can be told from the rest


class NullTest(NamedTuple):
    """The test of every label and unit, shapes (label, unit); NaN where a map or its nulls are not known."""

    z: Floats
    z_low: Floats  # 95 % interval over seeds
    z_high: Floats
    p_value: Floats
    q_value: Floats


def unit_norm(maps: Floats) -> Floats:
    """Return ``maps`` (..., unit) at unit norm over the units that are known; a map of zeros becomes NaN.

    >>> unit_norm(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [nan, nan]]
    """
    norm = np.sqrt(np.nansum(maps**2, axis=-1, keepdims=True))
    return np.divide(maps, norm, out=np.full_like(maps, np.nan), where=norm > 0)


def score_maps(seeds: Floats, nulls: Floats) -> NullTest:
    """Return z, p and q of the maps of seeds against those of nulls.

    z compares the mean over seeds with the
    nulls of the same unit. p is the rank of a unit's z among the z of all nulls and units of the label, every null
    scored against the others; q controls the false discovery rate over the units of a label (Benjamini and Hochberg
    1995).

    Args:
        seeds: maps of the seeds, shape (seed, label, unit).
        nulls: maps of the nulls of each label, shape (null, label, unit); NaN where a label has fewer nulls.
    """
    tested = [_score_label(seeds[:, label], known_nulls(nulls[:, label])) for label in range(seeds.shape[1])]
    return NullTest(*(np.stack(values) for values in zip(*tested, strict=True)))


def _score_label(seeds: Floats, nulls: Floats) -> NullTest:
    """The test (unit,) of one label's maps ``seeds`` (seed, unit) against ``nulls`` (null, unit)."""
    if len(nulls) < LEAST_NULLS:
        return NullTest(*np.full((5, seeds.shape[1]), np.nan))
    true, null = log_share(seeds), log_share(nulls)
    z, error = null_score(true, null)
    each = np.stack([null_score(null[n : n + 1], np.delete(null, n, axis=0)).z for n in range(len(null))])
    half, p_value = half_interval(true) / error, rank_p_value(z, each.ravel())
    return NullTest(z, z - half, z + half, p_value, _false_discovery_rate(p_value))


def log_share(maps: Floats) -> Floats:
    """Return the logarithm of ``maps`` (..., unit) at unit norm, less its mean over the middle half of the units.

    At unit norm alone a label that half of the units carry leaves each of them a share hardly above that of a null; the
    units in the middle stay where they are, whatever the others do.
    """
    logarithm = np.log(np.maximum(unit_norm(maps), SMALLEST_SHARE))
    known = np.where(np.isnan(logarithm).all(axis=-1, keepdims=True), 0.0, logarithm)
    return logarithm - np.apply_along_axis(_middle_mean, -1, known)[..., None]


def _middle_mean(values: Floats) -> float:
    """The mean of the middle half of the ``values`` (unit,) that are known: scipy leaves NaN out only from 1.17 on."""
    known = values[~np.isnan(values)]
    cut = int(MIDDLE * len(known))
    ordered = np.partition(known, (cut, len(known) - cut - 1))
    return float(ordered[cut : len(known) - cut].mean())


class NullScore(NamedTuple):
    """z (unit,), and the error (unit,) in units of the logarithm that it is counted in."""

    z: Floats
    error: Floats


def null_score(values: Floats, null: Floats) -> NullScore:
    """Return how many errors the mean of ``values`` (encoder, unit) lies above that of ``null`` (null, unit).

    Both are logarithms of shares. The error of the difference is made of the spread between the encoders of ``values``
    and that between nulls, each over its number; a single encoder is taken to vary like a null. z is counted from where
    the bulk of the units lies. Where the bulk is spread more widely than encoders explain, the recording or the units
    that do carry the label move it, and the error grows with it; but by no more than what a null's spread exceeds that
    of encoders of one and the same label.
    """
    between = moderated(null.var(axis=0, ddof=1), len(null) - 1).variance
    within = moderated(values.var(axis=0, ddof=1), len(values) - 1).variance if len(values) > 1 else between
    variance = within / len(values) + between / len(null)
    raw = (values.mean(axis=0) - null.mean(axis=0)) / np.sqrt(variance)
    known = np.isfinite(raw)
    if not known.any():
        return NullScore(raw, np.sqrt(variance))
    centre, spread = bulk(raw[known])
    excess = max(0.0, float(np.mean((between - within)[known]) / np.mean(variance[known])))
    inflation = np.sqrt(1 + min(excess, max(0.0, spread - 1)))
    return NullScore((raw - centre) / inflation, np.sqrt(variance) * inflation)


def bulk(scores: Floats) -> tuple[float, float]:
    """Return the centre and the variance of the bulk of ``scores`` (unit,), whatever stands out from it.

    The minimum covariance determinant, reweighted (Rousseeuw and Van Driessen 1999, Technometrics 41:212): up to nearly
    half of the units may stand out. The median, and no variance, of fewer than ten.
    """
    if len(np.unique(scores)) < LEAST_BULK:
        return float(np.median(scores)), 0.0
    from sklearn.covariance import MinCovDet  # not at the top: pages and summaries would wait for it in vain

    fitted = MinCovDet().fit(scores[:, None])
    return float(fitted.location_[0]), float(fitted.covariance_[0, 0])


def smallest_p(nulls: int) -> float:
    """Return the smallest p that a score can have among so many ``nulls``; its own rank counts, too.

    >>> smallest_p(19)
    0.05
    """
    return 1 / (1 + nulls)


def smallest_q(nulls: int, units: int) -> tuple[float, float]:
    """Return the smallest q that all ``units`` can reach together, and that a single unit can reach alone.

    >>> [round(q, 4) for q in smallest_q(6, 21)]
    [0.0079, 0.1654]
    """
    smallest = smallest_p(nulls * units)
    return smallest, min(1.0, units * smallest)


def resolution(nulls: int, units: int) -> str:
    """Return in words how small q can get with so many ``nulls`` of ``units``.

    >>> resolution(2, 21)
    'no unit can be tested'
    """
    if nulls < LEAST_NULLS or not units:
        return "no unit can be tested"
    together, alone = smallest_q(nulls, units)
    return (
        f"with {nulls} nulls of {units} units the smallest q is {together:.2g}, and {alone:.2g} for a unit that "
        "stands out alone"
    )


def rank_p_value(scores: Floats, null_scores: Floats) -> Floats:
    """Return for each of ``scores`` the share of ``null_scores`` at least as large, itself counted among them.

    >>> rank_p_value(np.array([2.5, 0.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 1.0]
    """
    ordered = np.sort(null_scores[np.isfinite(null_scores)])
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.where(np.isfinite(scores), (1 + above) / (1 + len(ordered)), np.nan)


def _false_discovery_rate(p_value: Floats) -> Floats:
    q_value = np.full_like(p_value, np.nan)
    known = np.isfinite(p_value)
    if known.any():
        q_value[known] = false_discovery_control(p_value[known], method="bh")
    return q_value
