"""The random steps of :mod:`xcebra_nwb.xcebra.sampling.label_increments` on a device, for all members together.

No step is drawn by rejection, which would need to know how many were rejected. Shapes: M members, S steps of training,
B samples of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

import numpy as np
import torch
from scipy.integrate import cumulative_trapezoid
from torch import Tensor

from xcebra_nwb.xcebra.sampling.device.tables import Tables, by_member
from xcebra_nwb.xcebra.sampling.groups import Floats
from xcebra_nwb.xcebra.sampling.label_increments import (
    Increments,
    NormalIncrements,
    RecordedIncrements,
    VonMisesFisherIncrements,
    VonMisesIncrements,
)

KNOTS = 8193  # of a table of angles: its distribution function is right to 1e-6
TAIL = 80  # exp(-TAIL / 2) is what is left out beyond the largest angle of a table


class FromNumbers(Protocol):
    """Draws by random numbers that are there before: ``uniform`` (M, uniforms, S, B), ``normal`` (M, normals, S, B)."""

    @property
    def uniforms(self) -> int:
        """Numbers in [0, 1) that one draw takes."""

    @property
    def normals(self) -> int:
        """Standard normal numbers that one draw takes."""


class DeviceIncrements(FromNumbers, Protocol):
    """Moves labels by random steps."""

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return ``values`` (M, S, B, axis), each moved by a step of its own."""
        ...


@singledispatch
def device_increments(
    kind: Increments, increments: Sequence[Increments], axes: int, device: torch.device
) -> DeviceIncrements:
    """Return ``increments``, one a member and all of the type of ``kind``, on ``device``."""
    raise TypeError(f"no form of {type(kind).__name__} on a device")


@dataclass(frozen=True)
class DeviceRecordedIncrements:
    """See :class:`~xcebra_nwb.xcebra.sampling.label_increments.RecordedIncrements`."""

    increments: Tables  # (step, axis) a member
    uniforms: int = 1
    normals: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """See :class:`DeviceIncrements`."""
        return values + self.increments.any(uniform[:, 0])


@dataclass(frozen=True)
class DeviceNormalIncrements:
    """See :class:`~xcebra_nwb.xcebra.sampling.label_increments.NormalIncrements`."""

    deviation: Tensor  # (M, 1, 1, 1)
    normals: int
    uniforms: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """See :class:`DeviceIncrements`."""
        return values + self.deviation * normal.movedim(1, -1)


@dataclass(frozen=True)
class DeviceVonMisesIncrements:
    """Draw angles; the half of [0, 1) that a uniform number falls in gives the sign (``VonMisesIncrements``)."""

    angles: Angles
    uniforms: int = 1
    normals: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """See :class:`DeviceIncrements`."""
        centred = 2 * uniform[:, 0] - 1
        return values + (self.angles.quantile(centred.abs()) * centred.sign()).unsqueeze(-1)


@dataclass(frozen=True)
class DeviceVonMisesFisherIncrements:
    """Draw an angle and a direction in the tangent plane (``VonMisesFisherIncrements``)."""

    angles: Angles
    normals: int
    uniforms: int = 1

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """See :class:`DeviceIncrements`."""
        angle = self.angles.quantile(uniform[:, 0]).unsqueeze(-1)
        anywhere = normal.movedim(1, -1).to(values.dtype)
        tangent = torch.nn.functional.normalize(
            anywhere - (anywhere * values).sum(dim=-1, keepdim=True) * values, dim=-1
        )
        return angle.cos() * values + angle.sin() * tangent


@dataclass(frozen=True)
class Angles:
    """The distribution of the angle between a unit vector and a von Mises-Fisher one around it, a table a member."""

    probability: Tensor  # (M, knot) that an angle is at most so large
    angle: Tensor  # (M, knot) rad

    @classmethod
    def of(cls, concentrations: Sequence[float], axes: int, device: torch.device) -> Angles:
        """Return the tables for vectors of so many ``axes``, two on a circle."""
        tables = {kappa: angle_distribution(kappa, axes) for kappa in set(concentrations)}
        probability, angle = (np.stack(part) for part in zip(*(tables[k] for k in concentrations), strict=True))
        return cls(torch.as_tensor(probability, device=device), torch.as_tensor(angle, device=device))

    def quantile(self, probability: Tensor) -> Tensor:
        """Return the angles that are not exceeded with ``probability`` (M, S, B), in [0, 1)."""
        asked = probability.flatten(1).contiguous()
        above = torch.searchsorted(self.probability, asked, right=True).clamp(max=self.angle.shape[1] - 1)
        (low, high), (small, large) = (
            (table.gather(1, above - 1), table.gather(1, above)) for table in (self.probability, self.angle)
        )
        return (small + (large - small) * (asked - low) / (high - low)).view_as(probability)


def angle_distribution(concentration: float, axes: int) -> tuple[Floats, Floats]:
    """Return probabilities (knot,) from 0 to 1 and the angles (knot,), in rad, that are at most so large with them.

    The density of the angle is ``sin(angle)^(axes - 2) exp(concentration cos(angle))`` up to a factor (Mardia and Jupp,
    Directional Statistics, 2000, eq. 9.3.12); for two axes it is the von Mises distribution folded at 0.
    """
    largest = np.arccos(max(-1.0, 1 - (axes + TAIL) / concentration)) if concentration > 0 else np.pi
    angle = np.linspace(0, largest, KNOTS)
    with np.errstate(divide="ignore"):
        log_sine = np.log(np.abs(np.sin(angle))) if axes > 2 else np.zeros(KNOTS)
    log_density = (axes - 2) * log_sine - 2 * concentration * np.sin(angle / 2) ** 2
    sums = cumulative_trapezoid(np.exp(log_density - log_density.max()), angle, initial=0)
    return sums / sums[-1], angle


@device_increments.register
def _(
    kind: RecordedIncrements, increments: Sequence[RecordedIncrements], axes: int, device: torch.device
) -> DeviceIncrements:
    return DeviceRecordedIncrements(Tables.of([member.increments for member in increments], device))


@device_increments.register
def _(
    kind: NormalIncrements, increments: Sequence[NormalIncrements], axes: int, device: torch.device
) -> DeviceIncrements:
    return DeviceNormalIncrements(by_member([member.deviation for member in increments], device).unsqueeze(-1), axes)


@device_increments.register
def _(
    kind: VonMisesIncrements, increments: Sequence[VonMisesIncrements], axes: int, device: torch.device
) -> DeviceIncrements:
    return DeviceVonMisesIncrements(Angles.of([member.concentration for member in increments], 2, device))


@device_increments.register
def _(
    kind: VonMisesFisherIncrements, increments: Sequence[VonMisesFisherIncrements], axes: int, device: torch.device
) -> DeviceIncrements:
    return DeviceVonMisesFisherIncrements(
        Angles.of([member.concentration for member in increments], axes, device), axes
    )
