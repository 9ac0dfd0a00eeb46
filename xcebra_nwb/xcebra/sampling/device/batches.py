"""Batches drawn on a GPU, for all members of an ensemble together.

The rules are those of :mod:`xcebra_nwb.xcebra.sampling.pairs`; no draw waits for the host. Each draw takes one number
from each member's generator, as the seed of everything that the device draws for the member. So a member does not
depend on the members beside it, and the state of its generator is all that a snapshot must hold. The distributions are
those of the CPU; the random numbers differ.
Shapes: M members, K objectives, S steps, B samples of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from xcebra_nwb.xcebra.sampling.device.label_increments import DeviceIncrements, FromNumbers, device_increments
from xcebra_nwb.xcebra.sampling.device.neighbours import DeviceSearch, device_search
from xcebra_nwb.xcebra.sampling.device.tables import GroupTables, Tables
from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.pairs import DiscretePairs, NearPairs, PositiveRule, TimePairs

DEVICE_STEPS_A_DRAW = 64  # steps whose batches a device draws together; other numbers draw other batches


class DevicePairs(FromNumbers, Protocol):
    """A rule that draws a positive for every reference of every member."""

    def draw(self, references: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the number of a positive for each reference.

        Args:
            references: Sample numbers, shape (M, S, B).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).

        Returns:
            Sample numbers, shape (M, S, B).
        """
        ...


@singledispatch
def device_pairs(kind: PositiveRule, rules: Sequence[PositiveRule], device: torch.device) -> DevicePairs:
    """Return the rules of all members on a device.

    Args:
        kind: One of the rules; its type selects the implementation.
        rules: Rule of each member, all of the same kind (:func:`kind_of`).
        device: Device of the tables.

    Raises:
        TypeError: There is no implementation of the rule on a device.
    """
    raise TypeError(f"no form of {type(kind).__name__} on a device")


@singledispatch
def kind_of(rule: PositiveRule) -> tuple[Any, ...]:
    """Return the properties that rules must share to be drawn together."""
    return (type(rule),)


