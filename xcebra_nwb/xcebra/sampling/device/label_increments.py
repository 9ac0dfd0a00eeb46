"""Random increments of labels on a device, for all members together.

The increments are those of :mod:`xcebra_nwb.xcebra.sampling.label_increments`, made of random numbers that were drawn
before. None of them is drawn by rejection, because the host would have to know how many were rejected.
Shapes: M members, S steps of training, B samples of a batch.
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

KNOTS = 8193  # knots of a table of angles: its distribution function is right to 1e-6
TAIL = 80  # the largest angle of a table leaves out a share of exp(-TAIL / 2)


class FromNumbers(Protocol):
    """A draw from random numbers that are drawn before it."""

    @property
    def uniforms(self) -> int:
        """The numbers in [0, 1) of one draw."""

    @property
    def normals(self) -> int:
        """The standard normal numbers of one draw."""


class DeviceIncrements(FromNumbers, Protocol):
    """A distribution of increments of the labels of all members."""

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the labels after random increments.

        Args:
            values: Labels, shape (M, S, B, axis).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Labels, shape (M, S, B, axis).
        """
        ...


@singledispatch
def device_increments(
    kind: Increments, increments: Sequence[Increments], axes: int, device: torch.device
) -> DeviceIncrements:
    """Return the increments of all members on a device.

    Args:
        kind: One of the distributions; its type selects the implementation.
        increments: Distribution of each member, all of the same type.
        axes: Number of axes of the labels.
        device: Device of the tables.

    Raises:
        TypeError: There is no implementation of the distribution on a device.
    """
    raise TypeError(f"no form of {type(kind).__name__} on a device")


@dataclass(frozen=True)
class DeviceRecordedIncrements:
    """Recorded increments of all members, a table (increment, axis) for each."""

    increments: Tables
    uniforms: int = 1
    normals: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the labels after random increments.

        Args:
            values: Labels, shape (M, S, B, axis).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Labels, shape (M, S, B, axis).
        """
        return values + self.increments.any(uniform[:, 0])


@dataclass(frozen=True)
class DeviceNormalIncrements:
    """Normal increments of all members; ``deviation`` has the shape (M, 1, 1, 1)."""

    deviation: Tensor
    normals: int
    uniforms: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the labels after random increments.

        Args:
            values: Labels, shape (M, S, B, axis).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Labels, shape (M, S, B, axis).
        """
        return values + self.deviation * normal.movedim(1, -1)


@dataclass(frozen=True)
class DeviceVonMisesIncrements:
    """Von Mises increments of the angles of all members.

    The half of [0, 1) in which a uniform number falls gives the sign of the increment.
    """

    angles: Angles
    uniforms: int = 1
    normals: int = 0

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the labels after random increments.

        Args:
            values: Labels, shape (M, S, B, axis).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Labels, shape (M, S, B, axis).
        """
        centred = 2 * uniform[:, 0] - 1
        return values + (self.angles.quantile(centred.abs()) * centred.sign()).unsqueeze(-1)


@dataclass(frozen=True)
class DeviceVonMisesFisherIncrements:
    """Von Mises-Fisher increments of the unit vectors of all members.

    An increment is an angle and a direction in the tangent plane.
    """

    angles: Angles
    normals: int
    uniforms: int = 1

    def moved(self, values: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the labels after random increments.

        Args:
            values: Labels, shape (M, S, B, axis).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Labels, shape (M, S, B, axis).
        """
        angle = self.angles.quantile(uniform[:, 0]).unsqueeze(-1)
        anywhere = normal.movedim(1, -1).to(values.dtype)
        tangent = torch.nn.functional.normalize(
            anywhere - (anywhere * values).sum(dim=-1, keepdim=True) * values, dim=-1
        )
        return angle.cos() * values + angle.sin() * tangent


@dataclass(frozen=True)
class Angles:
    """Quantiles of the angle of a von Mises-Fisher vector to its mean direction.

    Attributes:
        probability: Probability that an angle is at most so large, shape (M, knot).
        angle: Angle in rad, shape (M, knot).
    """

    probability: Tensor
    angle: Tensor

    @classmethod
    def of(cls, concentrations: Sequence[float], axes: int, device: torch.device) -> Angles:
        """Return the tables of all members.

        Args:
            concentrations: Concentration of each member.
            axes: Number of axes of the vectors, 2 on a circle.
            device: Device of the tables.
        """
        tables = {kappa: angle_distribution(kappa, axes) for kappa in set(concentrations)}
        probability, angle = (np.stack(part) for part in zip(*(tables[k] for k in concentrations), strict=True))
        return cls(torch.as_tensor(probability, device=device), torch.as_tensor(angle, device=device))

    def quantile(self, probability: Tensor) -> Tensor:
        """Return the angles (M, S, B) with the cumulative ``probability`` (M, S, B)."""
        wanted = probability.flatten(1).contiguous()
        above = torch.searchsorted(self.probability, wanted, right=True).clamp(max=self.angle.shape[1] - 1)
        (low, high), (small, large) = (
            (table.gather(1, above - 1), table.gather(1, above)) for table in (self.probability, self.angle)
        )
        return (small + (large - small) * (wanted - low) / (high - low)).view_as(probability)


def angle_distribution(concentration: float, axes: int) -> tuple[Floats, Floats]:
    """Return the distribution function of a von Mises-Fisher vector's angle.

    The density of the angle is ``sin(angle)^(axes - 2) exp(concentration cos(angle))`` up to a factor (Mardia and Jupp,
    Directional Statistics, 2000, eq. 9.3.12); for two axes it is the von Mises distribution folded at 0.

    Args:
        concentration: Concentration of the distribution.
        axes: Number of axes of the vectors.

    Returns:
        Probabilities (knot,) from 0 to 1, and the angles (knot,) in rad that are at most so large with them.

    >>> probability, angle = angle_distribution(0.0, 3)
    >>> round(float(np.interp(0.5, probability, angle)), 3)  # without a preference half of the sphere is within pi / 2
    1.571
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
