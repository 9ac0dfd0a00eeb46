"""Nulls: one label read in another order, so that it keeps its statistics and loses its link to the activity.

An order (sample,) says whose value each sample gets. A label that moves continuously is shifted in a circle, or turned
round in time and then shifted; a label that belongs to trials is dealt out anew among them, whole trial by whole trial.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

NullKind = Literal["shift", "reverse", "permute"]
Integers = NDArray[np.int64]
LEAST_SHIFT = 0.1  # share of the recording


def draw_shifts(samples: int, count: int, generator: np.random.Generator) -> Integers:
    """Return ``count`` shifts, in samples, none nearer to no shift than a tenth of the recording either way round.

    One shift is drawn from each of ``count`` equal parts of the range, in random order: no two nulls are nearly the
    same.
    """
    least = int(np.ceil(LEAST_SHIFT * samples))
    width = (samples - 2 * least) / max(count, 1)
    drawn = least + width * (np.arange(count) + generator.random(count))
    return generator.permutation(drawn.astype(np.int64))


def shifted_order(samples: int, shift: int) -> Integers:
    """Return the order (sample,) in which every sample gets the value ``shift`` samples earlier, in a circle."""
    return np.roll(np.arange(samples), shift)


def reversed_order(samples: int, shift: int) -> Integers:
    """Return the order (sample,) that runs backwards, shifted in a circle."""
    return np.roll(np.arange(samples)[::-1], shift)


def trial_order(trial: Integers, source: Integers) -> Integers:
    """Return the order (sample,) in which trial ``t`` gets the course of trial ``source[t]``, stretched to its length.

    Args:
        trial: (sample,) number of each sample's trial, 0 to the number of trials less one, each at least once.
        source: (trial,) a permutation of the trials.
    """
    samples = np.argsort(trial, kind="stable")
    length = np.bincount(trial)
    first = np.r_[0, np.cumsum(length)[:-1]]
    place = np.arange(len(trial)) - np.repeat(first, length)  # within the trial, from 0
    given = np.repeat(source, length)
    order = np.empty(len(trial), dtype=np.int64)
    order[samples] = samples[first[given] + place * length[given] // np.repeat(length, length)]
    return order
