"""The encoder input: a stored recording, whose rows are read as float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = NDArray[np.number]  # a recording, in a type that float32 holds exactly


class EncoderInput(Protocol):
    """A recording (time, D): a float32 tensor, or a stand-in that returns its rows."""

    @property
    def device(self) -> torch.device:
        """The device to which rows are moved."""
        ...

    @property
    def shape(self) -> torch.Size:
        """The shape (time, D)."""
        ...

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return rows as float32 on ``device``.

        Args:
            dim: Always 0.
            index: Row numbers, shape (row,).
        """
        ...


class Recording:
    """A recording that stays in its stored type and on its device.

    Rows are gathered there, moved to ``device`` and only then widened to float32. If the two devices differ, every step
    waits for the host and cannot be recorded as a CUDA graph.
    """

    def __init__(self, storage: Tensor, device: torch.device | None = None) -> None:
        """Wrap a stored recording.

        Args:
            storage: Recording (time, D), of a type that float32 holds exactly.
            device: Device to which rows are moved; None: the device of ``storage``.
        """
        self.storage, self.device, self.shape = storage, storage.device if device is None else device, storage.shape

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return rows as float32 on ``device``.

        Args:
            dim: Always 0.
            index: Row numbers, shape (row,).

        Raises:
            RuntimeError: A CUDA graph is being recorded, and the recording is not on the GPU.
        """
        storage_device = self.storage.device
        if storage_device.type == "cpu" and self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            raise RuntimeError("the recording is not on the GPU")
        return self.storage.index_select(dim, index.to(storage_device)).to(self.device).to(torch.float32)

    def part(self, bins: slice, units: int) -> Recording:
        """Return the first ``units`` in ``bins`` as a view, without a copy."""
        return Recording(self.storage[bins, :units], self.device)


def torch_type(dtype: np.dtype) -> torch.dtype:
    """Return the torch type of a numpy type.

    >>> torch_type(np.dtype("float32"))
    torch.float32
    """
    return torch.from_numpy(np.empty(0, dtype)).dtype


class Rows:
    """The rows (bin, D) of a recording at given bins, read when they are asked for."""

    def __init__(self, inputs: EncoderInput, bins: Tensor) -> None:
        """Select bins of a recording.

        Args:
            inputs: Recording (time, D).
            bins: Bins (bin,), on the device to which rows are moved.
        """
        self._inputs, self._bins, self.shape = inputs, bins, torch.Size([len(bins), inputs.shape[1]])

    def __len__(self) -> int:
        return len(self._bins)

    def __getitem__(self, numbers: Tensor) -> Tensor:
        """Return the rows (..., D) of the selected bins with these ``numbers`` (...)."""
        return self._inputs.index_select(0, self._bins[numbers].flatten()).view(*numbers.shape, -1)

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield all rows in order, ``size`` at a time."""
        return (self._inputs.index_select(0, bins) for bins in self._bins.split(size))
