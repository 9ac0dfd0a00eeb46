"""The agreement of maps, its interval, and the agreement of maps of labels that mean nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, rankdata

from xcebra_nwb.assess.consistency import corrected_maps
from xcebra_nwb.attribution.comparison import known_nulls, map_agreement
from xcebra_nwb.attribution.null_test import LEAST_NULLS
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.table import CONFIDENCE, RESAMPLES

Floats = NDArray[np.float64]


def seeds_agreement(seeds: Floats, nulls: Floats) -> Score:
    """Return how far the maps of seeds agree, raw and null-corrected.

    Args:
        seeds: maps (seed, unit).
        nulls: maps (null, unit).

    Returns:
        The agreements with their intervals. Beside them ``null_agreement``: that of nulls which are corrected, as the
        seeds are, for one and the same set of other nulls.
    """
    nulls = known_nulls(nulls)
    half = max(LEAST_NULLS, len(nulls) // 2)
    return _scores(seeds, corrected_maps(seeds, nulls), map_agreement(corrected_maps(nulls[half:], nulls[:half])))


def halves_agreement(seeds: tuple[Floats, Floats], nulls: tuple[Floats, Floats]) -> Score:
    """Return how far the mean maps of two recordings of the same units agree.

    Args:
        seeds: maps (seed, unit) of the first and of the second recording.
        nulls: maps (null, unit) of the first and of the second recording.

    Returns:
        The agreements with their intervals. ``null_agreement`` is between nulls of the two recordings.
    """
    known = [known_nulls(maps) for maps in nulls]
    raw = np.stack([maps.mean(axis=0) for maps in seeds])
    corrected = [corrected_maps(mean[None], null) for mean, null in zip(raw, known, strict=True)]
    first, second = (_each_against_the_others(maps) for maps in known)
    across = [map_agreement(np.stack([a, b])) for a in first for b in second]
    return _scores(raw, np.concatenate(corrected), float(np.mean(across)) if across else float("nan"))


def _each_against_the_others(nulls: Floats) -> Floats:
    """Every null (null, unit) as z over the others; none where there are too few."""
    if len(nulls) <= LEAST_NULLS:
        return np.empty((0, nulls.shape[1]))
    return np.concatenate([corrected_maps(null[None], np.delete(nulls, n, axis=0)) for n, null in enumerate(nulls)])


def _scores(raw: Floats, corrected: Floats, of_nulls: float) -> Score:
    score = {"null_agreement": of_nulls}
    for name, maps in (("raw_agreement", raw), ("agreement", corrected)):
        low, high = _interval(maps)
        score |= {name: map_agreement(maps), f"{name}_low": low, f"{name}_high": high}
    return score


def _interval(maps: Floats) -> tuple[float, float]:
    """The 95 % bootstrap interval of the agreement of ``maps`` (map, unit), units drawn again."""
    known = maps[:, np.isfinite(maps).all(axis=0)]
    if len(known) < 2 or known.shape[1] < 3:
        return float("nan"), float("nan")
    limits = bootstrap(
        tuple(known),
        mean_spearman,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(limits.low), float(limits.high)


def mean_spearman(*maps: Floats, axis: int = -1) -> Floats:
    """Return the mean Spearman correlation over pairs of maps, for many draws.

    Of M sets of ranks at mean 0 and variance 1 the mean square of their sum is M plus the sum of all correlations.

    Args:
        *maps: maps (..., unit), one argument a map.
        axis: of the units.

    >>> round(float(mean_spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 9.0]))), 6)
    1.0
    """
    ranks = rankdata(np.stack(maps), axis=axis)
    standard = (ranks - ranks.mean(axis=axis, keepdims=True)) / ranks.std(axis=axis, keepdims=True)
    count = len(maps)
    return np.asarray(((standard.sum(axis=0) ** 2).mean(axis=axis) - count) / (count * (count - 1)))
