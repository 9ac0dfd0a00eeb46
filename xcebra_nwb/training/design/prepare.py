"""A session and everything that is settled before encoders are trained on it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core import value_types
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.members import Key
from xcebra_nwb.training.design.ensemble import Member, label_spaces, members, null_designs, samples
from xcebra_nwb.training.design.label_space import LabelSpace
from xcebra_nwb.training.design.nulls import NullDesign
from xcebra_nwb.training.design.objectives import remarks, resolve
from xcebra_nwb.training.design.split import Layout, layout
from xcebra_nwb.training.design.trainable import check_trainable
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.sampling.samples import Block, Samples

logger = logging.getLogger("xcebra_nwb")


@dataclass(frozen=True)
class Trainee:
    """A session, the bins that train and test, the blocks of its latents, and the members of its stack."""

    session: xr.Dataset
    used: Layout
    objectives: list[Objective]
    remarks: list[str]  # on the objectives, for the user
    spaces: Mapping[str, LabelSpace]  # in which labels are compared, by objective; empty if no pairs are drawn
    shape: Architecture
    designs: list[NullDesign]
    stack: list[Member]

    @property
    def blocks(self) -> list[Block]:
        """The latents and the weight of every objective."""
        return [Block(o.name, *o.outputs, o.weight) for o in self.objectives]

    def bytes_a_step(self, config: Config) -> int:
        """Return how many bytes of what the encoders see a step of training reads, at random."""
        windows = len(self.stack) * (2 + len(self.objectives)) * config.training.batch_size
        return windows * self.shape.window * self.shape.units * value_types.seen(self.session).itemsize

    def only(self, members: Sequence[int]) -> Trainee:
        """Return the same with some of the members, by number."""
        return replace(self, stack=[self.stack[number] for number in members])

    def samples(self, part: int) -> list[Samples]:
        """Return every member's samples of one part of the split; see :func:`.stack.samples`."""
        return samples(self.session, self.used, self.objectives, self.stack, part, self.spaces)

    def generators(self, config: Config, *purpose: int) -> list[np.random.Generator]:
        """Return every member's own generator, for training or another ``purpose``."""
        return [member.generator(config.random_seed, *purpose) for member in self.stack]

    def nulls(self, label: str) -> int:
        """Return for how many members ``label`` is broken."""
        return sum(member.broken is not None and member.broken.label == label for member in self.stack)

    def say(self) -> None:
        """Tell the user what there is to say of the objectives, and how many nulls each label has, and why."""
        for remark in self.remarks:
            logger.warning("%s", remark)
        for design in self.designs:
            logger.info("nulls of %s: %d; %s", design.label, self.nulls(design.label), design.reason)


def trainee(session: xr.Dataset, config: Config) -> Trainee:
    """Return ``session`` made ready by ``config``.

    Raises:
        UsageError: an objective does not fit the session's labels.
        Refusal: the session is too short to train on, or its labels vary too little.
    """
    check_trainable(session, config)
    objectives, outputs = resolve(config, session)
    encoder, used = config.encoder, layout(session, config)
    designs = null_designs(session, used, objectives, config)
    return Trainee(
        session=session,
        used=used,
        objectives=objectives,
        remarks=remarks(config, session, objectives, outputs),
        spaces={} if config.training.loss == "supervised" else label_spaces(session, used, objectives),
        shape=architecture(encoder.architecture, session.sizes["unit"], encoder.hidden, outputs, encoder.clip),
        designs=designs,
        stack=members(designs, config),
    )


def in_one_space(trainees: Sequence[Trainee]) -> list[Trainee]:
    """Return ``trainees`` with the members that all of them have, and their labels measured by one scale.

    A label may have fewer nulls in one of them. The scale of an axis is the mean of the sessions' own.
    """
    keys = [{member.key for member in one.stack} for one in trainees]
    scales = {name: np.mean([one.spaces[name].scale for one in trainees], axis=0) for name in trainees[0].spaces}
    return [measured_by(with_members(one, keys), scales) for one in trainees]


def with_members(one: Trainee, stacks: Sequence[Set[Key]]) -> Trainee:
    """Return a trainee with those of its members that are in all of ``stacks``."""
    return replace(one, stack=[member for member in one.stack if all(member.key in keys for keys in stacks)])


def measured_by(one: Trainee, scales: Mapping[str, NDArray[np.float64]]) -> Trainee:
    """Return a trainee whose labels are divided by ``scales`` (axis,), by objective."""
    return replace(one, spaces={name: space.measured_by(scales[name]) for name, space in one.spaces.items()})
