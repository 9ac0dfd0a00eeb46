"""The loss curve of a training, which stays on the device until the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.sampling.groups import Floats, Integers

RECORDS = 250  # points of the curve


class LossCurve:
    """The mean losses between records; ``weights`` (step,) are the penalty's."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights, self._every = weights, max(1, len(weights) // RECORDS)
        self._sum: Tensor | float = 0.0
        self._done = self._counted = 0
        self._records: list[tuple[int, Tensor]] = []

    def add(self, losses: Tensor) -> None:
        """Add the losses (M, K) of the next step."""
        self._sum = self._sum + losses
        self._done += 1
        self._counted += 1
        if self._recorded_at(self._done):
            self._records.append((self._done, self._sum / self._counted))
            self._sum, self._counted = 0.0, 0

    def arrays(self) -> dict[str, NDArray]:
        """Return the curve so far and the sum since, for :meth:`restore`."""
        arrays = {"loss_sum": self._sum.cpu().numpy().copy()} if isinstance(self._sum, Tensor) else {}
        if self._records:
            arrays["loss"] = torch.stack([loss for _, loss in self._records], dim=-1).cpu().numpy()
        return arrays

    def restore(self, done: int, arrays: Mapping[str, NDArray], device: torch.device) -> None:
        """Continue a curve.

        Args:
            done: Number of steps done.
            arrays: The result of :meth:`arrays` after these steps.
            device: Device of the losses.
        """
        steps = [step for step in range(1, done + 1) if self._recorded_at(step)]
        curve = torch.tensor(arrays["loss"], device=device).unbind(-1) if steps else []
        self._records = list(zip(steps, curve, strict=True))
        self._done, self._counted = done, done - (steps[-1] if steps else 0)
        if self._counted:
            self._sum = torch.tensor(arrays["loss_sum"], device=device)

    def result(self) -> tuple[Integers, NDArray[np.float32], Floats]:
        """Return the curve.

        Returns:
            Last step of each record (record,), mean loss (M, K, record), and weight of the penalty at that step
            (record,).
        """
        steps, losses = zip(*self._records, strict=True)
        weights = np.array([self._weights[step - 1] for step in steps], dtype=np.float64)
        return np.array(steps), torch.stack(losses, dim=-1).cpu().numpy(), weights

    def _recorded_at(self, step: int) -> bool:
        return step % self._every == 0 or step == len(self._weights)
