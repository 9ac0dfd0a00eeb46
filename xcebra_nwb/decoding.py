"""Held-out decoding: can the label be read from the latents in stretches of the recording that trained nothing?

Nearest neighbours, because a code need not be linear in the latents. Every score is 0 at chance (always the mean, or
guessing the class) and 1 when perfect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.float64]
NEIGHBOURS = (5, 25, 125)  # candidates; chosen inside the training part
INNER_SHARE = 0.25  # of the training part, its end, on which the number of neighbours is chosen
METRICS = {
    "continuous": "R2",
    "circular": "R2 of the direction",
    "discrete": "balanced accuracy above chance",
}


def decoding_score(latents: Floats, values: NDArray, train: NDArray, test: NDArray, kind: str) -> float:
    """Return the score on samples ``test`` of a decoder fitted to samples ``train``, or NaN if nothing can be scored.

    Args:
        latents: (sample, latent).
        values: (sample, axis); rad for a circular label; class codes (sample,) for a discrete one.
        train: sample numbers, ascending in time.
        test: sample numbers.
        kind: continuous, circular or discrete.
    """
    if len(test) < 2 or len(train) < 2 * min(NEIGHBOURS):
        return float("nan")
    targets = np.hstack([np.cos(values), np.sin(values)]) if kind == "circular" else values
    score = _class_score if kind == "discrete" else _regression_score
    inner = len(train) - int(INNER_SHARE * len(train))
    fitting, choosing = train[:inner], train[inner:]
    near = _neighbours(latents, fitting, choosing)
    trial = {k: score(targets, near[:, :k], fitting, choosing) for k in NEIGHBOURS if k <= near.shape[1]}
    best = max(trial, key=lambda k: np.nan_to_num(trial[k], nan=-np.inf))
    return score(targets, _neighbours(latents, train, test)[:, :best], train, test)


def label_features(values: NDArray, kind: str) -> Floats:
    """Return a label's values as features (sample, feature) of like size: what another label is predicted from.

    Args:
        values: (sample,) or (sample, axis); rad for a circular label; codes for a discrete one.
        kind: continuous, circular or discrete.
    """
    if kind == "discrete":
        return (values[:, None] == np.unique(values)).astype(np.float64)
    columns = values.reshape(len(values), -1).astype(np.float64)
    if kind == "circular":
        return np.hstack([np.cos(columns), np.sin(columns)])
    return (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-12)


def _neighbours(latents: NDArray, train: NDArray, test: NDArray) -> NDArray[np.int64]:
    """The training samples nearest to each test sample, nearest first: (test, neighbour)."""
    count = min(max(NEIGHBOURS), len(train))
    found = NearestNeighbors(n_neighbors=count, algorithm="kd_tree").fit(latents[train])
    return train[found.kneighbors(latents[test], return_distance=False)]


def _regression_score(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> float:
    if not np.any(np.var(targets[test], axis=0) > 0):
        return float("nan")
    return float(r2_score(targets[test], targets[near].mean(axis=1), multioutput="variance_weighted"))


def _class_score(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> float:
    """Balanced accuracy over the classes that both parts hold, rescaled so that guessing scores 0."""
    classes = np.intersect1d(targets[test], targets[train])
    if len(classes) < 2:
        return float("nan")
    votes = np.stack([(targets[near] == c).sum(axis=1) for c in classes], axis=1)
    guessed = classes[votes.argmax(axis=1)]
    accuracy = np.mean([np.mean(guessed[targets[test] == c] == c) for c in classes])
    return float((accuracy - 1 / len(classes)) / (1 - 1 / len(classes)))
