"""assess: session.nc, training.nc, embedding.nc, attribution.nc -> assessment.json."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.assess import evidence as evidence_of
from xcebra_nwb.assess.identifiability import NO_OTHERS, leak
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.assess.verdict import READABLE, Evidence, verdict
from xcebra_nwb.files import write_json
from xcebra_nwb.provenance import software
from xcebra_nwb.session import label_axes, labels, load, load_dataset

SIGNIFICANT = 0.05  # q
logger = logging.getLogger("xcebra_nwb")


def assess(directory: Path) -> list[Path]:
    """Judge every label of the session in ``directory`` and write assessment.json there."""
    session = load(directory / "session.nc")
    training, embedding, attribution = (
        load_dataset(directory / f"{name}.nc") for name in ("training", "embedding", "attribution")
    )
    latents = Latents(session, training, embedding)
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


def _label(
    name: str, session: xr.Dataset, training: xr.Dataset, attribution: xr.Dataset, latents: Latents
) -> dict[str, Any]:
    """Everything that assessment.json says of one label."""
    label, maps = labels(session)[name], attribution.sel(label=name)
    first, last = int(maps["first_latent"]), int(maps["last_latent"])
    decoding = evidence_of.decoding(name, label.attrs["kind"], (first, last), latents)
    consistency = evidence_of.consistency(maps, latents, (first, last))
    leaks = [leak(latents.values[m], first, last, latents.train, latents.test) for m in latents.seeds]
    q_value = maps["q_value"].values
    evidence = Evidence(
        score=evidence_of.mean_of_known(decoding["seeds"]),
        null_scores=tuple(decoding["nulls"]),
        consistency=consistency["null_corrected_maps"],
        effective_rank=float(maps["effective_rank"].mean()),
        usable=float(maps["usable"].mean()),
        leak=evidence_of.mean_of_known(leaks),
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
            "loss": evidence_of.loss(name, training, latents),
            "effective_rank": evidence.effective_rank,
            "condition": float(maps["condition"].mean()),
            "usable_bins": evidence.usable,
            "methods_agree": agreement,
            "significant_units": evidence.significant if word in READABLE else None,
            "tested_units": evidence.units,
        }
    )


def _without_nan(content: Any) -> Any:
    """JSON knows no NaN: what cannot be known is null."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
