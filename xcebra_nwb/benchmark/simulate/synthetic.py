"""The paper's synthetic data: latents on a random walk, seen by two populations through random networks.

Schneider et al., AISTATS 2025 (arXiv 2502.12977). The first population sees the first three latents, the second all of
them: the first carries nothing of the others. Shapes: ``(time, latent)``, ``(time, unit)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.benchmark.simulate.networks import Network, random_network
from xcebra_nwb.benchmark.simulate.walk import truncated_walk

Floats = NDArray[np.float64]
STEP = 0.1  # standard deviation of the walk's step on each axis
SHARED = 3  # latents that both populations see
UNITS = 25  # of each population


@dataclass(frozen=True)
class Synthetic:
    """Latents, the two networks that see them, and what comes out."""

    latents: Floats  # (time, latent)
    first: Network  # of the first SHARED latents
    second: Network  # of all latents

    @property
    def rates(self) -> Floats:
        """The units' rates (time, unit), first population first."""
        return np.hstack([self.first(self.latents[:, :SHARED]), self.second(self.latents)])

    @property
    def carries(self) -> NDArray[np.bool_]:
        """Which unit's rate depends on which latent, (latent, unit)."""
        truth = np.ones((self.latents.shape[1], 2 * UNITS), dtype=bool)
        truth[SHARED:, :UNITS] = False
        return truth

    def jacobian(self, latents: Floats) -> Floats:
        """Return the derivative of the rates with respect to the latents at ``latents``: (bin, unit, latent)."""
        result = np.zeros((len(latents), 2 * UNITS, latents.shape[1]))
        result[:, :UNITS, :SHARED] = self.first.jacobian(latents[:, :SHARED])
        result[:, UNITS:] = self.second.jacobian(latents)
        return result


def synthetic(latents: Floats, generator: np.random.Generator) -> Synthetic:
    """Return two populations of random networks that see ``latents`` (time, latent)."""
    return Synthetic(
        latents, random_network(SHARED, UNITS, generator), random_network(latents.shape[1], UNITS, generator)
    )


def paper_design(latents: int, samples: int, generator: np.random.Generator) -> Synthetic:
    """Return ``samples`` bins of the paper's data with 4 to 9 ``latents``, without noise."""
    return synthetic(truncated_walk(samples, np.full(latents, STEP), generator), generator)
