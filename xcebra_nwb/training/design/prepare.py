"""Prepare a session for training: its split, objectives, null labels and ensemble members."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from xcebra_nwb.core import activity
from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.training.design.ensemble import Member, members, null_designs
from xcebra_nwb.training.design.label_space import LabelSpace, label_spaces
from xcebra_nwb.training.design.nulls import NullDesign
from xcebra_nwb.training.design.objectives import remarks, resolve
from xcebra_nwb.training.design.samples import samples
from xcebra_nwb.training.design.split import Split, trainable_split
from xcebra_nwb.xcebra.architecture import Architecture, architecture
from xcebra_nwb.xcebra.sampling.samples import Block, Samples

logger = logging.getLogger("xcebra_nwb")


@dataclass(frozen=True)
class PreparedSession:
    """A session with its split, objectives, null labels and ensemble members."""

    session: xr.Dataset
    split: Split
    objectives: list[Objective]
    remarks: list[str]  # on the objectives, for the user
    spaces: Mapping[str, LabelSpace]  # by objective; empty if training is supervised
    shape: Architecture
    designs: list[NullDesign]
    members: list[Member]

    @property
    def blocks(self) -> list[Block]:
        """The latents and the weight of every objective."""
        return [Block(o.name, *o.outputs, o.weight) for o in self.objectives]

    def bytes_a_step(self, config: Config) -> int:
        """Return how many bytes of encoder input one training step reads, at random."""
        windows = len(self.members) * (2 + len(self.objectives)) * config.training.batch_size
        return windows * self.shape.window * self.shape.units * activity.input_type(self.session).itemsize

    def only(self, members: Sequence[int]) -> PreparedSession:
        """Return the session with a subset of its members, by number."""
        return replace(self, members=[self.members[number] for number in members])

    def samples(self, part: int) -> list[Samples]:
        """Return every member's samples of one part of the split."""
        return samples(self.session, self.split, self.objectives, self.members, part, self.spaces)

    def generators(self, config: Config, *purpose: int) -> list[np.random.Generator]:
        """Return the random generator of every member, for training or a ``purpose``."""
        return [member.generator(config.random_seed, *purpose) for member in self.members]

    def nulls(self, label: str) -> int:
        """Return the number of members that are nulls of ``label``."""
        return sum(member.null_label is not None and member.null_label.label == label for member in self.members)

    def log_remarks(self) -> None:
        """Log the remarks on the objectives, and the nulls of each label with the reason."""
        for remark in self.remarks:
            logger.warning("%s", remark)
        for design in self.designs:
            logger.info("nulls of %s: %d; %s", design.label, self.nulls(design.label), design.reason)


def prepare(session: xr.Dataset, config: Config) -> PreparedSession:
    """Return a session with its split, objectives, null labels and members.

    Raises:
        UsageError: an objective does not fit the session's labels.
        Refusal: the session is too short to train on, or its labels vary too little.
    """
    split, encoder = trainable_split(session, config), config.encoder
    objectives, outputs = resolve(config, session, split)
    designs = null_designs(session, split, objectives, config)
    return PreparedSession(
        session=session,
        split=split,
        objectives=objectives,
        remarks=remarks(config, session, split, objectives, outputs),
        spaces={} if config.training.loss == "supervised" else label_spaces(session, split, objectives),
        shape=architecture(encoder.architecture, session.sizes["unit"], encoder.hidden, outputs, encoder.clip),
        designs=designs,
        members=members(designs, config),
    )
