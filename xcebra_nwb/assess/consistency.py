"""Consistency: do encoders that differ only by their seed agree, on the map and on the embedding?

Raw maps of nulls agree with each other nearly as well as those of seeds do, because much of a map is firing rate and
noise structure. So the agreement of the null-corrected maps, and of the nulls among themselves, stands beside it.
"""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.assess.identifiability import linear_prediction
from xcebra_nwb.attribution.null_test import LEAST_NULLS, log_share, null_score
from xcebra_nwb.xcebra.decoding import explained

Floats = NDArray[np.float64]


def corrected_maps(seeds: Floats, nulls: Floats) -> Floats:
    """Return the map of each seed as z over the nulls, (seed, unit).

    Args:
        seeds: maps (seed, unit).
        nulls: maps (null, unit).

    Returns:
        The corrected maps; no rows when there are too few nulls.
    """
    if len(nulls) < LEAST_NULLS or not len(seeds):
        return np.empty((0, seeds.shape[1]))
    log_null = log_share(nulls)
    return np.stack([null_score(row[None], log_null).z for row in log_share(seeds)])


def mean_map_agreement(agreement: float, seeds: int) -> float:
    """Return how well the mean map of some seeds agrees with the mean map of as many others.

    The map that is shown is a mean, and a mean is steadier than each seed (Spearman 1910 and Brown 1910, British
    Journal of Psychology 3:271 and 3:296).

    Args:
        agreement: mean correlation of the maps of two seeds.
        seeds: number of seeds in each mean.

    Returns:
        The correlation; NaN for fewer than two seeds. Below 0 it is that of two seeds.

    >>> [round(mean_map_agreement(0.5, seeds), 2) for seeds in (2, 4, 8)]
    [0.67, 0.8, 0.89]
    """
    if seeds < 2 or not agreement > 0:
        return float("nan") if seeds < 2 else agreement
    return seeds * agreement / (1 + (seeds - 1) * agreement)


def seeds_needed(agreement: float, wanted: float) -> int | None:
    """Return the number of seeds whose mean map agrees as well as ``wanted`` with that of as many others.

    Args:
        agreement: mean correlation of the maps of two seeds.
        wanted: correlation that is wanted, below 1.

    Returns:
        The number; None if the seeds do not agree at all.

    >>> seeds_needed(0.5, 0.8), seeds_needed(0.9, 0.8), seeds_needed(0.0, 0.8)
    (4, 2, None)
    """
    if not agreement > 0:
        return None
    # Rounded, because 4.000000001 seeds are four.
    return max(2, math.ceil(round(wanted * (1 - agreement) / (agreement * (1 - wanted)), 6)))


def embedding_agreement(latents: Floats) -> float:
    """Return how well the latents of one seed are a linear map of another's.

    Args:
        latents: held-out samples (seed, sample, latent).

    Returns:
        R2, mean over latents and ordered pairs of seeds; NaN for fewer than two seeds.

    >>> one = np.random.default_rng(0).normal(size=(50, 2))
    >>> round(embedding_agreement(np.stack([one, one @ [[2.0, 1.0], [0.0, 3.0]]])), 6)
    1.0
    """
    if len(latents) < 2 or latents.shape[1] < 2:
        return float("nan")
    scores = [score for a, b in permutations(latents, 2) for score in _explained_linearly(b, a) if np.isfinite(score)]
    return float(np.mean(scores)) if scores else float("nan")


def _explained_linearly(values: Floats, features: Floats) -> list[float]:
    """R2 of a regression of every axis of ``values`` (sample, axis) on ``features`` (sample, feature)."""
    every = np.arange(len(values))
    predicted = linear_prediction(features, values, every, every)
    return [explained(values[:, [axis]], predicted[:, [axis]]) for axis in range(values.shape[1])]
