"""Memory that is used again, chunk after chunk: a processor's cache still holds it, and nothing is asked of the system.

What is read from it has to be done with before it is asked for under the same name again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Workspace:
    """Arrays by name, which grow as they are asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def array(self, name: str, sizes: Sequence[int], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return an array of ``sizes``, with anything in it, where ``like`` is, and of its type or ``dtype``."""
        count, kept, dtype = math.prod(sizes), self._kept.get(name), dtype or like.dtype
        if kept is None or len(kept) < count or (kept.dtype, kept.device) != (dtype, like.device):
            kept = self._kept[name] = torch.empty(count, dtype=dtype, device=like.device)
        return kept[:count].view(*sizes)
