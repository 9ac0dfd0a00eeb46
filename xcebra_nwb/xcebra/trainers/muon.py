"""Muon: momentum whose matrices are made orthogonal before a step; Adam for everything else.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks" (kellerjordan.github.io/posts/muon). A
gradient of a weight matrix has a few large directions and many small ones. The step of Muon goes equally far in all of
them, so the small ones are learnt too. Here it reaches the map of an Adam in a third of the steps
(docs/benchmarks.md). Matrices of many members, (M, inputs, outputs), are made orthogonal at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from xcebra_nwb.xcebra.trainers.adam import Adam

MOMENTUM = 0.9
ITERATIONS = 5
# x <- a x + (b x x' + c (x x')^2) x brings singular values of 0.01 to 1 near 1 in five iterations (Jordan et al. 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
LEAST_NORM = 1e-12


class Muon(Adam):
    """Muon of the weight matrices (M, inputs, outputs) among some leaves, Adam of the biases (M, 1, outputs).

    The learning rate is the root mean square of the change of a weight in a step, which is also the size of Adam's
    first steps. So both optimisers take rates of the same order.
    """

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Take a step in place.

        Args:
            gradients: Gradient of each leaf.
        """
        if not self.state:
            self.state = [self._first(leaf) for leaf in self.leaves]
        matrices = [number for number, leaf in enumerate(self.leaves) if is_matrix(leaf)]
        self._adam([number for number in range(len(self.leaves)) if number not in matrices], gradients)
        with torch.no_grad():
            for number in matrices:
                leaf, momentum, gradient = self.leaves[number], self.state[number]["exp_avg"], gradients[number]
                momentum.lerp_(gradient, 1 - MOMENTUM)
                direction = orthogonal(torch.lerp(gradient, momentum, MOMENTUM))  # as if by Nesterov
                # An orthogonal matrix of this shape has entries of this root mean square.
                size = math.sqrt(max(leaf.shape[-2:]))
                leaf.sub_(direction * (self.rate * size))
                self.state[number]["step"].add_(1)


def is_matrix(leaf: Tensor) -> bool:
    """Return whether a leaf is a stack of weight matrices, and not of biases or vectors."""
    return leaf.ndim == 3 and min(leaf.shape[1:]) > 1


def orthogonal(matrices: Tensor) -> Tensor:
    """Return matrices with about the same singular vectors, and singular values near 1 (0.7 to 1.2).

    Rows and columns that are zero stay zero.

    Args:
        matrices: Shape (M, rows, columns).
    """
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    x = wide / wide.square().sum((-2, -1), keepdim=True).sqrt().clamp_min(LEAST_NORM)
    linear, cubic, quintic = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), x, beta=linear)
    return x if wide is matrices else x.mT
