"""The shape of an encoder, which plans and sizes are made from without torch."""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def products(self) -> int:
        """Multiplications that one window takes."""
        bins, total = self.window, 0
        for kernel, inputs, outputs in zip(self.kernels, self.widths[:-1], self.widths[1:], strict=True):
            bins -= kernel - 1
            total += bins * kernel * inputs * outputs
        return total


def architecture(name: str, units: int, hidden: int, outputs: int, clip: float | None = None) -> Architecture:
    """Return the architecture called ``name``: mlp (one bin) or conv10 (ten bins)."""
    kernels, residual = {
        "mlp": ((1, 1, 1, 1), (False, False, False, False)),
        "conv10": ((2, 3, 3, 3, 3), (False, True, True, True, False)),
    }[name]
    return Architecture(units, hidden, outputs, kernels, residual, clip)
