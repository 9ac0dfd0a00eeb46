"""The encoders of an ensemble: valid convolutions over a short window.

``mlp`` reads one bin and ``conv10`` ten. Both are the same chain of matrix products, so the vector-Jacobian product is
written once, in closed form, and training needs no double backward pass. In memory the time axis of a window comes
before the axis of windows, (M, T, B, D): each lag of a kernel is then one product with a stretch of a shared buffer,
and no window is ever unfolded. Functions take and return a view of it, (M, B, T, D).
Shapes: M members, B windows, T bins, D units, H hidden, K latents, R rows of a Jacobian.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xcebra_nwb.xcebra.architecture import Architecture
from xcebra_nwb.xcebra.inputs import EncoderInput
from xcebra_nwb.xcebra.sampling.groups import Floats, Integers
from xcebra_nwb.xcebra.sampling.windows import window_offsets

ELEMENTS = {"cpu": 1_000_000, "cuda": 16_000_000}  # of the largest array when a chunk of bins is embedded
Layer = tuple[Tensor, Tensor]  # weight (M, kernel * inputs, outputs), bias (M, 1, outputs)


def initialize(
    shape: Architecture, generators: list[np.random.Generator], device: torch.device, units: Sequence[int] = ()
) -> list[Layer]:
    """Return random first weights of an ensemble, uniform in +-1 / sqrt(inputs).

    Args:
        shape: Architecture of the encoders.
        generators: Random generator of each member.
        device: Device of the layers.
        units: Number of units that each member reads, the first ones; empty: all. The weights are those of an encoder
            of that width, and 0 for the other units. Units that are always 0 keep their weights at 0 in training.

    Returns:
        Weight (M, kernel * inputs, outputs) and bias (M, 1, outputs) of each layer.
    """
    layers, inputs = [], units or [shape.units] * len(generators)
    for kernel, width, outputs in zip(shape.kernels, shape.widths[:-1], shape.widths[1:], strict=True):
        bounds = [1 / math.sqrt(kernel * count) for count in inputs]
        weight = [
            _widened(g.uniform(-bound, bound, (kernel, count, outputs)), width)
            for g, bound, count in zip(generators, bounds, inputs, strict=True)
        ]
        bias = [g.uniform(-bound, bound, (1, outputs)) for g, bound in zip(generators, bounds, strict=True)]
        layers.append((_stacked(weight, device), _stacked(bias, device)))
        inputs = [outputs] * len(generators)
    return layers


def _widened(weight: Floats, width: int) -> Floats:
    """``weight`` (kernel, inputs, outputs) with zeros up to ``width`` inputs: (kernel * width, outputs)."""
    return np.pad(weight, ((0, 0), (0, width - weight.shape[1]), (0, 0))).reshape(-1, weight.shape[2])


def narrowed(shape: Architecture, layers: list[Layer], units: int) -> list[Layer]:
    """Return the layers of an encoder that reads only the first units.

    Args:
        shape: Architecture of the wide encoder.
        layers: Its layers.
        units: Number of units to keep.
    """
    weight, bias = layers[0]
    by_lag = weight.view(weight.shape[0], shape.kernels[0], shape.units, -1)
    return [(by_lag[:, :, :units].flatten(1, 2), bias), *layers[1:]]


def _stacked(members: list[Floats], device: torch.device) -> Tensor:
    return torch.tensor(np.stack(members), dtype=torch.float32, device=device)


def forward(shape: Architecture, layers: list[Layer], windows: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the latents of windows, and the pre-activation of every layer.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        windows: Activity (M, B, T, D).

    Returns:
        Latents (M, B, K), and the pre-activations (M, B, T', C) by layer.
    """
    hidden, pre_activations = windows.transpose(1, 2).contiguous(), []  # (M, T, B, D)
    for number, (weight, bias) in enumerate(layers):
        pre = convolve(hidden, weight, bias)
        pre_activations.append(pre.transpose(1, 2))
        if number == len(layers) - 1:
            hidden = pre if shape.clip is None else pre.clamp(-shape.clip, shape.clip)
        else:
            active = torch.nn.functional.gelu(pre)
            hidden = active + hidden[:, 1:-1] if shape.residual[number] else active
    return hidden[:, 0], pre_activations


def without_units(shape: Architecture, layers: list[Layer], units: NDArray[np.bool_]) -> list[Layer]:
    """Return the layers of an encoder that ignores units.

    It is meant for units whose activity never changed in training.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        units: Whether each unit is ignored, shape (D,).
    """
    weight, bias = layers[0]
    by_lag = weight.clone().view(weight.shape[0], shape.kernels[0], shape.units, -1)
    by_lag[:, :, torch.as_tensor(units, device=weight.device)] = 0.0
    return [(by_lag.view_as(weight), bias), *layers[1:]]


