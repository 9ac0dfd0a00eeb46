"""Held-out decoding: can the label be read from the latents in stretches of the recording that trained nothing?

Nearest neighbours, because a code need not be linear in the latents. Every score is 0 at chance (always the mean, or
guessing the class) and 1 when perfect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xcebra_nwb.xcebra.sampling.groups import Integers

NEIGHBOURS = (5, 25, 125)  # candidates; chosen inside the training part
MOST_SCORED = 5_000  # samples that a decoder is chosen and scored on, evenly spaced; more hardly change the score
INNER_SHARE = 0.25  # of the training part, its end, on which the number of neighbours is chosen
METRICS = {
    "continuous": "R2",
    "circular": "R2 of the direction",
    "discrete": "balanced accuracy above chance",
}


class Decoder:
    """Decoders of labels from the same samples: neighbours are looked for once, whatever is read there."""

    def __init__(self, latents: NDArray, train: NDArray, test: NDArray) -> None:
        """Take what decoders are fitted to and tested on.

        Args:
            latents: (sample, latent).
            train: sample numbers, ascending in time.
            test: sample numbers.
        """
        self._latents, self._train, self._test = latents, train, evenly(test, MOST_SCORED)
        self._chosen_on: tuple[NDArray, NDArray, NDArray] | None = None
        self._near: dict[int, Integers] = {}  # by the number of neighbours

    def score(self, values: NDArray, kind: str) -> float:
        """Return the score of the label ``values`` on the test samples, or NaN if nothing can be scored.

        Args:
            values: (sample, axis); rad for a circular label; class codes (sample,) for a discrete one.
            kind: continuous, circular or discrete.
        """
        if len(self._test) < 2 or len(self._train) < 2 * min(NEIGHBOURS):
            return float("nan")
        targets = np.hstack([np.cos(values), np.sin(values)]) if kind == "circular" else values
        score = _class_score if kind == "discrete" else _regression_score
        fitting, choosing, near = self._inside_training()
        trial = {k: score(targets, near[:, :k], fitting, choosing) for k in NEIGHBOURS if k <= near.shape[1]}
        best = max(trial, key=lambda k: np.nan_to_num(trial[k], nan=-np.inf))
        return score(targets, self._nearest(best), self._train, self._test)

    def _inside_training(self) -> tuple[NDArray, NDArray, NDArray]:
        """The training part divided, and for each sample of its end the neighbours in its beginning."""
        if self._chosen_on is None:
            inner = len(self._train) - int(INNER_SHARE * len(self._train))
            fitting, choosing = self._train[:inner], evenly(self._train[inner:], MOST_SCORED)
            self._chosen_on = fitting, choosing, nearest(self._latents, fitting, choosing, max(NEIGHBOURS))
        return self._chosen_on

    def _nearest(self, count: int) -> Integers:
        if count not in self._near:
            self._near[count] = nearest(self._latents, self._train, self._test, count)
        return self._near[count]


def decoding_score(latents: NDArray, values: NDArray, train: NDArray, test: NDArray, kind: str) -> float:
    """Return the score of a single label: see :class:`Decoder`."""
    return Decoder(latents, train, test).score(values, kind)


def nearest(latents: NDArray, train: NDArray, test: NDArray, count: int) -> Integers:
    """Return the ``count`` training samples (all, if there are fewer) nearest to each test sample, nearest first.

    Args:
        latents: (sample, latent).
        train: sample numbers among which neighbours are looked for.
        test: sample numbers.
    """
    count = min(count, len(train))
    _, near = cKDTree(latents[train]).query(latents[test], count)
    result: Integers = train[near.reshape(len(test), count)]
    return result


def evenly(samples: NDArray, most: int) -> NDArray:
    """Return at most ``most`` of ``samples``, evenly spaced."""
    return samples[:: max(1, math.ceil(len(samples) / most))]


def explained(values: NDArray, predicted: NDArray) -> float:
    """Return R2, over all axes (sample, axis) together; NaN where nothing varies."""
    varying = np.ptp(values, axis=0) > 0
    values, predicted = values[:, varying], predicted[:, varying]
    if not varying.any():
        return float("nan")
    left, whole = values - predicted, values - values.mean(axis=0)
    return float(1 - np.square(left).sum(dtype=np.float64) / np.square(whole).sum(dtype=np.float64))


def _regression_score(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> float:
    return explained(targets[test], targets[near].mean(axis=1))


def _class_score(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> float:
    """Balanced accuracy over the classes that both parts hold, rescaled so that guessing scores 0."""
    classes = np.intersect1d(targets[test], targets[train])
    if len(classes) < 2:
        return float("nan")
    votes = np.stack([(targets[near] == c).sum(axis=1) for c in classes], axis=1)
    guessed = classes[votes.argmax(axis=1)]
    accuracy = np.mean([np.mean(guessed[targets[test] == c] == c) for c in classes])
    return float((accuracy - 1 / len(classes)) / (1 - 1 / len(classes)))
