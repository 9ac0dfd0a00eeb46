"""Random networks from latents to rates, whose every layer is injective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LAYERS = 3


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
        """Return the derivative of the outputs with respect to ``inputs`` (time, input): (time, output, input)."""
        product = np.eye(inputs.shape[1])[None]
        for weight in self.weights:
            inputs = np.tanh(inputs @ weight.T)
            product = (1 - inputs**2)[:, :, None] * (weight @ product)
        return product


def random_network(inputs: int, outputs: int, generator: np.random.Generator) -> Network:
    """Return a network of ``outputs`` units a layer; ``outputs`` must not be fewer than ``inputs``.

    The columns of every weight are orthonormal, up to the factor that keeps the variance of what they pass on: the
    network is injective, as the theory asks of a mixing.
    """
    weights = []
    for width in (inputs, *[outputs] * (LAYERS - 1)):
        columns, _ = np.linalg.qr(generator.standard_normal((outputs, width)))
        weights.append(np.sqrt(outputs / width) * columns)
    return Network(tuple(weights))
