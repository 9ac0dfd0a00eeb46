"""Which bins can be used, which follow each other, and the split into training and held-out stretches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from xcebra_nwb.xcebra.sampling.groups import Integers

TRAIN, HELD_OUT, NEITHER = 0, 1, -1


def window_offsets(window: int) -> Integers:
    """Return the bins of a window relative to the bin that it describes: half of them before it."""
    return np.arange(window) - window // 2


def usable_bins(segment: Integers, window: int) -> NDArray[np.bool_]:
    """Return which bins (time,) have their whole window inside one segment (``segment`` is -1 outside)."""
    offsets = window_offsets(window)
    usable = np.zeros(len(segment), dtype=bool)
    centres = np.arange(-offsets[0], len(segment) - offsets[-1])
    if len(centres):
        first, last = segment[centres + offsets[0]], segment[centres + offsets[-1]]
        usable[centres] = (first == last) & (first >= 0)
    return usable


def split_bins(usable: NDArray[np.bool_], share: float, blocks: int, guard: int) -> NDArray[np.int8]:
    """Return for every bin whether it trains (0), is held out (1) or neither (-1).

    The usable bins are cut into ``blocks`` equal stretches; the middle ``share`` of each is held out, and bins within
    ``guard`` bins of a held-out one train no encoder and test none.
    """
    split = np.where(usable, TRAIN, NEITHER).astype(np.int8)
    for stretch in np.array_split(np.flatnonzero(usable), blocks):
        size = round(share * len(stretch))
        start = (len(stretch) - size) // 2
        split[stretch[start : start + size]] = HELD_OUT
    near = binary_dilation(split == HELD_OUT, iterations=guard) if guard else split == HELD_OUT
    split[near & (split == TRAIN)] = NEITHER
    return split


def runs(bins: Integers, segment: Integers) -> Integers:
    """Return the run number of every bin of ``bins`` (ascending): runs end at a gap and at a segment border."""
    if not len(bins):
        return np.zeros(0, dtype=np.int64)
    breaks = (np.diff(bins) != 1) | (np.diff(segment[bins]) != 0)
    return np.r_[0, np.cumsum(breaks)]


def successors(run: Integers, offset: int) -> Integers:
    """Return for every sample the one ``offset`` bins later in the same run, or -1."""
    successor = np.full(len(run), -1, dtype=np.int64)
    if offset < len(run):
        same = run[offset:] == run[:-offset]
        successor[:-offset][same] = np.flatnonzero(same) + offset
    return successor
