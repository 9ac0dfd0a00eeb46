"""The course of a label in time: its steps, its visits, and other labels that predict it.

At its optimum the Euclidean similarity is an isotropic Gaussian kernel, the same everywhere. So the random steps by
which positives are drawn must be alike in every direction, without leaps, and small against the label's range: a
positive is then nearer than a negative. Values that were seen once cannot be told from the time at which they were
seen. And of two labels that predict each other nothing in the recording tells the codes apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.spatial import cKDTree

from xcebra_nwb.core.session import label_features, labels
from xcebra_nwb.xcebra.decoding import Decoder, decoding_score

Floats = NDArray[np.float64]
LEAP = 6.0  # robust standard deviations; one Gaussian step in 500 million goes further
TO_DEVIATION = 1.4826  # median absolute deviation to standard deviation, for a Gaussian
UNIFORM_ANGLE = np.pi / np.sqrt(3)  # rad, standard deviation of an angle spread evenly
MOST_STEPS = 5000  # steps whose length is predicted, evenly spaced
STRETCHES = 10  # of the recording; every other one is held out
WINDOWS = 5.0  # correlation times after which the correlation is taken to be noise (Sokal 1997)
NEAR = 0.25  # standard deviations within which a value counts as seen


@dataclass(frozen=True)
class Kernel:
    """Statistics of random steps; NaN where the label does not vary.

    Attributes:
        size: root mean square of a step over the label's standard deviation, on the axis where it is largest. A label
            that is drawn anew in every bin has the square root of 2.
        anisotropy: largest over smallest variance of the steps over all directions.
        leaps: share of the steps' variance that comes from leaps.
    """

    size: float
    anisotropy: float
    leaps: float


def kernel_statistics(points: Floats, moved: Floats, circular: bool) -> Kernel:
    """Return the statistics of the steps from ``points`` to ``moved``.

    Args:
        points: labels of references (sample, axis), in rad if circular, in the space in which the nearest sample is
            looked for (:class:`xcebra_nwb.training.design.label_space.LabelSpace`).
        moved: the same after a random step.
        circular: whether the label is an angle.

    >>> points = np.array([[0.0], [1.0], [0.0], [1.0]])
    >>> round(kernel_statistics(points, points + 0.1, circular=False).size, 6)
    0.2
    """
    spread = np.array([UNIFORM_ANGLE]) if circular else points.std(axis=0)
    if not (spread > 0).any():
        return Kernel(math.nan, math.nan, math.nan)
    steps = (_shorter_way(moved - points) if circular else moved - points)[:, spread > 0]
    size = float(np.sqrt(np.square(steps).mean(axis=0) / np.square(spread[spread > 0])).max())
    variances = np.linalg.eigvalsh(steps.T @ steps / len(steps))
    anisotropy = float(variances[-1] / variances[0]) if variances[0] > 0 else math.inf
    return Kernel(size, anisotropy, _leaps(steps))


def _shorter_way(steps: Floats) -> Floats:
    """Steps of an angle by the shorter way round."""
    return (steps + np.pi) % (2 * np.pi) - np.pi


def _leaps(steps: Floats) -> float:
    """The share of the steps' variance beyond :data:`LEAP` robust deviations, of the steps that are not zero."""
    moving = np.where(steps == 0, np.nan, steps)
    if np.isnan(moving).all(axis=0).any():
        return math.nan
    far = np.abs(steps) > LEAP * TO_DEVIATION * np.nanmedian(np.abs(moving), axis=0)
    return float(np.square(steps)[far].sum() / np.square(steps).sum())


def steps_by_value(values: Floats, follows: NDArray[np.bool_], kind: str) -> float:
    """Return how well the length of a label's steps follows from its value.

    Args:
        values: the label (sample, axis), rad if circular.
        follows: whether the next sample follows without a gap, (sample - 1,).
        kind: continuous or circular.

    Returns:
        Held-out R2 of a nearest-neighbour regression.
    """
    taken = np.flatnonzero(follows)
    taken = taken[:: max(1, math.ceil(len(taken) / MOST_STEPS))]
    features = label_features(values, kind)
    length = np.linalg.norm(features[taken + 1] - features[taken], axis=1)[:, None]
    stretch = STRETCHES * np.arange(len(taken)) // max(len(taken), 1) % 2
    train, test = np.flatnonzero(stretch == 0), np.flatnonzero(stretch == 1)
    return decoding_score(features[taken], length, train, test, "continuous")


def independent_samples(targets: Floats) -> float:
    """Return how many independent samples ``targets`` (sample, axis) are worth.

    That is their number over the correlation time: the integrated autocorrelation time with Sokal's window (1997,
    Functional Integration, NATO ASI B361:131-192).

    >>> round(independent_samples(np.random.default_rng(0).normal(size=(1000, 1))) / 1000, 1)
    1.0
    >>> independent_samples(np.ones((100, 1)))
    1.0
    """
    centred = targets - targets.mean(axis=0)
    count = len(centred)
    spectrum = rfft(centred, 2 * count, axis=0)
    correlation = irfft(np.square(np.abs(spectrum)), axis=0)[:count].sum(axis=1)
    if not correlation[0] > 0:
        return 1.0
    time = 2 * np.cumsum(correlation / correlation[0]) - 1
    settled = np.arange(count) >= WINDOWS * time
    return float(count / max(time[np.argmax(settled)] if settled.any() else count, 1.0))


def fewest_visits(codes: NDArray[np.int64]) -> int:
    """Return how often the least visited class in ``codes`` (sample,) was entered.

    A visit ends only when another class is entered.

    >>> fewest_visits(np.array([0, 0, 1, 1, 0, 2, 2]))
    1
    """
    entered = np.r_[True, codes[1:] != codes[:-1]]
    return int(np.unique(codes[entered], return_counts=True)[1].min())


def covered_share(targets: Floats, train: NDArray, test: NDArray) -> float:
    """Return the share of held-out samples with a value that training saw.

    Args:
        targets: the label at unit variance (sample, axis).
        train: numbers of the training samples.
        test: numbers of the held-out samples.

    >>> covered_share(np.array([[0.0], [1.0], [0.1], [5.0]]), np.array([0, 1]), np.array([2, 3]))
    0.5
    """
    if not len(train) or not len(test):
        return float("nan")
    distance, _ = cKDTree(targets[train]).query(targets[test])
    return float(np.mean(distance <= NEAR))


def predicted_by_others(
    session: xr.Dataset, bins: NDArray, train: NDArray, test: NDArray
) -> dict[str, dict[str, float]]:
    """Return how well every label follows from every other label.

    Args:
        session: session.nc.
        bins: the usable bins, ascending, (sample,).
        train: numbers of the training samples, ascending.
        test: numbers of the held-out samples.

    Returns:
        By label and other label the held-out score: 0 at chance, 1 perfect.
    """
    known = {name: (label.values[bins], str(label.attrs["kind"])) for name, label in labels(session).items()}
    decoders = {name: Decoder(label_features(*label), train, test) for name, label in known.items()}

    def scores(name: str) -> dict[str, float]:
        values, kind = known[name]
        targets = values if kind == "discrete" else values.reshape(len(bins), -1)
        return {other: decoder.score(targets, kind) for other, decoder in decoders.items() if other != name}

    return {name: scores(name) for name in known}
