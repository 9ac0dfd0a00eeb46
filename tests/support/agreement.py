"""Compare what ``inspect`` foresees of a file with what extraction does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.session import labels
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.inventory.models import Inventory
from xcebra_nwb.training.design.split import trainable_split


def disagreement(path: Path) -> str:
    """Return how foresight and extraction with the default config differ, "" if they agree."""
    foreseen, done = _foreseen(path), _done(path)
    return "" if foreseen == done else f"inspect: {foreseen}\nextract: {done}"


def _foreseen(path: Path) -> dict[str, Any]:
    try:
        told = inventory(path, check=trainable_split)
    except XcebraError as error:
        return _refusal(error)
    return _of(told)


def _of(told: Inventory) -> dict[str, Any]:
    if told.refusal is not None:
        return told.refusal.model_dump()
    auto = told.automatic
    return {
        "neural": ", ".join(auto.neural),
        "labels": {label.name: (label.source, label.kind) for label in auto.labels},
        "choices": auto.choices,
        "masks": auto.masks,
        "left": (auto.units, auto.bins_in_use, auto.bins, auto.bin_width),
    }


def _done(path: Path) -> dict[str, Any]:
    config = validate({})
    try:
        session = extract_session(path, config, "one")
        trainable_split(session, config)
    except XcebraError as error:
        return _refusal(error)
    used = int(np.sum(session["valid"].values))
    return {
        "neural": session.attrs["neural_source"],
        "labels": {name: (session[name].attrs["source"], session[name].attrs["kind"]) for name in labels(session)},
        "choices": decode_list(session.attrs["choices"]),
        "masks": json.loads(session.attrs["masks"]),
        "left": (session.sizes["unit"], used, session.sizes["time"], session.attrs["bin_width"]),
    }


def _refusal(error: XcebraError) -> dict[str, Any]:
    return {"code": getattr(error, "code", None), "reason": error.message, "remedy": error.remedy}
