"""Split the usable bins of a session into training and held-out stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.activity import smoothing_reach
from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN, split_bins, usable_bins


@dataclass(frozen=True)
class Split:
    """The usable bins of a session, and the part of the split of each bin."""

    bins: NDArray[np.int64]  # (sample,) the usable bins, ascending
    part: NDArray[np.int8]  # (time,) 0 train, 1 held out, -1 neither
    segment: NDArray[np.int64]  # (time,)
    guard: int  # bins between training and held-out stretches

    def numbers(self, part: int) -> NDArray[np.int64]:
        """Return the samples of a part of the split, as indices into ``bins``.

        >>> part = np.array([-1, TRAIN, TRAIN, HELD_OUT, HELD_OUT], dtype=np.int8)
        >>> split = Split(np.array([1, 2, 3, 4]), part, np.zeros(5, dtype=np.int64), guard=0)
        >>> split.numbers(HELD_OUT).tolist(), split.bins_of(HELD_OUT).tolist()
        ([2, 3], [3, 4])
        """
        return np.flatnonzero(self.part[self.bins] == part)

    def bins_of(self, part: int) -> NDArray[np.int64]:
        """Return the bins of a part of the split, in ascending order."""
        return self.bins[self.numbers(part)]


def split_session(session: xr.Dataset, config: Config) -> Split:
    """Return the usable bins of a session and their split.

    Training and held-out stretches are separated by the encoder's window and twice the reach of the smoothing, so no
    spike enters both parts.

    Raises:
        Refusal: no window of the encoder fits into a segment.
    """
    window = WINDOWS[config.encoder.architecture]
    _check_windows(session, window)
    segment = session["segment"].values.astype(np.int64)
    usable = usable_bins(segment, window)
    guard = window - 1 + 2 * smoothing_reach(session)
    part = split_bins(usable, config.training.held_out, config.training.held_out_blocks, guard)
    return Split(np.flatnonzero(usable), part, segment, guard)


def segment_lengths(session: xr.Dataset) -> np.ndarray:
    """Return the number of bins of every segment, shape (segment,).

    >>> segment_lengths(xr.Dataset({"segment": ("time", [0, 0, 0, -1, 1])})).tolist()
    [3, 1]
    """
    segment = session["segment"].values
    return np.bincount(segment[segment >= 0])


def _check_windows(session: xr.Dataset, window: int) -> None:
    longest, width = int(segment_lengths(session).max(initial=0)), float(session.attrs["bin_width"])
    if longest < window:
        raise Refusal(
            Code.BROKEN_UP,
            f"no window of {window} bins fits: the longest segment has {longest} bins ({longest * width:g} s)",
            "lower time.bin_width, raise time.max_gap, or set encoder.architecture: mlp",
        )


def trainable_split(session: xr.Dataset, config: Config) -> Split:
    """Return the split of a session, or refuse one that is too short to train on.

    Raises:
        Refusal: no window of the encoder fits into a segment, or the training part has fewer bins than a batch.
    """
    split = split_session(session, config)
    training, left, held_out = config.training, len(split.numbers(TRAIN)), len(split.numbers(HELD_OUT))
    if left < training.batch_size:
        raise Refusal(
            Code.TOO_SHORT,
            f"{left} bins to train on ({len(split.bins)} usable, {held_out} held out, guards of {split.guard} bins "
            f"round {training.held_out_blocks} held-out stretches), fewer than a batch of {training.batch_size}",
            "lower training.batch_size, training.held_out_blocks or neural.smoothing, or give a longer recording",
        )
    return split
