"""Data on which one condition of the theory fails: each function draws it and returns the session and its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.simulate.synthetic import SHARED, STEP, UNITS, Synthetic, synthetic
from xcebra_nwb.benchmark.simulate.walk import truncated_walk

Floats = NDArray[np.float64]
Generator = np.random.Generator
LABEL = "target"  # the latents that only the second population sees
CONTEXT = "context"  # those that both see
LATENTS = 6
COUNT = 0.5  # mean spikes a bin of a unit
SMOOTHING = 0.1  # s, where there are spikes


@dataclass(frozen=True)
class Drawn:
    """A session, which unit carries the label, and the true latents."""

    session: xr.Dataset
    carries: dict[str, NDArray[np.bool_]]
    latents: Floats


def _usual(bins: int, generator: Generator) -> Synthetic:
    return synthetic(_walk(bins, generator), generator)


def _walk(bins: int, generator: Generator, steps: tuple[float, ...] = (STEP,) * SHARED, jumps: float = 0.0) -> Floats:
    """Shared latents on the usual walk, the others with other ``steps`` and ``jumps``."""
    shared = truncated_walk(bins, np.full(SHARED, STEP), generator)
    return np.hstack([shared, truncated_walk(bins, np.array(steps), generator, jumps)])


def _drawn(data: Synthetic, activity: Floats | None = None, label: Floats | None = None, **session: object) -> Drawn:
    seen = data.rates if activity is None else activity
    named = {LABEL: data.latents[:, SHARED:] if label is None else label}
    return Drawn(session_of(seen, named, **session), {LABEL: data.carries[-1]}, data.latents)  # type: ignore[arg-type]


def intact(bins: int, generator: Generator) -> Drawn:
    """Every condition holds."""
    return _drawn(_usual(bins, generator))


def folded(bins: int, generator: Generator) -> Drawn:
    """The mixing is not injective: units see the absolute value of the label's first axis."""
    walk = _walk(bins, generator)
    seen = walk.copy()
    seen[:, SHARED] = np.abs(seen[:, SHARED])
    return _drawn(synthetic(seen, generator), label=walk[:, SHARED:])


def anisotropic(bins: int, generator: Generator) -> Drawn:
    """The label's axes move at paces that differ a hundredfold."""
    return _drawn(synthetic(_walk(bins, generator, (STEP, STEP / 10, STEP / 100)), generator))


def jumping(bins: int, generator: Generator) -> Drawn:
    """Every tenth step of the label is a jump to anywhere."""
    return _drawn(synthetic(_walk(bins, generator, jumps=0.1), generator))


def confounded(bins: int, generator: Generator) -> Drawn:
    """The shared latents, a label too, are the label but for a little of their own."""
    walk = _walk(bins, generator)
    walk[:, :SHARED] = 0.95 * walk[:, SHARED:] + 0.05 * walk[:, :SHARED]
    data = synthetic(walk, generator)
    labels = {LABEL: walk[:, SHARED:], CONTEXT: walk[:, :SHARED]}
    carries = {LABEL: data.carries[-1], CONTEXT: data.carries[0]}
    return Drawn(session_of(data.rates, labels), carries, walk)


def noisy(bins: int, generator: Generator) -> Drawn:
    """White noise of the size of the signal on every unit."""
    data = _usual(bins, generator)
    noise = data.rates.std(axis=0) * generator.standard_normal(data.rates.shape)
    return _drawn(data, activity=data.rates + noise)


def spiking(bins: int, generator: Generator) -> Drawn:
    """Poisson counts of half a spike a bin, smoothed."""
    data = _usual(bins, generator)
    counts = generator.poisson(COUNT * (1 + data.rates)).astype(float)
    return _drawn(data, activity=counts, units="count", smoothing=SMOOTHING)


def interrupted(bins: int, generator: Generator) -> Drawn:
    """Two fifths of the recording were not observed, in stretches of a second on average."""
    data = _usual(bins, generator)
    borders = np.cumsum(generator.geometric(1 / 20, size=bins))
    stretch = np.searchsorted(borders, np.arange(bins), side="right")
    return _drawn(data, valid=stretch % 5 > 1)


def unrelated(bins: int, generator: Generator) -> Drawn:
    """The label has nothing to do with the units: nobody carries it."""
    data = _usual(bins, generator)
    session = session_of(data.rates, {LABEL: _walk(bins, generator)[:, SHARED:]})
    return Drawn(session, {LABEL: np.zeros(2 * UNITS, dtype=bool)}, data.latents)


Draw = Callable[[int, Generator], Drawn]
