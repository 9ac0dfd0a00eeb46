"""Build the dataset of attribution.nc: maps, their spread over seeds, and their test against the nulls."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.attribution.comparison import map_agreement, partner
from xcebra_nwb.attribution.moderated_variance import half_interval
from xcebra_nwb.attribution.null_test import LEAST_NULLS, TOO_FEW, log_share, score_maps
from xcebra_nwb.core import members
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import UNIT_COORDINATES
from xcebra_nwb.xcebra.maps.baselines import METHODS as BASELINES
from xcebra_nwb.xcebra.maps.maps import Maps
from xcebra_nwb.xcebra.maps.maps import sampled as sampled_bins
from xcebra_nwb.xcebra.sampling.samples import Block


def attribution_dataset(
    session: xr.Dataset,
    training: xr.Dataset,
    blocks: list[Block],
    maps: Maps,
    bins: NDArray[np.int64],
    config: Config,
) -> xr.Dataset:
    """Return the dataset of attribution.nc, with the maps and their tests.

    The variables are described in docs/reference/results.md.

    Args:
        session: the session dataset.
        training: training.nc of the session.
        blocks: block of latents of each label.
        maps: maps of all members.
        bins: time bins at which the maps were computed, shape (bin,).
        config: methods, and the settings that they were computed with.
    """
    methods = list(config.attribution.methods)
    seed = np.array(members.seeds(training))
    label_maps = np.stack([maps.label[method] for method in methods], axis=1)  # (member, method, label, unit)
    latent_maps = np.stack([maps.latent[method] for method in methods], axis=1)
    null = _null_maps(label_maps[:, 0], [members.nulls(training, block.name) for block in blocks])
    tested = score_maps(label_maps[seed, 0], null)
    several_seeds = len(seed) > 1
    width = _relative_width(label_maps[seed])
    deviation = label_maps[seed].std(axis=0, ddof=1) if several_seeds else np.full(label_maps.shape[1:], np.nan)
    dataset = xr.Dataset(
        {
            "attribution": (("map_method", "label", "unit"), label_maps[seed].mean(axis=0)),
            "attribution_sd": (("map_method", "label", "unit"), deviation),
            "attribution_low": (("map_method", "label", "unit"), label_maps[seed].mean(axis=0) / width),
            "attribution_high": (("map_method", "label", "unit"), label_maps[seed].mean(axis=0) * width),
            "attribution_seeds": (("seed", "map_method", "label", "unit"), label_maps[seed]),
            "latent_map": (("seed", "map_method", "latent", "unit"), latent_maps[seed]),
            "null_attribution": (("null", "label", "unit"), null),
            "z": (("label", "unit"), tested.z),
            "z_low": (("label", "unit"), tested.z_low),
            "z_high": (("label", "unit"), tested.z_high),
            "p_value": (("label", "unit"), tested.p_value),
            "q_value": (("label", "unit"), tested.q_value),
            "effective_rank": (("seed", "label"), maps.effective_rank[seed]),
            "condition": ("seed", maps.condition[seed]),
            "usable": ("seed", maps.usable[seed]),
            "agreement": ("label", _agreement(label_maps[seed].mean(axis=0), methods)),
            "first_latent": ("label", [block.first for block in blocks]),
            "last_latent": ("label", [block.last for block in blocks]),
        },
        coords={
            "map_method": methods,
            "label": [block.name for block in blocks],
            "latent": np.arange(latent_maps.shape[2]),
            "seed": training["number"].values[seed],
            **{name: session[name] for name in UNIT_COORDINATES},
        },
        attrs={
            "session": session.attrs["session"],
            "tested_method": methods[0],
            "config": json.dumps(config.model_dump(mode="json", include={"attribution", "training", "random_seed"})),
            "software": json.dumps(software()),
        },
    )
    dataset.attrs |= _reasons(len(null), several_seeds)
    if maps.deviance_explained is not None:
        dataset["generator_deviance_explained"] = (("seed", "unit"), maps.deviance_explained[seed])
    if set(methods) & set(BASELINES):
        dataset["sampled_time"] = ("sample", session["time"].values[sampled_bins(bins, config.attribution.samples)])
    if config.attribution.time_resolved:
        dataset = dataset.assign_coords(time=session["time"].values[bins])
    return dataset


def _relative_width(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the half width of the 95 % interval over seeds, as a factor of the mean map.

    Args:
        maps: maps of the seeds, shape (seed, method, label, unit).

    Returns:
        Factors, shape (method, label, unit): the interval is mean / factor to mean * factor.
    """
    shares = log_share(maps)
    widths = [[half_interval(shares[:, m, k]) for k in range(maps.shape[2])] for m in range(maps.shape[1])]
    return np.exp(np.array(widths))


def _reasons(nulls: int, several_seeds: bool) -> dict[str, str]:
    """Return the reasons for variables that are NaN, as attributes."""
    untested = {} if nulls >= LEAST_NULLS else dict.fromkeys(("z", "z_low", "z_high", "p_value", "q_value"), TOO_FEW)
    spread = ("attribution_sd", "attribution_low", "attribution_high", "z_low", "z_high")
    single = {} if several_seeds else dict.fromkeys(spread, "a single seed has no spread")
    return {f"{name}_reason": reason for name, reason in (single | untested).items()}


def _null_maps(maps: NDArray[np.float64], nulls: list[list[int]]) -> NDArray[np.float64]:
    """Return the maps of the nulls of each label, padded with NaN to the largest number of nulls.

    Args:
        maps: maps of all members, shape (member, label, unit).
        nulls: numbers of the members that are nulls of each label.

    Returns:
        Null maps, shape (null, label, unit).
    """
    padded = np.full((max(map(len, nulls)), *maps.shape[1:]), np.nan)
    for label, null_members in enumerate(nulls):
        padded[: len(null_members), label] = maps[null_members, label]
    return padded


def _agreement(maps: NDArray[np.float64], methods: list) -> NDArray[np.float64]:
    """Return the correlation (label,) over units of the tested map with the map of its partner method."""
    other = partner(methods)
    if other is None:
        return np.full(maps.shape[1], np.nan)
    return np.array([map_agreement(pair) for pair in maps[[0, other]].swapaxes(0, 1)])
