"""List the members of an ensemble (seeds and nulls) and give each its random generators."""

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

# Purposes of random generators; part of their seeds.
SEED, NULL, ORDERS, TEST, ATTRIBUTION, GENERATOR, INFORMATION, MAP_BINS = range(8)


@dataclass(frozen=True)
class Member:
    """One encoder of the ensemble: a seed or a null.

    A seed is trained on the true labels. A null is trained with one label replaced by ``null_label``.
    """

    role: str
    number: int  # index among the seeds, or among the nulls of the label
    null_label: NullLabel | None = None

    @property
    def key(self) -> Key:
        """The identity of the member, equal for the same member of another session."""
        return self.role, self.null_label.label if self.null_label else "", self.number

    def generator(self, random_seed: int, *purpose: int) -> np.random.Generator:
        """Return the member's random generator for a purpose.

        The generator does not depend on the other members of the ensemble.

        >>> Member("seed", 3).generator(0).random() == member_generator(0, 3, "").random()
        True
        """
        return member_generator(random_seed, self.number, self.null_label.label if self.null_label else "", *purpose)

    def order(self, label: str) -> NDArray[np.int64] | None:
        """Return the order in which the member reads the usable bins of ``label``.

        Returns:
            Source bin of each usable bin, shape (usable bin,); None if the member reads the label as recorded.
        """
        return self.null_label.order if self.null_label is not None and self.null_label.label == label else None


def member_generator(random_seed: int, number: int, null_label: str, *purpose: int) -> np.random.Generator:
    """Return the random generator of one member for one purpose.

    No other member and no other purpose draws from it.

    Args:
        random_seed: ``random_seed`` of the config.
        number: index of the member among the seeds, or among the nulls of its label.
        null_label: name of the label that is shuffled for the member; "" for a seed.
        purpose: integers that distinguish the generators of one member.

    >>> [round(member_generator(0, number, "").random(), 3) for number in (0, 0, 1)]
    [0.637, 0.637, 0.449]
    """
    role = [NULL, _key(null_label)] if null_label else [SEED]
    return np.random.default_rng([random_seed, *role, number, *purpose])


def members(designs: list[NullDesign], config: Config) -> list[Member]:
    """Return the members of an ensemble: the seeds, then the nulls of every label."""
    seeds = [Member("seed", number) for number in range(config.training.seeds)]
    return seeds + [Member("null", number, null) for d in designs for number, null in enumerate(d.nulls)]


def null_designs(session: xr.Dataset, split: Split, objectives: list[Objective], config: Config) -> list[NullDesign]:
    """Return the null labels of every label that has an objective.

    Each recording gets its own random orders, because they are seeded with its digest.

    Args:
        session: session dataset.
        split: usable bins of the session.
        objectives: objectives of the session.
        config: ``training.nulls``, ``training.null_kind`` and ``random_seed``.

    Returns:
        One design per label, in the order of ``objectives``.

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation, and the label has too few trials.
    """
    names = [o.label for o in objectives if o.label is not None]
    generators = [label_generator(session, name, config.random_seed, ORDERS) for name in names]
    return [null_design(session, split, name, config, g) for name, g in zip(names, generators, strict=True)]


def label_generator(session: xr.Dataset, label: str, random_seed: int, purpose: int) -> np.random.Generator:
    """Return the random generator of one label of one recording for one purpose.

    Args:
        session: session dataset; its digest is part of the seed.
        label: name of the label.
        random_seed: ``random_seed`` of the config.
        purpose: integer that distinguishes the generators of a label.
    """
    return np.random.default_rng([random_seed, purpose, _key(label), _key(str(session.attrs["sha256"]))])


def _key(name: str) -> int:
    """Return an integer for the name of a label or the digest of a recording, as part of a random seed."""
    return zlib.crc32(name.encode())
