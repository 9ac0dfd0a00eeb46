"""The paper's simulated data: latents on a random walk, seen by two populations through random networks.

Schneider et al., AISTATS 2025 (arXiv 2502.12977). The first population sees the first three latents, the second all of
them: the first carries nothing of the others. Shapes: ``(time, latent)``, ``(time, unit)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEP = 0.1  # standard deviation of the walk's step on each axis
SHARED = 3  # latents that both populations see
UNITS = 25  # of each population
LAYERS = 3  # of each network
LABEL = "target"  # the latents that only the second population sees


def truncated_walk(samples: int, steps: Floats, generator: np.random.Generator, jumps: float = 0.0) -> Floats:
    """Return latents on a random walk in a box, (time, latent) in [-1, 1].

    Steps are Gaussian, and drawn again where they would leave the box.

    Args:
        samples: number of bins.
        steps: standard deviation of the steps of each latent, (latent,).
        generator: source of the draws.
        jumps: share of the steps that lead to a point drawn from the whole box instead.

    >>> truncated_walk(100, np.array([0.1, 2.0]), np.random.default_rng(0)).shape
    (100, 2)
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


@dataclass(frozen=True)
class Network:
    """Layers of tanh units without biases."""

    weights: tuple[Floats, ...]  # (output, input) each

    def __call__(self, inputs: Floats) -> Floats:
        """Return the outputs (time, output) of ``inputs`` (time, input)."""
        for weight in self.weights:
            inputs = np.tanh(inputs @ weight.T)
        return inputs

    def jacobian(self, inputs: Floats) -> Floats:
        """Return the derivative of the outputs, (time, output, input).

        Args:
            inputs: where it is taken, (time, input).
        """
        product = np.eye(inputs.shape[1])[None]
        for weight in self.weights:
            inputs = np.tanh(inputs @ weight.T)
            product = (1 - inputs**2)[:, :, None] * (weight @ product)
        return product


def random_network(inputs: int, outputs: int, generator: np.random.Generator) -> Network:
    """Return a random network that is injective, as the theory asks of a mixing.

    The columns of every weight are orthonormal, up to a factor that keeps the variance of what they pass on.

    Args:
        inputs: number of inputs.
        outputs: number of units of each layer; not fewer than ``inputs``.
        generator: source of the draws.

    >>> random_network(2, 5, np.random.default_rng(0))(np.zeros((1, 2))).tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    weights = []
    for width in (inputs, *[outputs] * (LAYERS - 1)):
        columns, _ = np.linalg.qr(generator.standard_normal((outputs, width)))
        weights.append(np.sqrt(outputs / width) * columns)
    return Network(tuple(weights))


@dataclass(frozen=True)
class Synthetic:
    """Latents and the two networks that see them."""

    latents: Floats  # (time, latent)
    first: Network  # of the first SHARED latents
    second: Network  # of all latents

    @property
    def rates(self) -> Floats:
        """The units' rates (time, unit), first population first."""
        return np.hstack([self.first(self.latents[:, :SHARED]), self.second(self.latents)])

    @property
    def carries(self) -> NDArray[np.bool_]:
        """The truth: which unit's rate depends on which latent, (latent, unit)."""
        truth = np.ones((self.latents.shape[1], 2 * UNITS), dtype=bool)
        truth[SHARED:, :UNITS] = False
        return truth

    def jacobian(self, latents: Floats) -> Floats:
        """Return the derivative of the rates, (bin, unit, latent).

        Args:
            latents: where it is taken, (bin, latent).
        """
        result = np.zeros((len(latents), 2 * UNITS, latents.shape[1]))
        result[:, :UNITS, :SHARED] = self.first.jacobian(latents[:, :SHARED])
        result[:, UNITS:] = self.second.jacobian(latents)
        return result


def synthetic(latents: Floats, generator: np.random.Generator) -> Synthetic:
    """Return two populations of random networks that see ``latents``.

    Args:
        latents: (time, latent).
        generator: source of the draws.

    >>> synthetic(np.zeros((3, 4)), np.random.default_rng(0)).rates.shape
    (3, 50)
    """
    return Synthetic(
        latents, random_network(SHARED, UNITS, generator), random_network(latents.shape[1], UNITS, generator)
    )


def paper_design(latents: int, samples: int, generator: np.random.Generator) -> Synthetic:
    """Return the paper's data, without noise.

    Args:
        latents: number of latents, 4 to 9.
        samples: number of bins.
        generator: source of the draws.

    >>> paper_design(4, 10, np.random.default_rng(0)).latents.shape
    (10, 4)
    """
    return synthetic(truncated_walk(samples, np.full(latents, STEP), generator), generator)
