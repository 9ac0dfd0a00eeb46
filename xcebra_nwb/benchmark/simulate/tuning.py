"""The tuning of cells: RatInABox's place, grid, head-direction and speed cells, and cells tuned to two labels.

RatInABox draws fields and grids from numpy's global state: call these functions inside
:func:`xcebra_nwb.benchmark.simulate.trajectory.contained`.
"""

from __future__ import annotations

import numpy as np
from ratinabox import Agent
from ratinabox.Neurons import GridCells, HeadDirectionCells, PlaceCells, SpeedCell
from ratinabox.utils import von_mises

from xcebra_nwb.benchmark.simulate.trajectory import Trajectory

PLACE_FIELD_WIDTH = 0.15  # m, standard deviation of the Gaussian field
Tuning = dict[str, np.ndarray]  # by cell type, (unit, time)


def pure_tuning(agent: Agent, trajectory: Trajectory, cells: int, generator: np.random.Generator) -> Tuning:
    """Return the tuning of place, grid, head-direction and speed cells.

    Args:
        agent: RatInABox's agent.
        trajectory: of the animal.
        cells: number of cells of each type.
        generator: source of the draws.

    Returns:
        By type, (unit, time): in [0, 1] but for speed.
    """
    return {
        "place": _place(agent, trajectory, cells),
        "grid": _grid(agent, trajectory, cells),
        "head_direction": _head_direction(agent, trajectory, cells, generator),
        "speed": _speed(trajectory, agent, cells),
    }


def mixed_tuning(agent: Agent, trajectory: Trajectory, cells: int, generator: np.random.Generator) -> Tuning:
    """Return the tuning of cells that carry two labels.

    Each is the mean of two cells that carry one.

    Args:
        agent: RatInABox's agent.
        trajectory: of the animal.
        cells: number of cells of each type.
        generator: source of the draws.

    Returns:
        By type, (unit, time).
    """
    place, direction = _place(agent, trajectory, 2 * cells), _head_direction(agent, trajectory, 2 * cells, generator)
    speed = _speed(trajectory, agent, cells)
    return {
        "place and head_direction": (place[:cells] + direction[::2]) / 2,
        "place and speed": (place[cells:] + speed) / 2,
        "head_direction and speed": (direction[1::2] + speed) / 2,
    }


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