@dataclass(frozen=True)
class DeviceTimePairs:
    """:class:`~xcebra_nwb.xcebra.sampling.pairs.TimePairs` of all members."""

    successor: Tables
    uniforms: int = 0
    normals: int = 0

    def draw(self, references: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the successor of each reference.

        Args:
            references: Sample numbers, shape (M, S, B).
            uniform: Not used.
            normal: Not used.
        """
        return self.successor.at(references)


@dataclass(frozen=True)
class DeviceDiscretePairs:
    """:class:`~xcebra_nwb.xcebra.sampling.pairs.DiscretePairs` of all members."""

    group: Tables
    classes: GroupTables
    uniforms: int = 1
    normals: int = 0

    def draw(self, references: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return a random sample of each reference's class.

        Args:
            references: Sample numbers, shape (M, S, B).
            uniform: Numbers in [0, 1), shape (M, 1, S, B).
            normal: Not used.
        """
        return self.classes.member(self.group.at(references), uniform[:, 0])


@dataclass(frozen=True)
class DeviceNearPairs:
    """:class:`~xcebra_nwb.xcebra.sampling.pairs.NearPairs` of all members."""

    values: Tables
    classes: Tables
    increments: DeviceIncrements
    search: DeviceSearch
    samples: GroupTables

    @property
    def uniforms(self) -> int:
        """The uniform numbers of one draw; the last draws among samples of one label."""
        return self.increments.uniforms + 1

    @property
    def normals(self) -> int:
        """The standard normal numbers of one draw."""
        return self.increments.normals

    def draw(self, references: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return the sample nearest to each reference's label after an increment.

        Args:
            references: Sample numbers, shape (M, S, B).
            uniform: Numbers in [0, 1), shape (M, uniforms, S, B).
            normal: Standard normal numbers, shape (M, normals, S, B).
        """
        wanted = self.increments.moved(self.values.at(references), uniform[:, :-1], normal)
        return self.samples.member(self.search.nearest(wanted, self.classes.at(references)), uniform[:, -1])


@device_pairs.register
def _(kind: TimePairs, rules: Sequence[TimePairs], device: torch.device) -> DevicePairs:
    return DeviceTimePairs(Tables.of([rule.successor for rule in rules], device))


@device_pairs.register
def _(kind: DiscretePairs, rules: Sequence[DiscretePairs], device: torch.device) -> DevicePairs:
    classes = [rule.classes for rule in rules]
    return DeviceDiscretePairs(Tables.of([groups.group for groups in classes], device), GroupTables.of(classes, device))


@device_pairs.register
def _(kind: NearPairs, rules: Sequence[NearPairs], device: torch.device) -> DevicePairs:
    neighbours = [rule.neighbours for rule in rules]
    return DeviceNearPairs(
        Tables.of([rule.values for rule in rules], device),
        Tables.of([rule.classes for rule in rules], device),
        device_increments(kind.increments, [rule.increments for rule in rules], kind.values.shape[1], device),
        device_search(neighbours, device),
        GroupTables.of([member.samples for member in neighbours], device),
    )


@kind_of.register
def _(rule: NearPairs) -> tuple[Any, ...]:
    return NearPairs, type(rule.increments), rule.values.shape[1], rule.neighbours.circular


@dataclass(frozen=True)
class DeviceBatches:
    """The batches of members whose rules are of the same kinds.

    Attributes:
        bins: Bin of each sample, a table for each member.
        references: Numbers of the samples that can be references, a table for each member.
        rules: Rule of each objective.
        widths: Number of latents of each block.
        size: Samples B of a batch.
    """

    bins: Tables
    references: Tables
    rules: Sequence[DevicePairs]
    widths: Sequence[int]
    size: int

    @property
    def members(self) -> int:
        """The number of members."""
        return len(self.bins.start)

    def draw(self, seeds: Sequence[int], steps: int) -> tuple[Tensor, Tensor]:
        """Return the batches of the members.

        Args:
            seeds: Seed of each member.
            steps: Number of steps S.

        Returns:
            Bins (S, M, 2 + K, B) and random directions (S, M, B, sum of the widths), as of :func:`draws_on`.
        """
        uniform, normal = self._numbers(seeds, steps)
        role_uniform, uniform = uniform[:, :2], uniform[:, 2:]
        references = self.references.any(role_uniform[:, 0])
        roles = [references, (role_uniform[:, 1] * self.bins.size).long()]
        for rule in self.rules:
            rule_uniform, uniform = uniform[:, : rule.uniforms], uniform[:, rule.uniforms :]
            rule_normal, normal = normal[:, : rule.normals], normal[:, rule.normals :]
            roles.append(rule.draw(references, rule_uniform, rule_normal))
        bins = self.bins.at(torch.cat(roles, dim=2)).view(self.members, steps, len(roles), self.size)
        directions = random_directions(normal, self.widths)
        return bins.transpose(0, 1).contiguous(), directions.transpose(0, 1).contiguous()

    def _numbers(self, seeds: Sequence[int], steps: int) -> tuple[Tensor, Tensor]:
        """Numbers in [0, 1), (M, uniforms, S, B), and standard normal numbers, (M, normals, S, B)."""
        uniforms = 2 + sum(rule.uniforms for rule in self.rules)
        normals = sum(self.widths) + sum(rule.normals for rule in self.rules)
        device, shape = self.bins.flat.device, (steps, self.size)
        # Float32 would skip some of 2^24 samples.
        uniform = torch.empty(self.members, uniforms, *shape, dtype=torch.float64, device=device)
        normal = torch.empty(self.members, normals, *shape, device=device)
        generator = torch.Generator(device)
        for member, seed in enumerate(seeds):
            generator.manual_seed(seed)
            uniform[member].uniform_(generator=generator)
            normal[member].normal_(generator=generator)
        return uniform, normal


def random_directions(normal: Tensor, widths: Sequence[int]) -> Tensor:
    """Return a random direction for every block, side by side.

    Args:
        normal: Standard normal numbers, shape (M, sum of the widths, S, B).
        widths: Number of latents of each block.

    Returns:
        Unit vectors times the root of their block's width, shape (M, S, B, sum of the widths).
    """
    parts = [
        part * (width**0.5 / torch.linalg.vector_norm(part, dim=1, keepdim=True).clamp_min(1e-12))
        for part, width in zip(normal.split(list(widths), dim=1), widths, strict=True)
    ]
    return torch.cat(parts, dim=1).movedim(1, -1)


def draws_on(
    device: torch.device,
    bins: Sequence[Integers],
    references: Sequence[Integers],
    rules: Sequence[Sequence[PositiveRule]],
    widths: Sequence[int],
    size: int,
    steps: int = DEVICE_STEPS_A_DRAW,
) -> Callable[[Sequence[int]], tuple[Tensor, Tensor]]:
    """Return a function that draws batches on a device and never waits for it.

    The function takes one seed for each member. It returns bins (S, M, 2 + K, B) of the references, the negatives and
    each objective's positives, and random directions (S, M, B, sum of the widths): a unit vector times the root of its
    width for every block.

    Args:
        device: Device that draws.
        bins: Bin of each sample, shape (sample,), for each member.
        references: Numbers of the samples that can be references, for each member.
        rules: Rule of each objective, for each member.
        widths: Number of latents of each block.
        size: Samples B of a batch.
        steps: Number of steps S that are drawn together.
    """
    alike: dict[tuple[Any, ...], list[int]] = {}
    for member, member_rules in enumerate(rules):
        alike.setdefault(tuple(kind_of(rule) for rule in member_rules), []).append(member)
    parts = [
        DeviceBatches(
            Tables.of([bins[member] for member in members], device),
            Tables.of([references[member] for member in members], device),
            [
                device_pairs(objective_rules[0], objective_rules, device)
                for objective_rules in zip(*(rules[member] for member in members), strict=True)
            ],
            widths,
            size,
        )
        for members in alike.values()
    ]
    permutation = torch.as_tensor(np.argsort(np.concatenate(list(alike.values()))), device=device)

    def draw(seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        drawn = [
            part.draw([seeds[member] for member in members], steps)
            for part, members in zip(parts, alike.values(), strict=True)
        ]
        parts_drawn = (torch.cat(part, dim=1) for part in zip(*drawn, strict=True))
        bins_drawn, directions = (part.index_select(1, permutation) for part in parts_drawn)
        return bins_drawn, directions

    return draw


def draw_seeds(generators: Sequence[np.random.Generator]) -> Integers:
    """Return a seed of each member's draws on a device, shape (M,)."""
    return np.array([generator.integers(2**63) for generator in generators])
