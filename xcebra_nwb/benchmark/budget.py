"""How much work a benchmark does: seconds for continuous integration, an hour on a laptop, or the paper's schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SIZES = ("quick", "reduced", "full")


@dataclass(frozen=True)
class Budget:
    """The optimiser's part of a benchmark."""

    steps: int
    batch_size: int
    learning_rate: float
    decay: float = 1.0

    def training(self, weight: float, **changes: Any) -> dict[str, Any]:
        """Return the config's section ``training`` with the regulariser's ``weight``: one seed, no nulls."""
        chosen = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "decay": self.decay,
            "regularizer": {"weight": weight},
            "seeds": 1,
            "nulls": 0,
        }
        return chosen | changes
