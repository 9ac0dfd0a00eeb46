"""What members are trained on, in numbers alone: samples with rules for positives, targets, and blocks of latents.

No torch: what is only about the samples, as assessing is, does without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.sampling.groups import Integers
from xcebra_nwb.xcebra.sampling.pairs import PositiveRule


@dataclass(frozen=True)
class Block:
    """An objective's share of the latents, ``first`` to ``last`` (exclusive), and of what is minimised."""

    name: str
    first: int
    last: int
    weight: float = 1.0  # factor of its contrastive loss; the penalty has a weight of its own


@dataclass(frozen=True)
class Samples:
    """The samples that a member is trained or tested on; members of one session share its arrays."""

    bins: Integers  # (sample,) the bin of each
    references: Integers  # sample numbers that may be references: those with a positive in every objective
    rules: Sequence[PositiveRule]  # by objective


@dataclass(frozen=True)
class Targets:
    """What a supervised member is to say."""

    bins: Integers  # (sample,) the bin of each
    values: NDArray[np.float32]  # (sample, target): all blocks side by side
