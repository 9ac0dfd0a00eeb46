"""Held-out decoding: how well can a label be read from the latents?

The decoder takes the nearest neighbours, because a code need not be linear in the latents. A score of 0 is chance
(the mean label, or a guessed class) and 1 is perfect.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xcebra_nwb.xcebra.sampling.groups import Integers

NEIGHBOURS = (5, 25, 125)  # candidates; chosen inside the training part
MOST_SCORED = 5_000  # samples on which a decoder is chosen and scored, evenly spaced; more hardly change it
INNER_SHARE = 0.25  # end of the training part, on which the number of neighbours is chosen
METRICS = {
    "continuous": "R2",
    "circular": "R2 of the direction",
    "discrete": "balanced accuracy above chance",
}


class Decoded(NamedTuple):
    """A label as it was decoded from the test samples.

    Attributes:
        score: The score of :data:`METRICS`; NaN if there are too few samples or nothing varies.
        samples: Numbers of the samples that were decoded, shape (test sample,).
        values: What was decoded, shape (test sample, axis), in rad if the label is circular; NaN if there are too few
            samples. Class codes (test sample,) if it is discrete; -1 where no class can be told.
    """

    score: float
    samples: NDArray
    values: NDArray


class Decoder:
    """Decode several labels from the same latents.

    The neighbours of the samples are searched once and used for every label.
    """

    def __init__(self, latents: NDArray, train: NDArray, test: NDArray) -> None:
        """Set the samples that decoders are fitted to and tested on.

        Args:
            latents: Latents, shape (sample, latent).
            train: Numbers of the training samples, ascending in time.
            test: Numbers of the test samples.
        """
        self._latents, self._train, self._test = latents, train, evenly(test, MOST_SCORED)
        self._chosen_on: tuple[NDArray, NDArray, NDArray] | None = None
        self._near: dict[int, Integers] = {}  # by the number of neighbours

    def score(self, values: NDArray, kind: str) -> float:
        """Return how well a label is decoded from the test samples.

        Args:
            values: Label (sample, axis), in rad if it is circular; class codes (sample,) if it is discrete.
            kind: ``continuous``, ``circular`` or ``discrete``.

        Returns:
            The score of :data:`METRICS`; NaN if there are too few samples or nothing varies.
        """
        return self.decode(values, kind).score

    def decode(self, values: NDArray, kind: str) -> Decoded:
        """Return what is decoded from the test samples, and how well.

        Args:
            values: Label (sample, axis), in rad if it is circular; class codes (sample,) if it is discrete.
            kind: ``continuous``, ``circular`` or ``discrete``.
        """
        if len(self._test) < 2 or len(self._train) < 2 * min(NEIGHBOURS):
            blank = np.full_like(values[self._test], -1 if kind == "discrete" else np.nan)
            return Decoded(math.nan, self._test, blank)
        targets = np.hstack([np.cos(values), np.sin(values)]) if kind == "circular" else values
        read = _guessed if kind == "discrete" else _mean
        fitting, choosing, near = self._inside_training()
        trial = {k: read(targets, near[:, :k], fitting, choosing).score for k in NEIGHBOURS if k <= near.shape[1]}
        best = max(trial, key=lambda k: np.nan_to_num(trial[k], nan=-np.inf))
        found = read(targets, self._nearest(best), self._train, self._test)
        return found._replace(values=_angles(found.values)) if kind == "circular" else found

    def _inside_training(self) -> tuple[NDArray, NDArray, NDArray]:
        """The two parts of the training samples, and the neighbours of the second in the first."""
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
    """Return how well one label is decoded from the latents.

    Args:
        latents: Latents, shape (sample, latent).
        values: Label (sample, axis), in rad if it is circular; class codes (sample,) if it is discrete.
        train: Numbers of the training samples, ascending in time.
        test: Numbers of the test samples.
        kind: ``continuous``, ``circular`` or ``discrete``.

    Returns:
        The score of :data:`METRICS`: 0 is chance and 1 is perfect.

    >>> latents = np.linspace(0, 1, 200)[:, None]
    >>> score = decoding_score(latents, 3 * latents, np.arange(0, 200, 2), np.arange(1, 200, 2), "continuous")
    >>> round(score, 3)
    1.0
    """
    return Decoder(latents, train, test).score(values, kind)


def nearest(latents: NDArray, train: NDArray, test: NDArray, count: int) -> Integers:
    """Return the training samples that are nearest to each test sample.

    Args:
        latents: Latents, shape (sample, latent).
        train: Numbers of the samples among which neighbours are searched.
        test: Numbers of the samples whose neighbours are searched.
        count: Number of neighbours; all training samples if there are fewer.

    Returns:
        Sample numbers (test sample, neighbour), the nearest first.

    >>> nearest(np.array([[0.0], [1.0], [5.0], [1.2]]), np.array([0, 1, 2]), np.array([3]), 2).tolist()
    [[1, 0]]
    """
    count = min(count, len(train))
    _, near = cKDTree(latents[train]).query(latents[test], count)
    result: Integers = train[near.reshape(len(test), count)]
    return result


def evenly(samples: NDArray, most: int) -> NDArray:
    """Return at most ``most`` of ``samples``, evenly spaced.

    >>> evenly(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    return samples[:: max(1, math.ceil(len(samples) / most))]


def explained(values: NDArray, predicted: NDArray) -> float:
    """Return the share of variance (R2) that a prediction explains.

    Args:
        values: Values, shape (sample, axis); axes that do not vary are left out.
        predicted: Predicted values, same shape.

    Returns:
        R2 over all axes together; NaN if no axis varies.

    >>> round(explained(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [1.0]])), 2)
    0.5
    """
    varying = np.ptp(values, axis=0) > 0
    values, predicted = values[:, varying], predicted[:, varying]
    if not varying.any():
        return float("nan")
    left, whole = values - predicted, values - values.mean(axis=0)
    return float(1 - np.square(left).sum(dtype=np.float64) / np.square(whole).sum(dtype=np.float64))


def _mean(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> Decoded:
    """The mean of the neighbours; its score is R2."""
    values = targets[near].mean(axis=1)
    return Decoded(explained(targets[test], values), test, values)


def _angles(directions: NDArray) -> NDArray:
    """Return the angles from 0 to 2 pi (sample, axis) of cosines, followed by sines."""
    cosine, sine = np.hsplit(directions, 2)
    return np.mod(np.arctan2(sine, cosine), 2 * np.pi)


def _guessed(targets: NDArray, near: NDArray, train: NDArray, test: NDArray) -> Decoded:
    """The class of most neighbours; its score is the balanced accuracy, rescaled so that guessing scores 0.

    Of the classes that occur in both parts: of one that does not, nothing can be said.
    """
    classes = np.intersect1d(targets[test], targets[train])
    if len(classes) < 2:
        return Decoded(math.nan, test, np.full(len(test), -1, targets.dtype))
    votes = np.stack([(targets[near] == c).sum(axis=1) for c in classes], axis=1)
    guessed = classes[votes.argmax(axis=1)]
    accuracy = np.mean([np.mean(guessed[targets[test] == c] == c) for c in classes])
    return Decoded(float((accuracy - 1 / len(classes)) / (1 - 1 / len(classes))), test, guessed)
