"""Cells whose tuning is known, and their spikes: RatInABox's place, grid, head-direction and speed cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ratinabox import Agent
from ratinabox.Neurons import GridCells, HeadDirectionCells, PlaceCells, SpeedCell
from ratinabox.utils import von_mises

from xcebra_nwb.simulate.trajectory import FRAME, Trajectory

REGIONS = {"place": "CA1", "grid": "MEC", "head_direction": "MEC", "speed": "MEC"}
PEAK_RATE = (10.0, 20.0)  # Hz, drawn per cell; speed cells reach it at the mean speed plus one standard deviation
BASELINE = (0.1, 0.5)  # Hz, drawn per cell
SAMPLE = 1 / 30_000  # s, the clock that spikes are counted on
PLACE_FIELD_WIDTH = 0.15  # m, standard deviation of the Gaussian field


@dataclass(frozen=True)
class Population:
    """Spikes and the truth about them.

    Attributes:
        cell_type: ``(unit,)``, place, grid, head_direction or speed: which label each unit carries.
        rate: ``(unit, time)`` Hz, the rate in every frame.
        spike_times: one sorted array a unit, s.
    """

    cell_type: list[str]
    rate: np.ndarray
    spike_times: list[np.ndarray]


def population(
    agent: Agent, trajectory: Trajectory, cells: int, generator: np.random.Generator, rates: float = 1.0
) -> Population:
    """Return ``cells`` units of each type, in an order that says nothing of the type; all rates times ``rates``.

    RatInABox draws fields and grids from numpy's global state: call this inside
    :func:`xcebra_nwb.simulate.ratinabox_state.contained`.
    """
    tuning = {
        "place": _place(agent, trajectory, cells),
        "grid": _grid(agent, trajectory, cells),
        "head_direction": _head_direction(agent, trajectory, cells, generator),
        "speed": _speed(trajectory, agent, cells),
    }
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


def _place(agent: Agent, trajectory: Trajectory, cells: int) -> np.ndarray:
    """Gaussian place fields, ``(unit, time)`` in [0, 1]."""
    fields = PlaceCells(agent, {"n": cells, "widths": PLACE_FIELD_WIDTH, "wall_geometry": "euclidean"})
    return np.asarray(fields.get_state(evaluate_at=None, pos=trajectory.position))


def _grid(agent: Agent, trajectory: Trajectory, cells: int) -> np.ndarray:
    """Hexagonal grids of three scales, ``(unit, time)`` in [0, 1]."""
    grids = GridCells(agent, {"n": cells})
    return np.asarray(grids.get_state(evaluate_at=None, pos=trajectory.position))


def _head_direction(agent: Agent, trajectory: Trajectory, cells: int, generator: np.random.Generator) -> np.ndarray:
    """Von Mises tuning around evenly spaced directions, ``(unit, time)`` in [0, 1].

    The class's own ``get_state`` takes one moment at a time; this is its formula for all moments at once.
    """
    compass = HeadDirectionCells(agent, {"n": cells})
    preferred = compass.preferred_angles + generator.uniform(0, 2 * np.pi)
    return np.asarray(
        von_mises(trajectory.head_direction, preferred[:, None], compass.angular_tunings[:, None], norm=1)
    )


def _speed(trajectory: Trajectory, agent: Agent, cells: int) -> np.ndarray:
    """Rates that grow linearly with speed, ``(unit, time)``, 1 at the mean plus one standard deviation.

    RatInABox takes mean and deviation from its own walk, and one moment at a time; here they are those of the rat.
    """
    agent.speed_mean, agent.speed_std = float(trajectory.speed.mean()), float(trajectory.speed.std())
    speedometer = SpeedCell(agent)
    return np.tile(trajectory.speed / speedometer.one_sigma_speed, (cells, 1))
