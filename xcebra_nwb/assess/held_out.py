"""Labels decoded on held-out bins, bin by bin: where in the label and in time does decoding fail?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.xcebra.decoding import Decoded, Decoder

Floats = NDArray[np.float64]


def decode(name: str, kind: str, block: tuple[int, int], latents: Latents) -> dict[int, Decoded]:
    """Return by member, seeds and nulls of the label, what is decoded from its block on held-out bins.

    Args:
        name: name of the label.
        kind: continuous, circular or discrete.
        block: first latent of the label's block, and the one after its last.
        latents: the embedding at the usable bins, and its split.
    """

    def decoded(member: int) -> Decoded:
        columns = latents.values[member][:, block[0] : block[1]]
        return Decoder(columns, latents.train, latents.test).decode(latents.label(name, member), kind)

    return {member: decoded(member) for member in [*latents.seeds, *latents.nulls(name)]}


def errors(true: NDArray, decoded: NDArray, kind: str) -> Floats:
    """Return the error of each sample, (sample,); NaN where nothing was decoded.

    It is the distance in the label's units, the angle in rad by the shorter way, or 1 for a wrong class.

    Args:
        true: the label (sample,) or (sample, axis).
        decoded: what was decoded, of the same shape.
        kind: continuous, circular or discrete.

    >>> errors(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), "continuous").tolist()
    [5.0]
    >>> errors(np.array([6.2]), np.array([0.1]), "circular").round(2).tolist()
    [0.18]
    >>> errors(np.array([0, 1, 1]), np.array([0, 0, -1]), "discrete").tolist()
    [0.0, 1.0, nan]
    """
    if kind == "discrete":
        return np.where(decoded < 0, np.nan, (true != decoded).astype(np.float64))
    apart = decoded.reshape(len(decoded), -1).astype(np.float64) - true.reshape(len(true), -1)
    if kind == "circular":
        apart = (apart + np.pi) % (2 * np.pi) - np.pi
    return np.sqrt(np.square(apart).sum(axis=1))


def held_out_dataset(
    session: xr.Dataset, latents: Latents, decoded: Mapping[str, Mapping[int, Decoded]], kinds: Mapping[str, str]
) -> xr.Dataset:
    """Return decoded.nc: labels as they were decoded by every seed, and the errors of every null.

    A null is judged by the null label that it was trained on.

    Args:
        session: session.nc.
        latents: the embedding at the usable bins, and its split.
        decoded: by label and member, what was decoded.
        kinds: of the labels.
    """
    first = next(iter(decoded.values()))[latents.seeds[0]].samples
    bins = latents.bins[first]
    dataset = xr.Dataset(
        {"bin": ("sample", bins.astype(np.int64), {"long_name": "number of the bin in session.nc, from 0"})},
        coords={"time": ("sample", session["time"].values[bins], {"units": "s"})},
        attrs={"session": session.attrs["session"]},
    )
    most = max(len(latents.nulls(name)) for name in decoded)
    for name, found in decoded.items():
        kind, label = kinds[name], session[name]
        dims = ("sample", *label.dims[1:])
        narrow = np.int32 if kind == "discrete" else np.float32
        shape = (len(bins), *label.shape[1:])
        read = np.stack([found[seed].values.reshape(shape) for seed in latents.seeds]).astype(narrow)
        attrs = {key: label.attrs[key] for key in ("kind", "units", "classes") if key in label.attrs}
        dataset[f"{name}_true"] = (dims, label.values[bins].astype(narrow), attrs)
        dataset[f"{name}_decoded"] = (("seed", *dims), read, attrs)
        failed = np.full((most, len(bins)), np.nan, np.float32)
        for number, null in enumerate(latents.nulls(name)):
            failed[number] = errors(latents.label(name, null)[first], found[null].values, kind)
        units = "1" if kind == "discrete" else label.attrs["units"]
        dataset[f"{name}_null_error"] = (("null", "sample"), failed, {"units": units})
    return dataset
