"""What the encoders see: a recording as it is kept, whose rows are float32 on the device that computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = NDArray[np.number]  # of a recording, in a type that float32 holds exactly


class EncoderInput(Protocol):
    """A recording (time, D): a float32 tensor on the device that computes, or what can stand for one."""

    @property
    def device(self) -> torch.device:
        """Where the rows are wanted."""
        ...

    @property
    def shape(self) -> torch.Size:
        """(time, D)."""
        ...

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the rows ``index`` (row,) of dimension 0 on ``device``, in float32."""
        ...


class Recording:
    """A recording that stays as it is, in its own type and its own place.

    Rows are gathered there, moved to ``device`` and only then widened. A step that reads a recording on another device
    waits for the host, and cannot be recorded as a CUDA graph.
    """

    def __init__(self, storage: Tensor, device: torch.device | None = None) -> None:
        """Take ``storage`` (time, D), of a type that float32 holds exactly; rows are wanted on ``device``."""
        self.storage, self.device, self.shape = storage, storage.device if device is None else device, storage.shape

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """See :class:`EncoderInput`."""
        storage_device = self.storage.device
        if storage_device.type == "cpu" and self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("what the encoders see is not on the card")
        return self.storage.index_select(dim, index.to(storage_device)).to(self.device).to(torch.float32)

    def part(self, bins: slice, units: int) -> Recording:
        """Return the first ``units`` in ``bins``; nothing is copied."""
        return Recording(self.storage[bins, :units], self.device)


def torch_type(dtype: np.dtype) -> torch.dtype:
    """Return what torch calls ``dtype``."""
    return torch.from_numpy(np.empty(0, dtype)).dtype


class Rows:
    """The rows (bin, D) of a recording at some bins, fetched when they are asked for."""

    def __init__(self, inputs: EncoderInput, bins: Tensor) -> None:
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
