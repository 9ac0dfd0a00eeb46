"""assess: session.nc, training.nc, embedding.nc, attribution.nc -> assessment.json, decoded.nc."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import xarray as xr

from xcebra_nwb.assess import evidence as evidence_of
from xcebra_nwb.assess import held_out
from xcebra_nwb.assess.across import across_sessions
from xcebra_nwb.assess.conditions import RULES, judge
from xcebra_nwb.assess.grounds import grounds
from xcebra_nwb.assess.label_course import predicted_by_others
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.assess.measurements import Measurements
from xcebra_nwb.assess.verdict import MOST_PREDICTED, Evidence, verdict
from xcebra_nwb.core.activity import input_array
from xcebra_nwb.core.carriers import carriers, resolution, tested
from xcebra_nwb.core.files import without_nan, write_json
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import label_axes, labels, load
from xcebra_nwb.xcebra.decoding import Decoded

logger = logging.getLogger("xcebra_nwb")


def assess(directory: Path) -> list[Path]:
    """Judge every label of a session; return assessment.json and decoded.nc.

    Args:
        directory: The session's results folder.

    Raises:
        UsageError: A result is missing or cannot be read.
    """
    session = load(directory / "session.nc")
    training, attribution = (load_dataset(directory / f"{name}.nc") for name in ("training", "attribution"))
    embedding = load_dataset(directory / "embedding.nc", ("embedding",))
    latents = Latents(session, training, embedding)
    names = [str(name) for name in attribution["label"].values]
    measurements = Measurements(session, training, attribution, latents, input_array(session, directory))
    predicted = predicted_by_others(session, latents.bins, latents.train, latents.test)
    kinds = {name: str(label.attrs["kind"]) for name, label in labels(session).items()}
    decoded = {name: held_out.decode(name, kinds[name], _block(attribution, name), latents) for name in names}
    entries = {
        n: _label(n, session, training, attribution, latents, measurements, predicted[n], decoded[n]) for n in names
    }
    assessment = {
        "session": session.attrs["session"],
        "labels": entries,
        "across_sessions": without_nan(across_sessions(directory, (session, training, embedding))),
        "usable_bins": len(latents.bins) / max(int(session["valid"].sum()), 1),
        "held_out_bins": len(latents.test),
        "software": software(),
    }
    for name, result in entries.items():
        logger.info("%s: %s: %s", name, result["verdict"], result["because"])
        logger.info("%s: %s", name, result["resolution"])
    path = directory / "assessment.json"
    write_json(path, assessment)
    save_dataset(held_out.held_out_dataset(session, latents, decoded, kinds), directory / "decoded.nc")
    return [path, directory / "decoded.nc"]


def _block(attribution: xr.Dataset, name: str) -> tuple[int, int]:
    maps = attribution.sel(label=name)
    return int(maps["first_latent"]), int(maps["last_latent"])


def _label(
    name: str,
    session: xr.Dataset,
    training: xr.Dataset,
    attribution: xr.Dataset,
    latents: Latents,
    measurements: Measurements,
    predicted: dict[str, float],
    decoded: dict[int, Decoded],
) -> dict[str, Any]:
    """Return the entry of a label in assessment.json."""
    label, maps = labels(session)[name], attribution.sel(label=name)
    block = _block(attribution, name)
    decoding = evidence_of.decoding(name, label.attrs["kind"], decoded, latents)
    consistency = evidence_of.consistency(maps, latents, block)
    measured = measurements.of(name, decoding["score"])
    conditions = judge(RULES, measured)
    confounded = tuple((other, score) for other, score in predicted.items() if score > MOST_PREDICTED)
    designed = json.loads(training.attrs["nulls"])[name]
    evidence = Evidence(
        score=decoding["score"],
        null_scores=tuple(decoding["nulls"]),
        consistency=consistency["shown_map"],
        seeds_needed=consistency["seeds_needed"],
        carriers=int(carriers(maps).sum()),
        units=int(tested(maps).sum()),
        confounded=confounded,
        most_predicted=max(predicted.values(), default=math.nan),
        without_null=designed["reason"] if designed["wanted"] and not designed["count"] else "",
    )
    word, because = verdict(evidence, conditions)
    return without_nan(
        {
            "kind": label.attrs["kind"],
            "dimensions": label_axes(label),
            "outputs": list(block),
            "verdict": word,
            "because": because,
            "grounds": [asdict(ground) for ground in grounds(evidence)],
            "conditions": [asdict(condition) for condition in conditions],
            "decoding": decoding,
            "consistency": consistency,
            "leak": evidence_of.leaks(measured),
            "predicted_by": predicted,
            "confounded_with": [other for other, _ in confounded],
            "nulls": designed,
            "resolution": resolution(maps),
            "loss": evidence_of.loss(name, training, latents),
            "effective_rank": float(maps["effective_rank"].mean()),
            "condition": float(maps["condition"].mean()),
            "usable_bins": measured["usable_bins"],
            "methods_agree": float(maps["agreement"]),
            "carrying_units": evidence.carriers if evidence.units else None,
            "tested_units": evidence.units,
        }
    )
