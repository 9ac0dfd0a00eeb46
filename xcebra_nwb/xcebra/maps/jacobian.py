"""The Jacobian of the latents at many bins, without a backward pass.

The windows of neighbouring bins share most of their activity. It is encoded once, as one stretch of time, and so are
the slopes of the activation functions, which every window looks up. Training allocates memory for its derivatives; here
a workspace is used again.
Shapes: M members, B windows, T bins, D units, H hidden, K latents, R rows of the Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.encoder import Layer, encoded, folded, slopes_of
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.maps.pieces import Workspace, pieces
from xcebra_nwb.xcebra.sampling.groups import Integers


def identity(latents: Tensor) -> Tensor:
    """Return the rows (M, 1, K, K) of the Jacobian of the latents themselves."""
    return torch.eye(latents.shape[-1]).to(latents).expand(len(latents), 1, -1, -1)


@torch.no_grad()
def jacobian(
    shape: Architecture,
    layers: list[Layer],
    inputs: EncoderInput,
    bins: Integers,
    rows: Callable[[Tensor], Tensor] = identity,
    space: Workspace | None = None,
) -> Tensor:
    """Return the Jacobian of functions of the latents at given bins.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        inputs: Encoder input (time, D).
        bins: Bins (B,) in any order.
        rows: From the latents (M, B, K), to the derivatives (M, B, R, K) of the functions by them, or (M, 1, R, K) if
            they are the same at all bins.
        space: Memory for the computation and the result; None allocates it.

    Returns:
        Jacobian, shape (M, B, R, T, D).
    """
    latents, along, starts = encoded(shape, layers, inputs, bins)
    left = shape.window - np.cumsum([kernel - 1 for kernel in shape.kernels])  # bins of every layer's output
    consecutive = bool((np.diff(bins) == 1).all())
    slopes = [_of_windows(s, starts, int(b), consecutive) for s, b in zip(slopes_of(shape, along), left, strict=False)]
    wanted_rows, space = rows(latents), space or Workspace()
    sizes = (*wanted_rows.shape[:1], len(bins), wanted_rows.shape[2], shape.window, shape.units)
    result = space.array("jacobian", sizes, wanted_rows)
    for piece in pieces(len(bins), _elements(shape, wanted_rows), latents.device):
        near = [slope[:, :, piece] for slope in slopes]
        piece_rows = wanted_rows[:, piece] if wanted_rows.shape[1] > 1 else wanted_rows
        result[:, piece] = _pulled_back(shape, layers, near, piece_rows, space)
    return result


def _elements(shape: Architecture, rows: Tensor) -> int:
    """The largest number of elements of a window's gradients of ``rows`` (M, ..., R, K) between two layers."""
    return len(rows) * rows.shape[2] * max(1, shape.window - 1) * max(shape.widths[1:])


def _pulled_back(
    shape: Architecture, layers: list[Layer], slopes: list[Tensor], rows: Tensor, space: Workspace
) -> Tensor:
    """``rows`` (M, B or 1, R, K) times the Jacobian at windows with these ``slopes`` (M, T', B, C): (M, B, R, T, D).

    It is :func:`.encoder.vector_jacobian` with known slopes and in a workspace.
    """
    gradient = rows.transpose(1, 2).unsqueeze(1)  # (M, T = 1, R, B, K)
    for number in range(len(layers) - 1, -1, -1):
        passed = gradient
        if number < len(slopes):
            slope = slopes[number].unsqueeze(2)
            sizes = (*gradient.shape[:3], *slope.shape[3:])
            gradient = torch.mul(gradient, slope, out=space.array("sloped", sizes, slope))
        weight, kernel = layers[number][0], shape.kernels[number]
        members, left, count, windows, _ = gradient.shape
        sizes = (members, left + kernel - 1, count, windows, weight.shape[1] // kernel)
        result = space.array(f"layer {number % 2}", sizes, weight)
        folded(gradient.flatten(2, 3), weight, result.flatten(2, 3))
        if shape.residual[number]:
            result[:, 1:-1] += passed
        gradient = result
    return gradient.permute(0, 3, 2, 1, 4)


def _of_windows(along: Tensor, starts: Tensor, bins: int, consecutive: bool) -> Tensor:
    """``bins`` of ``along`` (M, time, H) from each of ``starts`` on, (M, bins, B, H); a view if consecutive."""
    if consecutive:
        return along.unfold(1, len(starts), 1)[:, :bins].transpose(2, 3)
    where = torch.arange(bins, device=starts.device).unsqueeze(1) + starts
    return along.index_select(1, where.flatten()).unflatten(1, where.shape)
