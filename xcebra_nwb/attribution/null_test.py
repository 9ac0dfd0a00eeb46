"""The null-corrected map: every unit's share of a label against its own share when that label is broken.

Much of a raw map is firing rate and noise structure, the same for every label and for nulls, and the inverse's overall
size falls as a label is encoded better. So every map is brought to unit norm over units, and its logarithm, counted
from the middle units', is compared unit by unit with those of the nulls.

Seeds are averaged, while a null is a single encoder; encoders of a label that is encoded vary less than those of a
broken one; and units that carry nothing still move when others carry the label. The docs (statistics.md, "z, p and q")
say how the test allows for each.
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
    """Shapes (label, unit); NaN where a unit's map or null cannot be known."""

    z: Floats
    z_low: Floats  # 95 % interval over seeds
    z_high: Floats
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
    """Return how far the mean of ``values`` (encoder, unit) lies above that of ``null`` (null, unit), in errors.

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
    """Return the smallest p that one score can have among those of so many ``nulls``: its own rank is counted too."""
    return 1 / (1 + nulls)


def smallest_q(nulls: int, units: int) -> tuple[float, float]:
    """Return the smallest q that can be reached: by all ``units`` together, and by one that stands out alone."""
    smallest = smallest_p(nulls * units)
    return smallest, min(1.0, units * smallest)


def resolution(nulls: int, units: int) -> str:
    """Return in words how small q can get with so many ``nulls`` of ``units``."""
    if nulls < LEAST_NULLS or not units:
        return "no unit can be tested"
    together, alone = smallest_q(nulls, units)
    return (
        f"with {nulls} nulls of {units} units the smallest q is {together:.2g}, and {alone:.2g} for a unit that "
        "stands out alone"
    )


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
