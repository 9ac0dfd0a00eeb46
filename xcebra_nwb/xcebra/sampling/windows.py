"""Usable time bins, their runs, and their split into training and held-out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from xcebra_nwb.xcebra.sampling.groups import Integers

TRAIN, HELD_OUT, NEITHER = 0, 1, -1


def window_offsets(window: int) -> Integers:
    """Return the bins of a window relative to the bin that it describes.

    >>> window_offsets(4).tolist()
    [-2, -1, 0, 1]
    """
    return np.arange(window) - window // 2


def usable_bins(segment: Integers, window: int) -> NDArray[np.bool_]:
    """Return which bins have their whole window inside one segment.

    Args:
        segment: Segment number of each bin, -1 outside, shape (time,).
        window: Number of bins of a window.

    >>> usable_bins(np.array([0, 0, 0, -1, 1, 1]), 2).tolist()
    [False, True, True, False, False, True]
    """
    offsets = window_offsets(window)
    usable = np.zeros(len(segment), dtype=bool)
    centres = np.arange(-offsets[0], len(segment) - offsets[-1])
    if len(centres):
        first, last = segment[centres + offsets[0]], segment[centres + offsets[-1]]
        usable[centres] = (first == last) & (first >= 0)
    return usable


def split_bins(usable: NDArray[np.bool_], share: float, blocks: int, guard: int) -> NDArray[np.int8]:
    """Return whether each bin trains (0), is held out (1) or neither (-1).

    The usable bins are cut into equal stretches, and the middle of each stretch is held out.

    Args:
        usable: Whether each bin can be used, shape (time,).
        share: Share of each stretch that is held out.
        blocks: Number of stretches.
        guard: Number of bins beside a held-out stretch that are neither trained on nor tested on.

    >>> split_bins(np.ones(10, dtype=bool), share=0.2, blocks=1, guard=1).tolist()
    [0, 0, 0, -1, 1, 1, -1, 0, 0, 0]
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
    """Return the run of every bin; a run ends at a gap and at a segment border.

    Args:
        bins: Bins in ascending order, shape (sample,).
        segment: Segment number of each bin of the recording, shape (time,).

    >>> runs(np.array([0, 1, 3, 4]), np.array([0, 0, 0, 0, 1])).tolist()
    [0, 0, 1, 2]
    """
    if not len(bins):
        return np.zeros(0, dtype=np.int64)
    breaks = (np.diff(bins) != 1) | (np.diff(segment[bins]) != 0)
    return np.r_[0, np.cumsum(breaks)]


def successors(run: Integers, offset: int) -> Integers:
    """Return the sample ``offset`` bins after each sample in the same run, or -1.

    Args:
        run: Run of each sample, shape (sample,).
        offset: Number of bins.

    >>> successors(np.array([0, 0, 0, 1, 1]), 1).tolist()
    [1, 2, -1, 4, -1]
    """
    successor = np.full(len(run), -1, dtype=np.int64)
    if offset < len(run):
        same = run[offset:] == run[:-offset]
        successor[:-offset][same] = np.flatnonzero(same) + offset
    return successor
