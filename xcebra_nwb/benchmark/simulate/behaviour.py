"""Simulated behaviour: an animal that runs along a ring, and labels that change beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from xcebra_nwb.benchmark.arrays import BIN_WIDTH

Floats = NDArray[np.float64]
Labels = dict[str, Floats]  # by name, (time,)
LAP = 8.0  # s, mean duration of a lap
OSCILLATION = 2.0  # Hz, slow enough to be seen in bins of 50 ms
BLOCK = (30.0, 60.0)  # s, shortest and longest duration of a context
KIND_OF = {
    "place": "continuous",
    "ring": "circular",
    "speed": "continuous",
    "direction": "circular",
    "velocity": "continuous",
    "acceleration": "continuous",
    "phase": "circular",
    "context": "discrete",
    "trial_type": "discrete",
}
CLASSES = {"context": ["A", "B"], "trial_type": ["1", "2", "3", "4"]}


def behaviour(seconds: float, generator: np.random.Generator) -> Labels:
    """Return all labels by name, (time,).

    ``ring`` is the angle on a ring in rad. The animal runs forward at a ``speed`` (laps a second) that varies.
    ``place`` goes from 0 to 1 and back with every lap. ``direction``, ``velocity`` and ``acceleration`` walk at random,
    with correlation times of about 1, 1 and 0.3 s. ``phase`` is that of an oscillation at about 2 Hz. ``context``
    alternates in blocks of 30 to 60 s. ``trial_type`` changes with the lap.

    Args:
        seconds: duration, s.
        generator: source of the draws.
    """
    bins = round(seconds / BIN_WIDTH)
    speed = np.maximum(1 + 0.5 * walk(bins, 2.0, generator), 0.1) / LAP
    laps = generator.uniform() + np.cumsum(speed) * BIN_WIDTH
    turned = np.cumsum(0.24 * walk(bins, 1.0, generator))
    cycles = np.cumsum(OSCILLATION * (1 + 0.1 * walk(bins, 1.0, generator))) * BIN_WIDTH
    return {
        "place": np.abs(1 - 2 * (laps % 1)),
        "ring": 2 * np.pi * (laps % 1),
        "speed": speed,
        "direction": turned % (2 * np.pi),
        "velocity": walk(bins, 1.0, generator),
        "acceleration": walk(bins, 0.3, generator),
        "phase": 2 * np.pi * (cycles % 1),
        "context": _blocks(bins, generator),
        "trial_type": _trial_types(laps.astype(int), generator),
    }


def walk(bins: int, persistence: float, generator: np.random.Generator) -> Floats:
    """Return an Ornstein-Uhlenbeck process, (time,), smoothed over 0.1 s.

    Args:
        bins: number of bins.
        persistence: correlation time, s.
        generator: source of the draws.

    Returns:
        The process, with unit variance before it is smoothed.
    """
    kept = np.exp(-BIN_WIDTH / persistence)
    steps = generator.normal(size=bins) * np.sqrt(1 - kept**2)
    steps[0] = generator.normal()
    smooth: Floats = gaussian_filter1d(lfilter([1.0], [1.0, -kept], steps), 0.1 / BIN_WIDTH)
    return smooth


def change(bins: int, dwell: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return the bins in which a random telegraph changes, (time,).

    Args:
        bins: number of bins.
        dwell: mean time between two changes, s.
        generator: source of the draws.
    """
    return generator.uniform(size=bins) < BIN_WIDTH / dwell


def moved(values: Floats, seconds: float) -> Floats:
    """Return values (time,) as they will be ``seconds`` later; the ends are joined.

    >>> moved(np.arange(5.0), 0.05).tolist()
    [1.0, 2.0, 3.0, 4.0, 0.0]
    """
    rolled: Floats = np.roll(values, -round(seconds / BIN_WIDTH))
    return rolled


def _blocks(bins: int, generator: np.random.Generator) -> Floats:
    lengths = generator.uniform(*BLOCK, size=1 + int(bins * BIN_WIDTH / BLOCK[0]))
    ends = np.round(np.cumsum(lengths) / BIN_WIDTH)
    first = generator.integers(2)
    return ((np.searchsorted(ends, np.arange(bins), side="right") + first) % 2).astype(np.float64)


def _trial_types(lap: NDArray[np.int64], generator: np.random.Generator) -> Floats:
    """A type for every lap: each four laps have all four types in a random order."""
    rounds = 1 + (lap[-1] + 1) // 4
    types = np.concatenate([generator.permutation(4) for _ in range(rounds)])
    return types[lap].astype(np.float64)
