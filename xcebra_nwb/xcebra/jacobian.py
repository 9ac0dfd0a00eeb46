"""The Jacobian of the latents at many bins, for maps: no gradient goes back through it.

The windows of neighbouring bins share most of their activity: it is encoded once, as one stretch of time, and so are
the slopes of the activation functions, which every window then looks up.
Shapes: M members, B windows, T bins, D units, H hidden, K latents, R rows of the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.encoder import Architecture, Layer, encoded, pulled_back, slopes_of
from xcebra_nwb.xcebra.inputs import Inputs


def identity(latents: Tensor) -> Tensor:
    """Return a row (M, B, K, K) for each of the ``latents`` (M, B, K)."""
    return torch.eye(latents.shape[-1], dtype=latents.dtype, device=latents.device).expand(*latents.shape, -1)


@torch.no_grad()
def jacobian(
    shape: Architecture,
    layers: list[Layer],
    inputs: Inputs,
    bins: NDArray[np.int64],
    rows: Callable[[Tensor], Tensor] = identity,
) -> Tensor:
    """Return the Jacobian (M, B, R, T, D) at the windows around ``bins`` of ``inputs`` (time, D).

    Args:
        shape: the architecture.
        layers: of all members.
        inputs: what the encoders see.
        bins: B of them, in any order.
        rows: what is wanted of the latents (M, B, K) there: its own derivatives (M, B, R, K) by them.
    """
    latents, along, starts = encoded(shape, layers, inputs, bins)
    left = shape.window - np.cumsum([kernel - 1 for kernel in shape.kernels])  # bins of every layer's output
    slopes = [_of_windows(s, starts, int(b)) for s, b in zip(slopes_of(shape, along), left, strict=False)]
    return pulled_back(shape, layers, slopes, rows(latents)).contiguous()


def _of_windows(along: Tensor, starts: Tensor, bins: int) -> Tensor:
    """``bins`` of ``along`` (M, time, H) from each of ``starts`` on: (M, bins, B, H)."""
    where = torch.arange(bins, device=starts.device).unsqueeze(1) + starts
    return along.index_select(1, where.flatten()).unflatten(1, where.shape)
