"""Small results of a session that keep every contract, made without training.

Units 0, 3, 6, ... are tuned to the first label, 1, 4, 7, ... to the second, 2, 5, 8, ... to the third.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr
from scipy.stats import false_discovery_control

from tests.support.conditions import conditions
from xcebra_nwb.assess.grounds import grounds
from xcebra_nwb.assess.verdict import Evidence
from xcebra_nwb.attribution.units_dataset import units_dataset
from xcebra_nwb.core import carriers, netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import sha256, write_json

SOFTWARE = {"xcebra-nwb": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"}
LABELS = ("position", "head_direction", "choice")
BLOCKS = {"position": (0, 3), "head_direction": (3, 6), "choice": (6, 8)}
POSITIVES = {"continuous": "time_delta", "circular": "time_delta", "discrete": "discrete"}
METHODS = ("inverted_neuron_gradient", "neuron_gradient")
VERDICTS = {"position": "supported", "head_direction": "weak", "choice": "not encoded"}
OUTPUTS = 8
STEPS = 1000
TESTED = ("z", "z_low", "z_high", "p_value", "q_value")
REMARK = "latents 8, 9 belong to no objective, so that nothing trains them"


# All results of a session
# ------------------------


def make_results(
    directory: Path,
    rng: np.random.Generator | None = None,
    *,
    session: xr.Dataset | None = None,
    seeds: int = 2,
    nulls: int = 3,
    source: Path | None = None,
    methods: Sequence[str] = METHODS,
) -> xr.Dataset:
    """Write session.nc, the files from training.nc to units.nc, assessment.json and decoded.nc; return the session.

    Args:
        directory: the session's results directory.
        rng: of all values; seed 0 by default.
        session: the session; that of :func:`make_session` by default.
        seeds: encoders that saw the labels.
        nulls: encoders of each label that saw it shuffled.
        source: the NWB file whose path and digest the session is to carry.
        methods: those of attribution.nc.
    """
    key = None if rng else (seeds, nulls, *methods, _digest(session))
    rng = rng or np.random.default_rng(0)
    session = make_session(rng) if session is None else session
    if source is not None:
        session = session.assign_attrs(source=str(source), sha256=sha256(source))
    contract.save(session, directory / "session.nc")
    if key not in _KEPT:
        _write_all(directory, session, rng, seeds, nulls, methods)
        if key:
            _KEPT[key] = {name: (directory / name).read_bytes() for name in NAMES}
    else:
        for name, content in _KEPT[key].items():
            (directory / name).write_bytes(content)
    return session


NAMES = ("training.nc", "embedding.nc", "attribution.nc", "units.nc", "assessment.json", "decoded.nc")
_KEPT: dict[tuple[Any, ...] | None, dict[str, bytes]] = {}  # files that many tests ask for, by what they are made of


def _digest(session: xr.Dataset | None) -> bytes:
    return b"" if session is None else hashlib.sha256(pickle.dumps(session)).digest()


def _write_all(
    directory: Path, session: xr.Dataset, rng: np.random.Generator, seeds: int, nulls: int, methods: Sequence[str]
) -> None:
    attribution = make_attribution(session, rng, seeds, nulls, methods)
    netcdf.save_dataset(make_training(session, rng, seeds, nulls), directory / "training.nc")
    netcdf.save_dataset(make_embedding(session, rng, seeds, nulls), directory / "embedding.nc")
    netcdf.save_dataset(attribution, directory / "attribution.nc")
    valid = np.flatnonzero(session["valid"].values)
    netcdf.save_dataset(units_dataset(session, valid, Config()), directory / "units.nc")
    write_json(directory / "assessment.json", make_assessment(session, attribution, rng))
    netcdf.save_dataset(make_decoded(session, np.random.default_rng(1), seeds, nulls), directory / "decoded.nc")


# session.nc
# ----------


def make_session(
    rng: np.random.Generator,
    *,
    name: str = "sub-a_ses-1",
    units: int = 12,
    bins: int = 600,
    start: float = 0.0,
    labels: Sequence[str] = LABELS,
    neural_source: str = "/units",
    unit_ids: Sequence[Any] | None = None,
    rows: Sequence[int] | None = None,
) -> xr.Dataset:
    """Return a session of two segments with 20 invalid bins between them."""
    width = 0.05
    time = start + width * (np.arange(bins) + 0.5)
    valid, segment = np.ones(bins, bool), np.zeros(bins, np.int32)
    gap = slice(bins // 2, bins // 2 + 20)
    valid[gap], segment[gap], segment[gap.stop :] = False, -1, 1
    counts = rng.poisson(0.5, (bins, units)).astype(np.float32)
    dataset = xr.Dataset(
        {"valid": ("time", valid), "segment": ("time", segment)},
        coords={
            "time": ("time", time, {"units": "s"}),
            "unit_id": ("unit", [str(i) for i in (range(units) if unit_ids is None else unit_ids)]),
            "row": ("unit", np.asarray(range(units) if rows is None else rows)),
            "region": ("unit", ["CA1" if unit % 2 else "MEC" for unit in range(units)]),
            "n_spikes": ("unit", counts.sum(0).astype(int)),
        },
        attrs={
            "session": name,
            "subject": "a",
            "species": "Rattus norvegicus",
            "bin_width": width,
            "source": f"{name}.nwb",
            "neural_source": neural_source,
            "asset_id": "",
            "sha256": "0" * 64,
            "nwb_identifier": "made-up",
            "session_start_time": "2024-01-02T03:04:05+00:00",
            "software": json.dumps(SOFTWARE),
            "choices": json.dumps([f"neural activity: {neural_source}, the only candidate", "bin width 0.05 s"]),
            "masks": json.dumps({"outside obs_intervals": 20}),
        },
    )
    dataset["masked_by"] = ("time", np.where(valid, -1, 0).astype(np.int16))
    attrs = {"units": "count", "kind": "spikes", "smoothing": 0.1, "standardize": 1}
    dataset["activity"] = (("time", "unit"), counts, attrs)
    for label in labels:
        dataset[label] = _label(label, bins, gap, rng)
    if "choice" in labels:
        dataset["choice_trial"] = ("time", np.where(valid, np.arange(bins) // 50, -1))
    return dataset


def _label(name: str, bins: int, gap: slice, rng: np.random.Generator) -> xr.Variable:
    attrs = {"role": "label", "reference_frame": "a corner of the box"}
    if name == "position":
        values = np.cumsum(rng.normal(0, 0.02, (bins, 2)), axis=0)
        values[gap] = np.nan
        attrs |= {"kind": "continuous", "units": "m", "source": "/processing/behavior/Position/led"}
        return xr.Variable(("time", "position_axis"), values, attrs)
    if name == "head_direction":
        values = np.cumsum(rng.normal(0, 0.1, bins)) % (2 * np.pi)
        values[gap] = np.nan
        attrs |= {"kind": "circular", "units": "rad", "source": "/processing/behavior/CompassDirection/head"}
        return xr.Variable("time", values, attrs)
    codes = np.arange(bins) // 50 % 2
    codes[gap] = -1
    attrs |= {"kind": "discrete", "units": "", "source": "/intervals/trials#choice"}
    return xr.Variable("time", codes, attrs | {"classes": json.dumps(["left", "right"])})


# training.nc and embedding.nc
# ----------------------------


def _attrs(session: xr.Dataset) -> dict[str, str]:
    sections = Config().model_dump(mode="json", include={"encoder", "objectives", "training", "attribution"})
    return {
        "session": session.attrs["session"],
        "config": json.dumps(sections | {"random_seed": 0}),
        "software": json.dumps(SOFTWARE),
    }


def _members(labels: Sequence[str], seeds: int, nulls: int, bins: int) -> dict[str, Any]:
    shifts = [int(bins * (0.2 + 0.6 * (i + 1) / (nulls + 1))) for i in range(nulls)]
    count = nulls * len(labels)
    return {
        "member": np.arange(seeds + count),
        "role": ("member", ["seed"] * seeds + ["null"] * count),
        "number": ("member", [*range(seeds), *(list(range(nulls)) * len(labels))]),
        "broken": ("member", [""] * seeds + [label for label in labels for _ in range(nulls)]),
        "null_kind": ("member", [""] * seeds + ["shift"] * count),
        "shift": ("member", np.asarray([0] * seeds + shifts * len(labels))),
    }


def _null_bins(session: xr.Dataset, shifts: np.ndarray) -> np.ndarray:
    """Return the bin whose label each member saw: the valid bins rolled by its shift."""
    valid = np.flatnonzero(session["valid"].values)
    seen = np.full((len(shifts), session.sizes["time"]), -1, dtype=np.int32)
    seen[:, valid] = np.stack([np.roll(valid, shift) for shift in shifts])
    return seen


def make_training(session: xr.Dataset, rng: np.random.Generator, seeds: int, nulls: int) -> xr.Dataset:
    """Return training.nc: losses that fall for seeds and stay at chance for nulls."""
    labels = list(contract.labels(session))
    kinds = [str(session[label].attrs["kind"]) for label in labels]
    blocks = [(0, OUTPUTS)] + [BLOCKS[label] for label in labels]
    coordinates = _members(labels, seeds, nulls, session.sizes["time"])
    members, objectives = len(coordinates["member"]), len(labels) + 1
    step = np.arange(50, STEPS + 1, 50)
    chance = np.full(objectives, np.log(512.0))
    drop = np.where((np.arange(members) < seeds)[:, None], 1.2, 0.3) + rng.normal(0, 0.02, (members, objectives))
    loss = chance[:, None] - drop[:, :, None] * (1 - np.exp(-step / 200.0))
    split = np.where(session["valid"].values, 0, -1).astype(np.int8)
    split[(split == 0) & (np.arange(split.size) % 200 >= 160)] = 1
    nulls_by_label = {label: {"wanted": nulls, "count": nulls, "reason": "shift: it moves in time"} for label in labels}
    return xr.Dataset(
        {
            "loss": (("member", "objective", "step"), loss, {"units": "nat"}),
            "regularizer_weight": ("step", 0.1 * np.clip((step / STEPS - 0.125) / 0.125, 0, 1)),
            "split": ("time", split),
            "null_bin": (("member", "time"), _null_bins(session, coordinates["shift"][1])),
            "first_latent": ("objective", [first for first, _ in blocks]),
            "last_latent": ("objective", [last for _, last in blocks]),
            "chance": ("objective", chance),
            "held_out_loss": (("member", "objective"), loss[:, :, -1] + 0.1),
        },
        coords={
            **coordinates,
            "objective": ["time", *labels],
            "positive": ("objective", ["time"] + [POSITIVES[kind] for kind in kinds]),
            "label": ("objective", ["", *labels]),
            "step": step,
            "time": session["time"],
        },
        attrs=_attrs(session) | {"device": "cpu", "nulls": json.dumps(nulls_by_label), "remarks": json.dumps([REMARK])},
    )


def make_embedding(session: xr.Dataset, rng: np.random.Generator, seeds: int, nulls: int) -> xr.Dataset:
    """Return embedding.nc: blocks that follow their labels in seeds, noise in nulls, NaN in invalid bins."""
    bins = session.sizes["time"]
    members = seeds + nulls * len(contract.labels(session))
    values = rng.normal(0, 1, (members, bins, OUTPUTS)).astype(np.float32)
    for label, array in contract.labels(session).items():
        first = BLOCKS[label][0]
        x = array.values.reshape(bins, -1).astype(float)
        shown = np.c_[np.cos(x), np.sin(x)] if array.attrs["kind"] == "circular" else 3 * x
        values[:seeds, :, first : first + shown.shape[1]] = shown + 0.2 * values[:seeds, :, first : first + 1]
    values[:, ~session["valid"].values] = np.nan
    return xr.Dataset(
        {"embedding": (("member", "time", "latent"), values)},
        coords={
            **_members(list(contract.labels(session)), seeds, nulls, bins),
            "time": session["time"],
            "latent": np.arange(OUTPUTS),
        },
        attrs=_attrs(session),
    )


# attribution.nc
# --------------


def make_attribution(
    session: xr.Dataset, rng: np.random.Generator, seeds: int, nulls: int, methods: Sequence[str] = METHODS
) -> xr.Dataset:
    """Return attribution.nc: a label's map follows its verdict; z is NaN where there are too few nulls."""
    labels, units = list(contract.labels(session)), session.sizes["unit"]
    tuned = np.arange(units)[None, :] % 3 == np.arange(len(labels))[:, None]
    low = np.asarray([{"supported": 0.2, "weak": 0.6, "not encoded": 1.0}[VERDICTS[label]] for label in labels])
    size = np.where(tuned, 1.0, low[:, None])
    by_seed = size * rng.lognormal(0, 0.1, (seeds, len(methods), len(labels), units))
    null = rng.lognormal(-1, 0.1, (nulls, len(labels), units))
    z, p, q = _test(by_seed[:, 0].mean(0), null)
    information = np.where(tuned, 0.5, -0.01) * rng.lognormal(0, 0.2, (len(labels), units))
    draws = np.full(information.shape, 400.0)
    beaten = rng.uniform(0.2, 1, information.shape)  # by shuffled labels
    information_p = np.where(tuned, 1 / 401, beaten)
    width = np.full(by_seed.shape[1:], 1.2 if seeds > 1 else np.nan)
    deviation = by_seed.std(0, ddof=1) if seeds > 1 else np.full(by_seed.shape[1:], np.nan)
    reasons = {} if nulls > 1 else dict.fromkeys((f"{name}_reason" for name in TESTED), "fewer than two nulls")
    spread = ("attribution_sd_reason", "attribution_low_reason", "attribution_high_reason")
    reasons |= {} if seeds > 1 else dict.fromkeys(spread, "a single seed has no spread")
    latent_map = rng.lognormal(0, 0.3, (seeds, len(methods), OUTPUTS, units))
    return xr.Dataset(
        {
            "attribution": (("map_method", "label", "unit"), by_seed.mean(0)),
            "attribution_sd": (("map_method", "label", "unit"), deviation),
            "attribution_low": (("map_method", "label", "unit"), by_seed.mean(0) / width),
            "attribution_high": (("map_method", "label", "unit"), by_seed.mean(0) * width),
            "attribution_seeds": (("seed", "map_method", "label", "unit"), by_seed),
            "latent_map": (("seed", "map_method", "latent", "unit"), latent_map),
            "null_attribution": (("null", "label", "unit"), null),
            "z": (("label", "unit"), z),
            "z_low": (("label", "unit"), z - width[0]),
            "z_high": (("label", "unit"), z + width[0]),
            "p_value": (("label", "unit"), p),
            "q_value": (("label", "unit"), q),
            "information": (("label", "unit"), information, {"units": "bit/spike"}),
            "information_low": (("label", "unit"), information - 0.05, {"units": "bit/spike"}),
            "information_high": (("label", "unit"), information + 0.05, {"units": "bit/spike"}),
            "information_p": (("label", "unit"), information_p),
            "information_q": (("label", "unit"), false_discovery_control(information_p, axis=-1)),
            "information_nulls": (("label", "unit"), draws),
            "effective_rank": (("seed", "label"), rng.uniform(1.5, 2.5, (seeds, len(labels)))),
            "condition": ("seed", rng.uniform(5, 20, seeds)),
            "usable": ("seed", np.full(seeds, 0.98)),
            "agreement": ("label", rng.uniform(0.8, 1, len(labels))),
            "first_latent": ("label", [BLOCKS[label][0] for label in labels]),
            "last_latent": ("label", [BLOCKS[label][1] for label in labels]),
        },
        coords={
            "seed": np.arange(seeds),
            "map_method": list(methods),
            "label": labels,
            "latent": np.arange(OUTPUTS),
            **{name: session[name] for name in contract.UNIT_COORDINATES},
        },
        attrs=_attrs(session) | {"tested_method": methods[0]} | reasons,
    )