def vector_jacobian(
    shape: Architecture, layers: list[Layer], pre_activations: list[Tensor], cotangents: Tensor
) -> Tensor:
    """Return vectors times the Jacobian of the latents at the windows.

    It consists of ordinary tensor operations, so its gradient with respect to the layers takes a single backward pass.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        pre_activations: Pre-activation of every layer, from :func:`forward`.
        cotangents: Vectors (M, B, R, K); the rows R of a window share its slopes.

    Returns:
        The products, shape (M, B, R, T, D).
    """
    slopes = [slope.transpose(1, 2).unsqueeze(2) for slope in slopes_of(shape, pre_activations)]  # (M, T', 1, B, C)
    gradient = cotangents.transpose(1, 2).unsqueeze(1)  # (M, T = 1, R, B, K)
    for number in range(len(layers) - 1, -1, -1):
        passed, sizes = gradient, gradient.shape[2:4]
        if number < len(slopes):
            gradient = gradient * slopes[number]
        gradient = convolve_back(gradient.flatten(2, 3), layers[number][0], shape.kernels[number]).unflatten(2, sizes)
        if shape.residual[number]:
            gradient = gradient + torch.nn.functional.pad(passed, (0, 0, 0, 0, 0, 0, 1, 1))
    return gradient.permute(0, 3, 2, 1, 4)


def slopes_of(shape: Architecture, pre_activations: list[Tensor]) -> list[Tensor]:
    """Return the slopes of the activation functions of every layer.

    Args:
        shape: Architecture of the encoders.
        pre_activations: Pre-activation of every layer, from :func:`forward`.

    Returns:
        Slopes of the shape of the pre-activations; the last layer has slopes only if its outputs are clipped.
    """
    *hidden, outputs = pre_activations
    inside = [] if shape.clip is None else [(outputs.abs() < shape.clip).to(outputs.dtype)]
    return [*map(gelu_derivative, hidden), *inside]


def embed(shape: Architecture, layers: list[Layer], inputs: EncoderInput, bins: Integers) -> NDArray[np.float32]:
    """Return the latents of every member at given bins, computed in chunks.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        inputs: Encoder input (time, D).
        bins: Bins (bin,) whose whole windows lie in the recording.

    Returns:
        Latents (M, bin, K).
    """
    members = layers[0][0].shape[0]
    size = max(1, ELEMENTS.get(inputs.device.type, ELEMENTS["cuda"]) // (members * shape.window * max(shape.widths)))
    latents = torch.empty(members, len(bins), shape.outputs, dtype=torch.float32)
    with torch.no_grad():
        for start in range(0, len(bins), size):
            latents[:, start : start + size] = encoded(shape, layers, inputs, bins[start : start + size])[0].cpu()
    return latents.numpy()


def encoded(
    shape: Architecture, layers: list[Layer], inputs: EncoderInput, bins: Integers
) -> tuple[Tensor, list[Tensor], Tensor]:
    """Return the latents at given bins, and the pre-activations along time.

    The windows of neighbouring bins share most of their activity, so it is encoded once, as one stretch of time. The
    stretch also has windows across gaps between the bins; they are encoded and not used.

    Args:
        shape: Architecture of the encoders.
        layers: Layers of all members.
        inputs: Encoder input (time, D).
        bins: Bins (B,) in any order.

    Returns:
        Latents (M, B, K); pre-activation (M, time, C) of every layer along the stretch; first position on the stretch
        of each bin's window, (B,).
    """
    first = bins + window_offsets(shape.window)[0]
    begins = first - first.min()
    read = np.zeros(begins.max() + shape.window, dtype=bool)
    read[begins[:, None] + np.arange(shape.window)] = True
    stretch = inputs.index_select(0, torch.as_tensor(first.min() + np.flatnonzero(read), device=inputs.device))
    _, pre_activations = forward(shape, layers, stretch.expand(layers[0][0].shape[0], 1, *stretch.shape))
    along = [pre[:, 0] for pre in pre_activations]
    starts = torch.as_tensor(np.cumsum(read)[begins] - 1, device=inputs.device)
    latents = along[-1].index_select(1, starts)
    return latents if shape.clip is None else latents.clamp(-shape.clip, shape.clip), along, starts


def gather_windows(inputs: EncoderInput, bins: Tensor, window: int) -> Tensor:
    """Return the windows around given bins.

    Args:
        inputs: Encoder input (time, D).
        bins: Bins, any shape (...).
        window: Number of bins T of a window.

    Returns:
        Windows (..., T, D).
    """
    offsets = torch.arange(window, device=bins.device) + int(window_offsets(window)[0])
    by_lag = bins.unsqueeze(-2) + offsets.unsqueeze(-1)  # (..., T, B)
    return inputs.index_select(0, by_lag.flatten()).view(*by_lag.shape, -1).transpose(-3, -2)


def gelu_derivative(x: Tensor) -> Tensor:
    """Return the derivative of the GELU ``x Phi(x)``: ``Phi(x) + x phi(x)``."""
    result: Tensor = _GeluDerivative.apply(x)
    return result


class _GeluDerivative(torch.autograd.Function):
    """The derivative of the GELU, whose own derivative is ``phi(x) (2 - x^2)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.ops.aten.gelu_backward(torch.ones_like(x), x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        square = ctx.saved_tensors[0].square()
        density = torch.exp2(square * (-0.5 / math.log(2))).mul_(1 / math.sqrt(2 * math.pi))
        return square.neg_().add_(2.0).mul_(density).mul_(gradients[0])


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a valid convolution along time.

    Args:
        x: Input (M, T, B, C).
        weight: Kernel (M, kernel * C, H).
        bias: Bias (M, 1, H).

    Returns:
        Output (M, T', B, H) with T' = T - kernel + 1.
    """
    if weight.shape[1] == x.shape[-1]:  # one bin: the library's own derivative is the same and costs less
        return torch.baddbmm(bias, x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])
    result: Tensor = _Convolution.apply(x, weight, bias)
    return result


