"""What is worked on stays near: piece by piece, in memory that is used again and that processors' caches still hold.

What is read from a workspace has to be done with before it is asked for under the same name again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

NEAR = {"cpu": 400_000, "cuda": 16_000_000}  # elements: what processors' caches hold, what keeps a card busy


def pieces(count: int, elements: int, device: torch.device) -> Iterator[slice]:
    """Yield the parts of ``count`` things of so many ``elements`` each that are worked on at once, of like size."""
    most = NEAR.get(device.type, NEAR["cuda"]) / elements
    size = math.ceil(count / max(1, round(count / max(1, most))))
    return (slice(first, first + size) for first in range(0, count, size))


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
