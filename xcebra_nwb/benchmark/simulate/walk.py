"""Latents on a random walk in a box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def truncated_walk(samples: int, steps: Floats, generator: np.random.Generator, jumps: float = 0.0) -> Floats:
    """Return a walk (time, latent) in [-1, 1] whose steps are Gaussian, drawn again where they would leave the box.

    Args:
        samples: number of bins.
        steps: (latent,) standard deviation of the steps of each latent.
        generator: source of the draws.
        jumps: share of the steps that lead to a place drawn from the whole box instead.
    """
    walk = np.empty((samples, len(steps)))
    walk[0] = generator.uniform(-1, 1, len(steps))
    moves = steps * generator.standard_normal(walk.shape)
    jump = generator.random(samples) < jumps
    for time in range(1, samples):
        if jump[time]:
            walk[time] = generator.uniform(-1, 1, len(steps))
            continue
        walk[time] = walk[time - 1] + moves[time]
        while (outside := np.abs(walk[time]) > 1).any():
            again = steps[outside] * generator.standard_normal(outside.sum())
            walk[time, outside] = walk[time - 1, outside] + again
    return walk
