"""Cells whose tuning is known, and their spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ratinabox import Agent

from xcebra_nwb.benchmark.simulate.trajectory import FRAME, Trajectory
from xcebra_nwb.benchmark.simulate.tuning import mixed_tuning, pure_tuning

PEAK_RATE = (10.0, 20.0)  # Hz, drawn per cell; speed cells reach it at the mean speed plus one standard deviation
BASELINE = (0.1, 0.5)  # Hz, drawn per cell
SAMPLE = 1 / 30_000  # s, the clock that spikes are counted on


@dataclass(frozen=True)
class Population:
    """Spikes and the truth about them.

    Attributes:
        cell_type: ``(unit,)``, what each unit is tuned to (:data:`xcebra_nwb.benchmark.simulate.truth.CARRIERS`).
        rate: ``(unit, time)`` Hz, the rate in every frame.
        spike_times: one sorted array a unit, s.
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
    """Return ``cells`` units of each type, in an order that says nothing of the type; all rates times ``rates``.

    The types are those of :func:`pure_tuning`, or, if ``mixed``, of :func:`mixed_tuning`.

    RatInABox draws fields and grids from numpy's global state: call this inside
    :func:`xcebra_nwb.benchmark.simulate.ratinabox_state.contained`.
    """
    tuning = (mixed_tuning if mixed else pure_tuning)(agent, trajectory, cells, generator)
    order = generator.permutation(cells * len(tuning))
    cell_type = np.repeat(list(tuning), cells)[order]
    peak = generator.uniform(*PEAK_RATE, size=(len(order), 1))
    baseline = generator.uniform(*BASELINE, size=(len(order), 1))
    rate = rates * (baseline + peak * np.concatenate(list(tuning.values()))[order])  # (unit, time)
    return Population(cell_type.tolist(), rate, poisson_spikes(rate, generator))


def poisson_spikes(rate: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Return the spike times (s) of an inhomogeneous Poisson process, one sorted array a unit.

    Args:
        rate: ``(unit, time)`` Hz, constant within a frame; the first frame starts at 0.
        generator: source of the draws.
    """
    return [_spikes_of_one(row, generator) for row in rate]


def _spikes_of_one(rate: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    frame = np.repeat(np.arange(len(rate)), generator.poisson(rate * FRAME))
    times = np.sort((frame + generator.uniform(size=len(frame))) * FRAME)
    return np.floor(times / SAMPLE) * SAMPLE
