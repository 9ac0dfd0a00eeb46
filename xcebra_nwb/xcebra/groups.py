"""Samples by group, so that a member of any group can be drawn at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Samples by group: ``order`` lists them group after group."""

    group: Integers  # (sample,)
    order: Integers  # (sample,)
    start: Integers  # (group,)
    size: Integers  # (group,)

    @classmethod
    def of(cls, group: Integers) -> Groups:
        """Return the groups of samples whose group numbers are ``group`` (0, 1, ...)."""
        size = np.bincount(group)
        return cls(group, np.argsort(group, kind="stable"), np.r_[0, np.cumsum(size)[:-1]], size)

    def member(self, group: Integers, generator: np.random.Generator) -> Integers:
        """Return a random sample of each of ``group``."""
        chosen = (generator.random(group.shape) * self.size[group]).astype(np.int64)
        return self.order[self.start[group] + chosen]
