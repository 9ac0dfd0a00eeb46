"""The shape of an encoder, without torch: plans and sizes are computed from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """The shape of an encoder: a chain of valid convolutions.

    Attributes:
        units: Number of units that the encoder reads.
        hidden: Number of channels between the layers.
        outputs: Number of latents.
        kernels: Width of each layer's kernel, in bins.
        residual: Whether each layer adds its cropped input to its output.
        clip: Largest absolute value of a latent; None does not clip.
    """

    units: int
    hidden: int
    outputs: int
    kernels: tuple[int, ...]
    residual: tuple[bool, ...]
    clip: float | None = None

    @property
    def window(self) -> int:
        """The number of bins that the encoder reads around a bin."""
        return 1 + sum(kernel - 1 for kernel in self.kernels)

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of channels before the first layer and after each layer."""
        return (self.units, *[self.hidden] * (len(self.kernels) - 1), self.outputs)

    @property
    def products(self) -> int:
        """The number of multiplications that one window takes."""
        bins, total = self.window, 0
        for kernel, inputs, outputs in zip(self.kernels, self.widths[:-1], self.widths[1:], strict=True):
            bins -= kernel - 1
            total += bins * kernel * inputs * outputs
        return total


def architecture(name: str, units: int, hidden: int, outputs: int, clip: float | None = None) -> Architecture:
    """Return the architecture of a name: ``mlp`` (one bin) or ``conv10`` (ten bins).

    Args:
        name: ``mlp`` or ``conv10``.
        units: Number of units that the encoder reads.
        hidden: Number of channels between the layers.
        outputs: Number of latents.
        clip: Largest absolute value of a latent; None does not clip.

    Raises:
        KeyError: There is no architecture of that name.

    >>> shape = architecture("conv10", units=20, hidden=8, outputs=3)
    >>> shape.window, shape.widths
    (10, (20, 8, 8, 8, 8, 3))
    """
    kernels, residual = {
        "mlp": ((1, 1, 1, 1), (False, False, False, False)),
        "conv10": ((2, 3, 3, 3, 3), (False, True, True, True, False)),
    }[name]
    return Architecture(units, hidden, outputs, kernels, residual, clip)
