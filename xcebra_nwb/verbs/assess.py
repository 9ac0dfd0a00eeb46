"""assess: session.nc, training.nc, embedding.nc, attribution.nc -> assessment.json."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.consistency import corrected_maps, embedding_agreement, map_agreement
from xcebra_nwb.assess.decoding import METRICS, decoding_score
from xcebra_nwb.assess.identifiability import NO_OTHERS, leak
from xcebra_nwb.assess.null import LEAST_NULLS, TOO_FEW
from xcebra_nwb.assess.verdict import READABLE, Evidence, verdict
from xcebra_nwb.files import write_json
from xcebra_nwb.provenance import software
from xcebra_nwb.session import label_axes, labels, load, load_dataset
from xcebra_nwb.xcebra.nulls import shifted
from xcebra_nwb.xcebra.windows import HELD_OUT, TRAIN

SIGNIFICANT = 0.05  # q
logger = logging.getLogger("xcebra_nwb")


def assess(directory: Path) -> list[Path]:
    """Judge every label of the session in ``directory`` and write assessment.json there."""
    session = load(directory / "session.nc")
    training, embedding, attribution = (
        load_dataset(directory / f"{name}.nc") for name in ("training", "embedding", "attribution")
    )
    latents = _Latents(session, training, embedding)
    found = {
        str(name): _label(str(name), session, training, attribution, latents) for name in attribution["label"].values
    }
    assessment = {
        "session": session.attrs["session"],
        "labels": found,
        "usable_bins": len(latents.bins) / max(int(session["valid"].sum()), 1),
        "held_out_bins": len(latents.test),
        "software": software(),
    }
    for name, result in found.items():
        logger.info("%s: %s: %s", name, result["verdict"], result["because"])
    path = directory / "assessment.json"
    write_json(path, assessment)
    return [path]


class _Latents:
    """The embedding at the usable bins, and its split."""

    def __init__(self, session: xr.Dataset, training: xr.Dataset, embedding: xr.Dataset) -> None:
        values = embedding["embedding"].values
        self.bins = np.flatnonzero(np.isfinite(values[0]).all(axis=1))
        self.values = values[:, self.bins]  # (member, sample, latent)
        split = training["split"].values[self.bins]
        self.train, self.test = np.flatnonzero(split == TRAIN), np.flatnonzero(split == HELD_OUT)
        self.shift = embedding["shift"].values
        role = embedding["role"].values
        self.seeds, self.nulls = ([int(m) for m in np.flatnonzero(role == name)] for name in ("seed", "null"))
        self._session = session

    def label(self, name: str, member: int) -> NDArray:
        """The label as the member saw it: (sample, axis), or codes (sample,)."""
        values = shifted(labels(self._session)[name].values[self.bins], int(self.shift[member]))
        return values if values.dtype.kind in "iu" else values.reshape(len(values), -1)


def _label(
    name: str, session: xr.Dataset, training: xr.Dataset, attribution: xr.Dataset, latents: _Latents
) -> dict[str, Any]:
    """Everything that assessment.json says of one label."""
    label, maps = labels(session)[name], attribution.sel(label=name)
    first, last = int(maps["first_latent"]), int(maps["last_latent"])
    decoding = _decoding(name, label.attrs["kind"], (first, last), latents)
    consistency = _consistency(maps, latents, (first, last))
    leaks = [leak(latents.values[m], first, last, latents.train, latents.test) for m in latents.seeds]
    q_value = maps["q_value"].values
    evidence = Evidence(
        score=_mean(decoding["seeds"]),
        null_scores=tuple(decoding["nulls"]),
        consistency=consistency["null_corrected_maps"],
        effective_rank=float(maps["effective_rank"].mean()),
        usable=float(maps["usable"].mean()),
        leak=_mean(leaks),
        significant=int((q_value <= SIGNIFICANT).sum()),
        units=int(np.isfinite(q_value).sum()),
        inverse_tested=attribution.attrs["tested_method"] == "inverted_neuron_gradient",
    )
    word, because = verdict(evidence)
    agreement = float(maps["agreement"])
    return _without_nan(
        {
            "kind": label.attrs["kind"],
            "dimensions": label_axes(label),
            "outputs": [first, last],
            "verdict": word,
            "because": because,
            "decoding": decoding,
            "consistency": consistency,
            "leak": {"score": evidence.leak, "reason": "" if np.isfinite(evidence.leak) else NO_OTHERS},
            "loss": _loss(name, training, latents),
            "effective_rank": evidence.effective_rank,
            "condition": float(maps["condition"].mean()),
            "usable_bins": evidence.usable,
            "methods_agree": agreement,
            "significant_units": evidence.significant if word in READABLE else None,
            "tested_units": evidence.units,
        }
    )


def _decoding(name: str, kind: str, block: tuple[int, int], latents: _Latents) -> dict[str, Any]:
    """The held-out decoding of every member from the label's block."""

    def score(member: int) -> float:
        columns = latents.values[member][:, block[0] : block[1]]
        return decoding_score(columns, latents.label(name, member), latents.train, latents.test, kind)

    seeds, nulls = [score(m) for m in latents.seeds], [score(m) for m in latents.nulls]
    known = np.array([n for n in nulls if np.isfinite(n)])
    enough = len(known) >= LEAST_NULLS and known.std(ddof=1) > 0
    mean = _mean(seeds)
    return {
        "score": mean,
        "seeds": seeds,
        "nulls": nulls,
        "metric": f"{METRICS[kind]} (nearest neighbours in the label's block, held-out stretches)",
        "z": float((mean - known.mean()) / known.std(ddof=1)) if enough else math.nan,
        "p": float((1 + (known >= mean).sum()) / (1 + len(known))) if len(known) else math.nan,
        "reason": "" if enough else TOO_FEW,
    }


def _consistency(maps: xr.Dataset, latents: _Latents, block: tuple[int, int]) -> dict[str, Any]:
    seeds = maps["attribution_seeds"].isel(method=0).transpose("seed", "unit").values
    nulls = maps["null"].transpose("null", "unit").values
    held_out = latents.values[latents.seeds][:, latents.test, block[0] : block[1]]
    alone = len(seeds) < 2
    return {
        "maps": map_agreement(seeds),
        "null_corrected_maps": map_agreement(corrected_maps(seeds, nulls)),
        "null_maps": map_agreement(nulls),
        "embedding_r2": embedding_agreement(held_out),
        "reason": "a single seed has nothing to agree with" if alone else TOO_FEW if len(nulls) < LEAST_NULLS else "",
    }


def _loss(name: str, training: xr.Dataset, latents: _Latents) -> dict[str, Any]:
    objective = int(np.flatnonzero(training["label"].values == name)[0])
    held_out = training["held_out_loss"].values[:, objective]
    return {
        "held_out": _mean(list(held_out[latents.seeds])),
        "chance": float(training["chance"].values[objective]),
        "nulls": [float(v) for v in held_out[latents.nulls]],
        "units": "nat",
    }


def _mean(values: list[float]) -> float:
    """The mean of what is known."""
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else math.nan


def _without_nan(content: Any) -> Any:
    """JSON knows no NaN: what cannot be known is null."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
