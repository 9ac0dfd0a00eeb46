"""The encoder: valid convolutions over a short window, for all members of a stack at once.

``mlp`` sees one bin, ``conv10`` ten; both are the same chain of matrix products over unfolded windows, so the
vector-Jacobian product is written once, in closed form, and no double backward is needed to train on it.
Shapes: M members, B windows, T bins, D units, H hidden, K latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.windows import window_offsets

BINS_A_CHUNK = 4096
Layer = tuple[Tensor, Tensor]  # weight (M, kernel * inputs, outputs), bias (M, 1, outputs)


@dataclass(frozen=True)
class Architecture:
    """The shape of an encoder: one kernel width a layer; a residual layer adds its cropped input to its output."""

    units: int
    hidden: int
    outputs: int
    kernels: tuple[int, ...]
    residual: tuple[bool, ...]
    clip: float | None = None

    @property
    def window(self) -> int:
        """Number of bins that the encoder sees."""
        return 1 + sum(kernel - 1 for kernel in self.kernels)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before, between and after the layers."""
        return (self.units, *[self.hidden] * (len(self.kernels) - 1), self.outputs)


def architecture(name: str, units: int, hidden: int, outputs: int, clip: float | None = None) -> Architecture:
    """Return the architecture called ``name``: mlp (one bin) or conv10 (ten bins)."""
    kernels, residual = {
        "mlp": ((1, 1, 1, 1), (False, False, False, False)),
        "conv10": ((2, 3, 3, 3, 3), (False, True, True, True, False)),
    }[name]
    return Architecture(units, hidden, outputs, kernels, residual, clip)


def initialize(shape: Architecture, generators: list[np.random.Generator], device: torch.device) -> list[Layer]:
    """Return the layers of one member per generator, uniform in +-1 / sqrt(inputs)."""
    layers = []
    for kernel, inputs, outputs in zip(shape.kernels, shape.widths[:-1], shape.widths[1:], strict=True):
        bound = 1 / math.sqrt(kernel * inputs)
        weight = [g.uniform(-bound, bound, (kernel * inputs, outputs)) for g in generators]
        bias = [g.uniform(-bound, bound, (1, outputs)) for g in generators]
        layers.append((_stacked(weight, device), _stacked(bias, device)))
    return layers


def _stacked(members: list[NDArray[np.float64]], device: torch.device) -> Tensor:
    return torch.tensor(np.stack(members), dtype=torch.float32, device=device)


