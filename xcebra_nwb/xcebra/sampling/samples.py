"""The data of an ensemble member: samples, rules, targets and latent blocks.

This module loads no torch, so that code that only looks at samples does without it.
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
    """The latents of one objective.

    Attributes:
        name: Name of the objective.
        first: First latent of the block.
        last: The latent after the last of the block.
        weight: Factor of the objective's loss; the Jacobian penalty has its own weight.
    """

    name: str
    first: int
    last: int
    weight: float = 1.0


@dataclass(frozen=True)
class Samples:
    """The samples that a member is trained or tested on.

    Members of one session share the arrays.

    Attributes:
        bins: Bin of each sample, shape (sample,).
        references: Numbers of the samples with a positive in every objective, which can be references.
        rules: Rule of each objective that draws positives.
    """

    bins: Integers
    references: Integers
    rules: Sequence[PositiveRule]


@dataclass(frozen=True)
class Targets:
    """The values that a supervised member learns to predict.

    Attributes:
        bins: Bin of each sample, shape (sample,).
        values: Targets of all blocks side by side, shape (sample, target).
    """

    bins: Integers
    values: NDArray[np.float32]
