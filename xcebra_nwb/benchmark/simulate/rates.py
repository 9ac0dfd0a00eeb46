"""Firing rates of RatInABox's cells on a coarse clock, with its noise: what the paper's second experiment sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from xcebra_nwb.benchmark.simulate.ratinabox_state import contained
from xcebra_nwb.benchmark.simulate.trajectory import FRAME, walk, walking_agent
from xcebra_nwb.benchmark.simulate.tuning import pure_tuning

Floats = NDArray[np.float64]
COHERENCE = 0.5  # s, over which RatInABox's rate noise forgets


@dataclass(frozen=True)
class Rates:
    """Noisy rates, where the animal was, and what each unit is tuned to."""

    activity: Floats  # (time, unit), 1 at a cell's peak
    position: Floats  # (time, 2) m
    cell_type: list[str]  # (unit,)


def ratinabox_rates(duration: float, bin_width: float, cells: int, noise: float, seed: int) -> Rates:
    """Return the rates of ``cells`` of each type of :func:`pure_tuning` on a real rat's walk.

    Args:
        duration: s.
        bin_width: s, a multiple of the tracking's frame.
        cells: of each type.
        noise: standard deviation of the noise, in units of a cell's peak rate.
        seed: of all draws.
    """
    generator = np.random.default_rng(seed)
    with contained(generator):
        agent = walking_agent()
        trajectory = walk(agent, duration, generator)
        tuning = pure_tuning(agent, trajectory, cells, generator)
    every = slice(None, None, round(bin_width / FRAME))
    activity = np.concatenate([rates[:, every] for rates in tuning.values()]).T  # (time, unit)
    types = [name for name, rates in tuning.items() for _ in rates]
    noisy = activity + noise * coherent_noise(activity.shape, COHERENCE / bin_width, generator)
    return Rates(noisy, trajectory.position[every], types)


def coherent_noise(shape: tuple[int, int], coherence: float, generator: np.random.Generator) -> Floats:
    """Return an Ornstein-Uhlenbeck process (time, unit) of variance 1 that forgets over ``coherence`` bins."""
    kept = np.exp(-1 / coherence)
    white = generator.standard_normal(shape)
    white[1:] *= np.sqrt(1 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], white, axis=0))
