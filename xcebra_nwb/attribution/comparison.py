"""What a label's first map is held against: another method's, and those of its nulls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def partner(methods: Sequence[str]) -> int | None:
    """Return which of ``methods`` the first is compared with: the neuron gradient if it is there, else the second."""
    if len(methods) < 2:
        return None
    others = list(methods[1:])
    return 1 + (others.index("neuron_gradient") if "neuron_gradient" in others else 0)


def known_nulls(maps: Floats) -> Floats:
    """Return the rows of ``maps`` (null, unit) that are the map of a null, and not padding."""
    return maps[np.isfinite(maps).any(axis=1)]
