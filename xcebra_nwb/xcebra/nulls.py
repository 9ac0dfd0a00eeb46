"""Nulls: labels shifted in a circle against the activity, which keeps the statistics of both and breaks their link."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SHIFT = 0.1  # share of the recording


def draw_shifts(samples: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return ``count`` shifts, in samples, none nearer to no shift than a tenth of the recording either way round.

    One shift is drawn from each of ``count`` equal parts of the range, in random order: no two nulls are nearly the
    same.
    """
    least = int(np.ceil(LEAST_SHIFT * samples))
    width = (samples - 2 * least) / max(count, 1)
    drawn = least + width * (np.arange(count) + generator.random(count))
    return generator.permutation(drawn.astype(np.int64))


def shifted(values: NDArray, shift: int) -> NDArray:
    """Return ``values`` (sample, ...) as they stand ``shift`` samples earlier, in a circle."""
    return np.roll(values, shift, axis=0)
