"""Behaviour that looks like behaviour: walks, reaches, wheels, trials."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

SECONDS = 120.0
RATE = 20.0  # Hz: enough for what is slower than a saccade

Rng = np.random.Generator


def generator(seed: int) -> Rng:
    """Return the source of all that is random in a file."""
    return np.random.default_rng(seed)


def times(rate: float = RATE, start: float = 0.0, stop: float = SECONDS) -> np.ndarray:
    """Return regular sample times, s, (time,)."""
    return start + np.arange(round((stop - start) * rate)) / rate


def noise(rng: Rng, samples: int, tau: float, columns: int = 1, rate: float = RATE) -> np.ndarray:
    """Return a process of unit variance that forgets in ``tau`` s, (time, column)."""
    decay = np.exp(-1 / (rate * tau))
    start = rng.standard_normal((1, columns))
    steps = np.sqrt(1 - decay**2) * rng.standard_normal((samples, columns))
    return lfilter([1.0], [1.0, -decay], steps, axis=0, zi=decay * start)[0]


def level(rng: Rng, samples: int, tau: float, rate: float = RATE) -> np.ndarray:
    """Return one column of :func:`noise`, (time,)."""
    return noise(rng, samples, tau, 1, rate)[:, 0]


def walk(rng: Rng, samples: int, size: float, rate: float = RATE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions (time, 2) in a square box, head directions (rad, unwrapped) and speeds (a second)."""
    turn = 2.5 * level(rng, samples, 0.6, rate) / rate
    speed = size / 6 * np.abs(1 + 0.6 * level(rng, samples, 1.5, rate))
    positions, headings = np.empty((samples, 2)), np.empty(samples)
    place, heading = np.array([size / 2, size / 2]), 0.0
    for i in range(samples):
        heading += turn[i]
        place = place + speed[i] / rate * np.array([np.cos(heading), np.sin(heading)])
        for axis in (0, 1):
            if not 0 <= place[axis] <= size:
                place[axis] = np.clip(place[axis], 0, size)
                heading = (np.pi - heading) if axis == 0 else -heading
        positions[i], headings[i] = place, heading
    return positions, headings, speed


def wrapped(angles: np.ndarray) -> np.ndarray:
    """Return angles in -pi to pi."""
    return np.angle(np.exp(1j * angles))


def laps(rng: Rng, samples: int, length: float, rate: float = RATE) -> np.ndarray:
    """Return runs to and fro on a track, (time,)."""
    way = np.cumsum(length / 6 * (1 + 0.5 * level(rng, samples, 2.0, rate))) / rate
    return length * (1 - np.abs(1 - np.mod(way / length, 2.0)))


def teleports(rng: Rng, samples: int, length: float, rate: float = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Return the place on a virtual track that restarts at 0, and the speed, both (time,)."""
    speed = length / 8 * np.clip(1 + 0.5 * level(rng, samples, 2.0, rate), 0, None)
    return np.mod(np.cumsum(speed) / rate, length), speed


def reaches(
    rng: Rng, samples: int, every: float = 2.0, rate: float = RATE
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions (mm) and velocities (mm/s), (time, 2), and the direction (rad) of each reach, (reach,)."""
    at = np.arange(samples) / rate
    velocity, place, directions = np.zeros((samples, 2)), np.zeros(2), []
    for start in np.arange(0.5, samples / rate - 1.0, every):
        direction = rng.choice(8) * np.pi / 4
        step = np.array([np.cos(direction), np.sin(direction)]) * rng.uniform(60, 120)
        if np.abs(place + step).max() > 120:
            step = -place + rng.normal(0, 10, 2)
        velocity += step * np.exp(-((at - start - 0.35) ** 2)[:, None] / 2 / 0.12**2) / (0.12 * np.sqrt(2 * np.pi))
        place = place + step
        directions.append(direction)
    return np.cumsum(velocity, axis=0) / rate, velocity, np.array(directions)


def wheel(rng: Rng, samples: int, rate: float = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Return the unwrapped angle (rad) and the velocity (rad/s) of a wheel that is turned in bouts, (time,)."""
    velocity = 3 * level(rng, samples, 0.2, rate) * (level(rng, samples, 4.0, rate) > -0.3)
    return np.cumsum(velocity) / rate, velocity


def running(rng: Rng, samples: int, rate: float = RATE) -> np.ndarray:
    """Return the running speed of a mouse on a wheel, cm/s, (time,)."""
    return np.clip(8 + 8 * level(rng, samples, 4.0, rate), -1, None)


def choices(rng: Rng, rows: int, right: float = 0.75) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return side of the stimulus, choice (-1 or 1) and whether it was right, (row,)."""
    side = rng.choice([-1, 1], rows)
    correct = rng.random(rows) < right
    return side, np.where(correct, side, -side), correct


def spikes(rng: Rng, units: int = 8, rate: float = 2.0, stop: float = SECONDS) -> list[np.ndarray]:
    """Return spike times of each unit, s."""
    return [np.sort(rng.uniform(0, stop, rng.poisson(rate * stop))) for _ in range(units)]