def forward(shape: Architecture, layers: list[Layer], windows: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the latents (M, B, K) of ``windows`` (M, B, T, D) and the pre-activation of every layer."""
    hidden, pre_activations = windows, []
    for number, (weight, bias) in enumerate(layers):
        unfolded = _unfold(hidden, shape.kernels[number])  # (M, B, T', kernel * inputs)
        members, batch, bins, inputs = unfolded.shape
        flat = torch.baddbmm(bias, unfolded.reshape(members, batch * bins, inputs), weight)
        pre = flat.view(members, batch, bins, -1)
        pre_activations.append(pre)
        if number == len(layers) - 1:
            hidden = pre if shape.clip is None else pre.clamp(-shape.clip, shape.clip)
        else:
            active = torch.nn.functional.gelu(pre)
            hidden = active + hidden[:, :, 1:-1] if shape.residual[number] else active
    return hidden[:, :, 0], pre_activations


def without_units(shape: Architecture, layers: list[Layer], units: NDArray[np.bool_]) -> list[Layer]:
    """Return the layers of an encoder that does not see ``units`` (D,): for units that never changed in training."""
    weight, bias = layers[0]
    by_lag = weight.clone().view(weight.shape[0], shape.kernels[0], shape.units, -1)
    by_lag[:, :, torch.as_tensor(units, device=weight.device)] = 0.0
    return [(by_lag.view_as(weight), bias), *layers[1:]]


def vector_jacobian(
    shape: Architecture, layers: list[Layer], pre_activations: list[Tensor], cotangent: Tensor
) -> Tensor:
    """Return ``cotangent`` (M, B, K) times the Jacobian of the latents at the windows: (M, B, T, D).

    Built of ordinary tensor operations: its own gradient with respect to the layers is a single backward pass.
    """
    gradient = cotangent.unsqueeze(2)  # (M, B, 1, K)
    if shape.clip is not None:
        gradient = gradient * (pre_activations[-1].abs() < shape.clip)
    for number in range(len(layers) - 1, -1, -1):
        weight = layers[number][0]
        passed = gradient
        if number < len(layers) - 1:
            gradient = gradient * gelu_derivative(pre_activations[number])
        members, batch, bins, outputs = gradient.shape
        flat = torch.bmm(gradient.reshape(members, batch * bins, outputs), weight.transpose(1, 2))
        gradient = _fold(flat.view(members, batch, bins, -1), shape.kernels[number])
        if shape.residual[number]:
            gradient = gradient + torch.nn.functional.pad(passed, (0, 0, 1, 1))
    return gradient


def jacobian(shape: Architecture, layers: list[Layer], windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the latents (M, B, K) of ``windows`` (M, B, T, D) and their Jacobian (M, B, K, T, D)."""
    latents, pre_activations = forward(shape, layers, windows)
    members, batch, outputs = latents.shape
    basis = torch.eye(outputs, dtype=latents.dtype, device=latents.device)
    cotangent = basis.expand(members, batch, outputs, outputs).reshape(members, batch * outputs, outputs)
    repeated = [p.repeat_interleave(outputs, dim=1) for p in pre_activations]
    rows = vector_jacobian(shape, layers, repeated, cotangent)
    return latents, rows.view(members, batch, outputs, *rows.shape[2:])


def embed(shape: Architecture, layers: list[Layer], inputs: Tensor, bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the latents (M, bin, K) of every member at ``bins`` of ``inputs`` (time, D), in chunks."""
    members = layers[0][0].shape[0]
    parts = []
    with torch.no_grad():
        for start in range(0, len(bins), BINS_A_CHUNK):
            chunk = torch.as_tensor(bins[start : start + BINS_A_CHUNK], device=inputs.device)
            windows = gather_windows(inputs, chunk, shape.window)
            parts.append(forward(shape, layers, windows.expand(members, *windows.shape))[0].cpu().numpy())
    return np.concatenate(parts, axis=1)


def gather_windows(inputs: Tensor, bins: Tensor, window: int) -> Tensor:
    """Return the windows (..., T, D) of ``inputs`` (time, D) around ``bins`` (...)."""
    if window > 1:
        bins = bins.unsqueeze(-1) + torch.as_tensor(window_offsets(window), device=bins.device)
    else:
        bins = bins.unsqueeze(-1)
    return inputs.index_select(0, bins.flatten()).view(*bins.shape, -1)  # faster than inputs[bins]


def gelu_derivative(x: Tensor) -> Tensor:
    """Return the derivative of ``x * Phi(x)``, Phi the normal distribution function: ``Phi(x) + x phi(x)``."""
    result: Tensor = _GeluDerivative.apply(x)
    return result


class _GeluDerivative(torch.autograd.Function):
    """The derivative of the GELU, whose own derivative is ``phi(x) (2 - x^2)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        square = x * x
        density = torch.exp(-0.5 * square).mul_(1 / math.sqrt(2 * math.pi))
        result = torch.erf(x * (1 / math.sqrt(2))).mul_(0.5).add_(0.5).addcmul_(x, density)
        ctx.save_for_backward(square.neg_().add_(2.0).mul_(density))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * ctx.saved_tensors[0]


def _unfold(x: Tensor, kernel: int) -> Tensor:
    """(M, B, T, C) -> (M, B, T - kernel + 1, kernel * C): the windows side by side."""
    if kernel == 1:
        return x
    return torch.cat([x[:, :, lag : x.shape[2] - kernel + 1 + lag] for lag in range(kernel)], dim=-1)


def _fold(x: Tensor, kernel: int) -> Tensor:
    """The transpose of :func:`_unfold`: overlapping windows are added up."""
    if kernel == 1:
        return x
    padded = [
        torch.nn.functional.pad(part, (0, 0, lag, kernel - 1 - lag)) for lag, part in enumerate(x.chunk(kernel, dim=-1))
    ]
    return torch.stack(padded).sum(dim=0)
