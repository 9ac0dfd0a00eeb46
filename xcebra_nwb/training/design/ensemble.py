"""From a session dataset to the arrays that the method works on: bins, split, members and their pairs."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.members import Key
from xcebra_nwb.training.design.nulls import NullDesign, NullLabel, null_design
from xcebra_nwb.training.design.split import Split

SEED, NULL, ORDERS, TEST, ATTRIBUTION, GENERATOR = range(6)  # what a generator is for: part of its seed


@dataclass(frozen=True)
class Member:
    """One encoder of the stack: a seed, trained on the true labels, or a null, for which one label was ``broken``."""

    role: str
    number: int  # among the seeds, or among the nulls of the label
    null_label: NullLabel | None = None

    @property
    def key(self) -> Key:
        """What makes it the same member in another session's stack."""
        return self.role, self.null_label.label if self.null_label else "", self.number

    def generator(self, random_seed: int, *purpose: int) -> np.random.Generator:
        """Return the member's own generator; it does not depend on which members are trained beside it."""
        return member_generator(random_seed, self.number, self.null_label.label if self.null_label else "", *purpose)

    def order(self, label: str) -> NDArray[np.int64] | None:
        """Return the order in which the member reads the usable bins of ``label``; None: as it was recorded."""
        return self.null_label.order if self.null_label is not None and self.null_label.label == label else None


def member_generator(random_seed: int, number: int, null_label: str, *purpose: int) -> np.random.Generator:
    """Return the generator of one member for one purpose; no other member or purpose draws from it.

    Args:
        random_seed: that of the config.
        number: of the member among the seeds, or among the nulls of its label.
        null_label: name of the label that is a null for the member; "" for a seed.
        purpose: numbers that set generators of the same member apart.
    """
    own = [NULL, _key(null_label)] if null_label else [SEED]
    return np.random.default_rng([random_seed, *own, number, *purpose])


def members(designs: list[NullDesign], config: Config) -> list[Member]:
    """Return the seeds, and after them the nulls of every label."""
    seeds = [Member("seed", number) for number in range(config.training.seeds)]
    return seeds + [Member("null", number, broken) for d in designs for number, broken in enumerate(d.nulls)]


def null_designs(session: xr.Dataset, split: Split, objectives: list[Objective], config: Config) -> list[NullDesign]:
    """Return the nulls of every label that an objective reads, in orders that each recording has of its own."""
    names = [o.label for o in objectives if o.label is not None]
    recording = _key(str(session.attrs["sha256"]))
    generators = [np.random.default_rng([config.random_seed, ORDERS, _key(name), recording]) for name in names]
    return [null_design(session, split, name, config, g) for name, g in zip(names, generators, strict=True)]


def _key(name: str) -> int:
    """A number for the name of a label or the digest of a recording: part of a seed, whatever others there are."""
    return zlib.crc32(name.encode())
