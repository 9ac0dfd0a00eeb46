"""A stretch of a real rat's walk: the foraging session of Sargolini et al. 2006 that ships with RatInABox.

The animal walks in a box of 1 m by 1 m for ten minutes. Its tracking has no head direction, so the direction of
movement stands in for it, as in RatInABox.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ratinabox import Agent, Environment
from scipy.ndimage import gaussian_filter1d

FRAME = 0.02  # s, the tracking's own sample period
POSITION_SMOOTHING = 0.1  # s; a millimetre of tracking noise in one frame would be 5 cm/s of speed
DIRECTION_SMOOTHING = 0.15  # s; RatInABox low-passes head direction with this time constant


@dataclass(frozen=True)
class Trajectory:
    """The course of the animal, frame by frame.

    Attributes:
        time: s, centres of the frames, (time,); the session lasts from 0 to ``duration``.
        position: m, (time, 2).
        head_direction: rad, in [0, 2 pi), anticlockwise from the x axis, (time,).
        speed: m/s, (time,).
        duration: s.
    """

    time: np.ndarray
    position: np.ndarray
    head_direction: np.ndarray
    speed: np.ndarray
    duration: float


def walking_agent() -> Agent:
    """Return RatInABox's agent on the real trajectory, in its box of 1 m by 1 m."""
    agent = Agent(Environment())
    agent.import_trajectory(dataset="sargolini")
    return agent


def walk(agent: Agent, duration: float, generator: np.random.Generator) -> Trajectory:
    """Return a stretch of the agent's imported trajectory from a random start.

    Where the recording ends the animal turns round and walks it backwards: a jump to the start would be a leap through
    the box at an impossible speed.

    Args:
        agent: RatInABox's agent, with an imported trajectory.
        duration: s.
        generator: draws the start.
    """
    recorded = float(agent.t_interp[-1])
    time = (np.arange(round(duration / FRAME)) + 0.5) * FRAME
    since_start = (generator.uniform(0, recorded) + time) % (2 * recorded)
    position = agent.pos_interp(np.minimum(since_start, 2 * recorded - since_start))  # (time, 2)
    position = np.clip(gaussian_filter1d(position, POSITION_SMOOTHING / FRAME, axis=0), 0.0, 1.0)
    velocity = np.gradient(position, FRAME, axis=0)  # (time, 2)
    speed = np.linalg.norm(velocity, axis=1)
    return Trajectory(time, position, _direction(velocity, speed), speed, len(time) * FRAME)


def _direction(velocity: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """The angle of the smoothed direction of movement, ``(time,)`` rad."""
    unit_vectors = velocity / np.maximum(speed, 1e-9)[:, None]  # (time, 2)
    smooth = gaussian_filter1d(unit_vectors, DIRECTION_SMOOTHING / FRAME, axis=0)
    return np.arctan2(smooth[:, 1], smooth[:, 0]) % (2 * np.pi)


@contextlib.contextmanager
def contained(generator: np.random.Generator) -> Iterator[None]:
    """Seed numpy's global state and silence output, for RatInABox, for a while.

    RatInABox draws from that state and prints as it goes. The state is put back at the end.

    Args:
        generator: draws the seed.
    """
    before = np.random.get_state()  # noqa: NPY002 - RatInABox knows no generator
    np.random.seed(int(generator.integers(2**32)))  # noqa: NPY002
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
