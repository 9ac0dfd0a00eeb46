"""Adam by torch's own function, without torch's class.

The class imports torch's compiler at its first use, which takes a second of every training and does nothing in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

MOMENTS = ("exp_avg", "exp_avg_sq")  # Adam's state of every leaf, beside the number of its steps
BETAS = (0.9, 0.999)  # Kingma and Ba 2015, algorithm 1
EPSILON = 1e-8


class Adam:
    """Adam of some leaves, with the kernels and the bits of :class:`torch.optim.Adam`.

    Attributes:
        leaves: Tensors that are trained.
        rate: Learning rate of the next step; a tensor may be changed in place.
        state: ``step`` and the moments of each leaf; empty before the first step.
    """

    def __init__(self, leaves: Sequence[Tensor]) -> None:
        self.leaves = list(leaves)
        self.rate: float | Tensor = 0.0
        self.state: list[dict[str, Tensor]] = []
        kind = leaves[0].device.type
        self._fused, self._capturable = kind in {"cpu", "cuda"}, kind == "cuda"

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Take a step in place.

        Args:
            gradients: Gradient of each leaf.
        """
        if not self.state:
            self.state = [self._first(leaf) for leaf in self.leaves]
        self._adam(range(len(self.leaves)), gradients)

    def _adam(self, numbers: Sequence[int], gradients: Sequence[Tensor]) -> None:
        """Take Adam's step of the leaves of these numbers."""
        states = [self.state[number] for number in numbers]
        averages, squares, steps = ([state[name] for state in states] for name in (*MOMENTS, "step"))
        with torch.no_grad():
            adam(
                [self.leaves[number] for number in numbers],
                [gradients[number] for number in numbers],
                averages,
                squares,
                [],
                steps,
                fused=self._fused,
                capturable=self._capturable,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=self.rate,
                weight_decay=0.0,
                eps=EPSILON,
                maximize=False,
            )

    def restore(self, step: int, moments: Sequence[dict[str, Tensor]]) -> None:
        """Set the state after a number of steps.

        Args:
            step: Number of steps done.
            moments: Moments of each leaf, by name.
        """
        self.state = [
            {"step": self._count(leaf, step), **{name: of_leaf[name].to(leaf) for name in MOMENTS}}
            for leaf, of_leaf in zip(self.leaves, moments, strict=True)
        ]

    def _first(self, leaf: Tensor) -> dict[str, Tensor]:
        return {"step": self._count(leaf, 0), **{name: torch.zeros_like(leaf, requires_grad=False) for name in MOMENTS}}

    def _count(self, leaf: Tensor, step: int) -> Tensor:
        """Return the number of steps, where the kernel reads it."""
        device = leaf.device if self._fused or self._capturable else torch.device("cpu")
        return torch.full((), float(step), dtype=torch.float32, device=device)
