"""Decoding across sessions of a shared latent space.

A label is read in one session by decoders that know the latents of other sessions only. Encoders that were trained
separately have latents of their own, and a decoder of one session fails in another. In a shared latent space it need
not: the score says how far the latents of a label mean the same in all sessions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.assess.evidence import mean_of_known
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.core.members import Key, blocks, keys
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import labels, load
from xcebra_nwb.training.design.shared_labels import comparable
from xcebra_nwb.xcebra.decoding import METRICS, decoding_score

ALONE = "the session was trained by itself"
METRIC = "nearest neighbours in the label's block, fitted to the training part of other sessions"
Files = tuple[xr.Dataset, xr.Dataset, xr.Dataset]  # session, training, embedding


@dataclass(frozen=True)
class View:
    """One session of the shared space: its latents and the member of each row."""

    latents: Latents
    members: list[Key]

    def block(self, member: Key, block: tuple[int, int]) -> NDArray:
        """Return the latents (sample, latent) of a label's block."""
        return self.latents.values[self.members.index(member)][:, block[0] : block[1]]

    def label(self, name: str, member: Key) -> NDArray:
        """Return the label as the member saw it."""
        return self.latents.label(name, self.members.index(member))


def across_sessions(directory: Path, session_files: Files) -> dict[str, Any]:
    """Return how well decoders of other sessions read the labels of a session.

    The other sessions are those that share its latent space.

    Args:
        directory: folder of the session; its training.nc names the others relative to it.
        session_files: session, training and embedding of the session.

    Returns:
        The names of the other sessions, the reason why some or all are missing, and by label the scores.
    """
    training = session_files[1]
    others, missing = _others(directory, training)
    opened = [session_files, *others.values()]
    sessions = comparable([session for session, _, _ in opened])
    views = [View(Latents(s, t, e), keys(t)) for s, (_, t, e) in zip(sessions, opened, strict=True)]
    kinds = {name: str(label.attrs["kind"]) for name, label in labels(sessions[0]).items()}
    judged = blocks(training) if others else {}
    scored = {name: _label(name, kinds[name], block, views, list(others)) for name, block in judged.items()}
    return {"sessions": list(others), "reason": "; ".join(missing) if others or missing else ALONE, "labels": scored}


def _others(directory: Path, training: xr.Dataset) -> tuple[dict[str, Files], list[str]]:
    """The files of the other sessions of the space, by name, and why those of some are not there."""
    named: dict[str, str] = {}
    for attr in ("trained_with", "aligned_to"):
        named |= json.loads(training.attrs.get(attr, "{}"))
    opened: dict[str, Files] = {}
    missing = []
    for name, where in named.items():
        folder = directory / where
        if not (folder / "training.nc").exists():
            missing.append(f"{name} is not at {where}")
            continue
        other = load_dataset(folder / "training.nc")
        if other.attrs.get("space") != training.attrs["space"]:
            missing.append(f"{name} was trained again since")
            continue
        opened[name] = (load(folder / "session.nc"), other, load_dataset(folder / "embedding.nc", ("embedding",)))
    return opened, missing


def _label(
    name: str, kind: str, block: tuple[int, int], views: Sequence[View], others: Sequence[str]
) -> dict[str, Any]:
    tested, *rest = views

    def score(member: Key, fitted: Sequence[View]) -> float:
        return _score(name, kind, block, member, tested, fitted)

    chosen = (tested.latents.seeds, tested.latents.nulls(name))
    seeds, nulls = ([tested.members[number] for number in numbers] for numbers in chosen)
    by_seed = [score(member, rest) for member in seeds]
    return {
        "score": mean_of_known(by_seed),
        "seeds": by_seed,
        "nulls": [score(member, rest) for member in nulls],
        "by_session": {
            other: mean_of_known([score(member, [view]) for member in seeds])
            for other, view in zip(others, rest, strict=True)
        },
        "metric": f"{METRICS[kind]} ({METRIC})",
    }


def _score(name: str, kind: str, block: tuple[int, int], member: Key, tested: View, fitted: Sequence[View]) -> float:
    """Return the score on the held-out part of ``tested`` of a decoder of all of ``fitted``.

    It is fitted to as many samples as one of them has.
    """
    every = [*fitted, tested]
    latents = np.concatenate([view.block(member, block) for view in every])
    values = np.concatenate([view.label(name, member) for view in every])
    first = np.cumsum([0, *(len(view.latents.bins) for view in fitted)])
    train = [start + view.latents.train[:: len(fitted)] for start, view in zip(first, fitted, strict=False)]
    return decoding_score(latents, values, np.concatenate(train), first[-1] + tested.latents.test, kind)
