"""The evidence on one label for assessment.json: decoding, consistency and loss, each beside its nulls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.assess.consistency import corrected_maps, embedding_agreement, mean_map_agreement, seeds_needed
from xcebra_nwb.assess.identifiability import NO_OTHERS
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.attribution.comparison import known_nulls, map_agreement
from xcebra_nwb.attribution.null_test import LEAST_NULLS, TOO_FEW
from xcebra_nwb.core.members import objective_of
from xcebra_nwb.xcebra.decoding import METRICS, Decoded

STEADY = 0.8  # agreement of the shown map from which other seeds would tell the same


def decoding(name: str, kind: str, decoded: Mapping[int, Decoded], latents: Latents) -> dict[str, Any]:
    """Return the scores of a label that was decoded from its block, beside its nulls.

    Args:
        name: name of the label.
        kind: continuous, circular or discrete.
        decoded: by member, what was decoded (:func:`xcebra_nwb.assess.held_out.decode`).
        latents: the embedding at the usable bins, and its split.

    Returns:
        The score of every seed and null, the mean over seeds, its z and its rank p among the nulls.
    """
    seeds, nulls = ([decoded[m].score for m in chosen] for chosen in (latents.seeds, latents.nulls(name)))
    known = np.array([n for n in nulls if np.isfinite(n)])
    enough = len(known) >= LEAST_NULLS and known.std(ddof=1) > 0
    mean = mean_of_known(seeds)
    return {
        "score": mean,
        "seeds": seeds,
        "nulls": nulls,
        "metric": f"{METRICS[kind]} (nearest neighbours in the label's block, held-out stretches)",
        "z": float((mean - known.mean()) / known.std(ddof=1)) if enough else math.nan,
        "p": float((1 + (known >= mean).sum()) / (1 + len(known))) if len(known) else math.nan,
        "reason": "" if enough else TOO_FEW,
    }


def consistency(maps: xr.Dataset, latents: Latents, block: tuple[int, int]) -> dict[str, Any]:
    """Return how well seeds agree, beside the agreement of the nulls.

    Args:
        maps: attribution.nc of one label.
        latents: the embedding at the usable bins, and its split.
        block: first latent of the label's block, and the one after its last.

    Returns:
        The agreement of raw and of null-corrected maps of two seeds, of the nulls' maps, and of the block. Of the mean
        null-corrected map, which is shown, the agreement that other seeds would give, and the number of seeds with
        which it would be :data:`STEADY`.
    """
    seeds = maps["attribution_seeds"].isel(map_method=0).transpose("seed", "unit").values
    nulls = known_nulls(maps["null_attribution"].transpose("null", "unit").values)
    held_out = latents.values[latents.seeds][:, latents.test, block[0] : block[1]]
    alone = len(seeds) < 2
    corrected = map_agreement(corrected_maps(seeds, nulls))
    return {
        "maps": map_agreement(seeds),
        "null_corrected_maps": corrected,
        "shown_map": mean_map_agreement(corrected, len(seeds)),
        "seeds_needed": seeds_needed(corrected, STEADY),
        "null_maps": map_agreement(nulls),
        "embedding_r2": embedding_agreement(held_out),
        "reason": "a single seed has nothing to agree with" if alone else TOO_FEW if len(nulls) < LEAST_NULLS else "",
    }


def loss(name: str, training: xr.Dataset, latents: Latents) -> dict[str, Any]:
    """Return the held-out loss of a label beside chance and its nulls.

    Args:
        name: name of the label.
        training: training.nc.
        latents: the embedding at the usable bins, and its split.
    """
    objective = objective_of(training, name)
    held_out = training["held_out_loss"].values[:, objective]
    return {
        "held_out": mean_of_known(list(held_out[latents.seeds])),
        "chance": float(training["chance"].values[objective]),
        "nulls": [float(v) for v in held_out[latents.nulls(name)]],
        "units": str(training["loss"].attrs["units"]),
    }


def leaks(numbers: dict[str, float]) -> dict[str, Any]:
    """Return the leak of a label's block, by neighbours and linearly.

    Args:
        numbers: the numbers of the label's conditions.
    """
    return {
        "score": numbers["leak"],
        "linear": numbers["linear_leak"],
        "reason": "" if np.isfinite(numbers["leak"]) else NO_OTHERS,
    }


def mean_of_known(values: list[float]) -> float:
    """Return the mean of the values that are not NaN; NaN when there are none.

    >>> mean_of_known([1.0, math.nan, 3.0])
    2.0
    """
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else math.nan