def convolve_back(gradient: Tensor, weight: Tensor, kernel: int) -> Tensor:
    """Return the transpose of :func:`convolve` times a gradient.

    Args:
        gradient: Gradient (M, T', B, H).
        weight: Kernel (M, kernel * C, H).
        kernel: Width of the kernel.

    Returns:
        Gradient of the input, shape (M, T, B, C).
    """
    result: Tensor = _TransposedConvolution.apply(gradient, weight, kernel)
    return result


class _Convolution(torch.autograd.Function):
    """A convolution as one matrix product for each lag, added up in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolved(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        kernel = x.shape[1] - gradient.shape[1] + 1
        of_x = _folded(gradient, weight, kernel) if ctx.needs_input_grad[0] else None
        return of_x, _correlated(x, gradient), gradient.sum(dim=(1, 2)).unsqueeze(1)


class _TransposedConvolution(torch.autograd.Function):
    """The transpose of :class:`_Convolution`; its derivative is :class:`_Convolution` again."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, kernel: int) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        return _folded(gradient, weight, kernel)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        gradient, weight = ctx.saved_tensors
        x = gradients[0].contiguous()
        return _convolved(x, weight, weight.new_zeros(1, 1, 1)), _correlated(x, gradient), None


def _convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The sum over lags of ``x`` (M, T, B, C), shifted by the lag, times the lag's weight: (M, T', B, H)."""
    members, bins, batch, inputs = x.shape
    left = bins - weight.shape[1] // inputs + 1
    result = bias
    for lag, by_lag in enumerate(weight.split(inputs, dim=1)):
        stretch = x[:, lag : lag + left].flatten(1, 2)
        result = torch.baddbmm(result, stretch, by_lag) if lag == 0 else result.baddbmm_(stretch, by_lag)
    return result.view(members, left, batch, -1)


def folded(gradient: Tensor, weight: Tensor, result: Tensor) -> Tensor:
    """Fill ``result`` with the transposed convolution of a gradient.

    Args:
        gradient: Gradient (M, T', B, H).
        weight: Kernel (M, kernel * C, H).
        result: Memory to fill, shape (M, T, B, C).

    Returns:
        ``result``.
    """
    members, left, batch, _ = gradient.shape
    kernel = result.shape[1] - left + 1
    result[:, left:] = 0
    for lag, by_lag in enumerate(weight.chunk(kernel, dim=1)):
        # A view, not flatten: adding to a copy would be lost.
        stretch = result[:, lag : lag + left].view(members, left * batch, -1)
        stretch.baddbmm_(gradient.flatten(1, 2), by_lag.mT, beta=min(lag, 1))
    return result


def _folded(gradient: Tensor, weight: Tensor, kernel: int) -> Tensor:
    """:func:`folded` in newly allocated memory."""
    members, left, batch, _ = gradient.shape
    return folded(gradient, weight, gradient.new_empty(members, left + kernel - 1, batch, weight.shape[1] // kernel))


def _correlated(x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of a weight (M, kernel * C, H): each lag of ``x`` (M, T, B, C) times ``gradient`` (M, T', B, H)."""
    left = gradient.shape[1]
    lags = [x[:, lag : lag + left].flatten(1, 2).mT for lag in range(x.shape[1] - left + 1)]
    return torch.cat([torch.bmm(lag, gradient.flatten(1, 2)) for lag in lags], dim=1)
