"""What the encoders see: on the device that computes, or kept elsewhere and fetched row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor


class Inputs(Protocol):
    """A recording (time, D) float32 as a tensor on the device that computes, or what can stand for one."""

    @property
    def device(self) -> torch.device:
        """Where the rows are wanted."""
        ...

    @property
    def shape(self) -> torch.Size:
        """(time, D)."""
        ...

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the rows ``index`` (row,) of dimension 0 on ``device``."""
        ...


class Elsewhere:
    """A recording that stays where it is: its rows are gathered there, and moved to ``device``.

    A step that reads it waits for the host, and cannot be recorded as a CUDA graph.
    """

    def __init__(self, kept: Tensor, device: torch.device) -> None:
        self._kept, self.device, self.shape = kept, device, kept.shape

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """See :class:`Inputs`."""
        if self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("what the encoders see is not on the card")
        return self._kept.index_select(dim, index.to(self._kept.device)).to(self.device)


class At:
    """The rows (bin, D) of a recording at some bins, fetched when they are asked for."""

    def __init__(self, inputs: Inputs, bins: Tensor) -> None:
        """Take a recording and ``bins`` (bin,), on the device where its rows are wanted."""
        self._inputs, self._bins, self.shape = inputs, bins, torch.Size([len(bins), inputs.shape[1]])

    def __len__(self) -> int:
        return len(self._bins)

    def __getitem__(self, numbers: Tensor) -> Tensor:
        """Return the rows (..., D) at the bins whose ``numbers`` (...) these are."""
        return self._inputs.index_select(0, self._bins[numbers].flatten()).view(*numbers.shape, -1)

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield all rows, ``size`` at a time."""
        return (self._inputs.index_select(0, bins) for bins in self._bins.split(size))