def _test(attribution: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return z, p and q, each (label, unit): z of log maps of unit norm over the nulls, p of a normal distribution."""
    if len(null) < 2:
        nothing = np.full(attribution.shape, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    scaled, nulls = (np.log(x / np.linalg.norm(x, axis=-1, keepdims=True)) for x in (attribution, null))
    z = (scaled - nulls.mean(0)) / (nulls.std(0) + 0.05)
    p = ndtr(-z)
    return z, p, false_discovery_control(p, axis=-1)


# assessment.json
# ---------------


def make_assessment(session: xr.Dataset, attribution: xr.Dataset, rng: np.random.Generator) -> dict[str, Any]:
    """Return assessment.json: a supported, a weak and a not encoded label."""
    labels = {
        label: _assess(label, array, attribution.sel(label=label), rng)
        for label, array in contract.labels(session).items()
    }
    return {
        "session": session.attrs["session"],
        "labels": labels,
        "usable_bins": 0.98,
        "software": SOFTWARE,
    }


def _assess(label: str, array: xr.DataArray, attribution: xr.Dataset, rng: np.random.Generator) -> dict[str, Any]:
    seeds, nulls = attribution.sizes["seed"], attribution.sizes["null"]
    verdict = VERDICTS[label]
    score = {"supported": 0.6, "weak": 0.2, "not encoded": 0.02}[verdict]
    discrete = array.attrs["kind"] == "discrete"
    metric = "balanced accuracy above chance" if discrete else "R2"
    return {
        "kind": array.attrs["kind"],
        "dimensions": contract.label_axes(array),
        "outputs": list(BLOCKS[label]),
        "verdict": verdict,
        "because": f"held-out decoding {score:.2f} against {nulls} nulls",
        "decoding": {
            "score": score,
            "seeds": [float(x) for x in score + rng.normal(0, 0.01, seeds)],
            "nulls": [float(x) for x in rng.normal(-0.05, 0.05, nulls)],
            "metric": f"{metric} (kNN from the block, held out)",
            "z": (score + 0.05) / 0.05 if nulls > 1 else None,
            "p": 1 / (nulls + 1) if nulls else None,
            "reason": "" if nulls > 1 else "fewer than two nulls",
        },
        "grounds": [asdict(g) for g in grounds(_evidence(score, nulls))],
        "conditions": [asdict(c) for c in conditions(**({"fewest_visits": 1.0} if discrete else {}))],
        "predicted_by": {},
        "confounded_with": [],
        "nulls": {"wanted": nulls, "count": nulls, "reason": "shift: it moves in time"},
        "resolution": carriers.resolution(attribution),
        "consistency": {
            "maps": 0.93,
            "null_corrected_maps": 0.7,
            "shown_map": 0.82,
            "seeds_needed": 2,
            "null_maps": 0.8,
            "embedding_r2": 0.9,
        },
        "leak": {"score": None, "reason": "no leak score for classes"} if discrete else {"score": 0.1, "reason": ""},
        "loss": {"held_out": 5.1, "chance": 6.24, "nulls": [6.1] * nulls},
        "effective_rank": float(attribution["effective_rank"].mean()),
        "condition": float(attribution["condition"].mean()),
        "usable_bins": 0.98,
        "methods_agree": float(attribution["agreement"]),
        "carrying_units": int(carriers.carriers(attribution).sum()),
        "tested_units": attribution.sizes["unit"],
    }


def _evidence(score: float, nulls: int) -> Evidence:
    return Evidence(score, (-0.05,) * nulls, 0.82, 4, 12, most_predicted=0.1)


# decoded.nc
# ----------


def make_decoded(session: xr.Dataset, rng: np.random.Generator, seeds: int, nulls: int) -> xr.Dataset:
    """Return decoded.nc: seeds that read the labels in held-out bins with small errors, and nulls with large ones."""
    bins = np.flatnonzero(session["valid"].values & (np.arange(session.sizes["time"]) % 200 >= 160))
    dataset = xr.Dataset({"bin": ("sample", bins)}, coords={"time": ("sample", session["time"].values[bins])})
    for name, label in contract.labels(session).items():
        true, discrete = label.values[bins], label.attrs["kind"] == "discrete"
        shape = (seeds, *true.shape)
        read = (
            rng.permutation(shape[1])[None] % 2 * np.ones(shape, int) if discrete else true + rng.normal(0, 0.1, shape)
        )
        dataset[f"{name}_true"] = (("sample", *label.dims[1:]), true)
        dataset[f"{name}_decoded"] = (("seed", "sample", *label.dims[1:]), read)
        dataset[f"{name}_null_error"] = (("null", "sample"), rng.uniform(0.5, 1, (nulls, len(bins))))
    return dataset
