"""Cells whose tuning is known: their spikes, or their rates with RatInABox's noise on a coarse clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ratinabox import Agent
from scipy.signal import lfilter

from xcebra_nwb.benchmark.simulate.trajectory import FRAME, Trajectory, contained, walk, walking_agent
from xcebra_nwb.benchmark.simulate.tuning import mixed_tuning, pure_tuning

Floats = NDArray[np.float64]
PEAK_RATE = (10.0, 20.0)  # Hz, drawn per cell; speed cells reach it at the mean speed plus one standard deviation
BASELINE = (0.1, 0.5)  # Hz, drawn per cell
SAMPLE = 1 / 30_000  # s, the clock that spikes are counted on
COHERENCE = 0.5  # s, over which RatInABox's rate noise forgets


@dataclass(frozen=True)
class Population:
    """Spikes and their truth.

    Attributes:
        cell_type: what each unit is tuned to (:data:`xcebra_nwb.core.ground_truth.CARRIERS`), (unit,).
        rate: Hz, in every frame, (unit, time).
        spike_times: s, one sorted array for each unit.
    """

    cell_type: list[str]
    rate: np.ndarray
    spike_times: list[np.ndarray]


def population(
    agent: Agent,
    trajectory: Trajectory,
    cells: int,
    generator: np.random.Generator,
    rates: float = 1.0,
    mixed: bool = False,
) -> Population:
    """Return units of known tuning, in an order that does not tell their type.

    RatInABox draws fields and grids from numpy's global state: call this inside
    :func:`xcebra_nwb.benchmark.simulate.trajectory.contained`.

    Args:
        agent: RatInABox's agent.
        trajectory: of the animal.
        cells: number of units of each type.
        generator: source of the draws.
        rates: factor of all rates.
        mixed: whether units are tuned to two labels (:func:`mixed_tuning`) rather than one (:func:`pure_tuning`).
    """
    tuning = (mixed_tuning if mixed else pure_tuning)(agent, trajectory, cells, generator)
    order = generator.permutation(cells * len(tuning))
    cell_type = np.repeat(list(tuning), cells)[order]
    peak = generator.uniform(*PEAK_RATE, size=(len(order), 1))
    baseline = generator.uniform(*BASELINE, size=(len(order), 1))
    rate = rates * (baseline + peak * np.concatenate(list(tuning.values()))[order])  # (unit, time)
    return Population(cell_type.tolist(), rate, poisson_spikes(rate, generator))


def poisson_spikes(rate: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Return the spike times of inhomogeneous Poisson processes.

    Args:
        rate: Hz, constant within a frame, (unit, time); the first frame starts at 0.
        generator: source of the draws.

    Returns:
        s, one sorted array for each unit.

    >>> [len(times) for times in poisson_spikes(np.zeros((2, 50)), np.random.default_rng(0))]
    [0, 0]
    """
    return [_spikes_of_one(row, generator) for row in rate]


def _spikes_of_one(rate: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    frame = np.repeat(np.arange(len(rate)), generator.poisson(rate * FRAME))
    times = np.sort((frame + generator.uniform(size=len(frame))) * FRAME)
    return np.unique(np.floor(times / SAMPLE)) * SAMPLE  # no neuron fires twice within a sample


@dataclass(frozen=True)
class Rates:
    """Noisy rates, the positions of the animal, and the tuning of each unit."""

    activity: Floats  # (time, unit), 1 at a cell's peak
    position: Floats  # (time, 2) m
    cell_type: list[str]  # (unit,)


def ratinabox_rates(duration: float, bin_width: float, cells: int, noise: float, seed: int) -> Rates:
    """Return the noisy rates of RatInABox cells on a real rat's walk.

    The paper's second experiment is trained on them.

    Args:
        duration: s.
        bin_width: s, a multiple of the tracking's frame.
        cells: number of units of each type of :func:`pure_tuning`.
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
    """Return an Ornstein-Uhlenbeck process (time, unit) of variance 1.

    Args:
        shape: numbers of bins and of units.
        coherence: correlation time in bins.
        generator: source of the draws.

    >>> coherent_noise((3, 2), 5.0, np.random.default_rng(0)).shape
    (3, 2)
    """
    kept = np.exp(-1 / coherence)
    white = generator.standard_normal(shape)
    white[1:] *= np.sqrt(1 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], white, axis=0))
