"""Which bins of a session are used for what: the usable ones, and their split into training and held-out stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.session import smoothing_reach
from xcebra_nwb.xcebra.sampling.windows import split_bins, usable_bins


@dataclass(frozen=True)
class Layout:
    """Which bins are used for what."""

    bins: NDArray[np.int64]  # (sample,) the usable bins, ascending
    split: NDArray[np.int8]  # (time,) 0 train, 1 held out, -1 neither
    segment: NDArray[np.int64]  # (time,)
    guard: int  # bins between training and held-out stretches

    def numbers(self, part: int) -> NDArray[np.int64]:
        """Return which of ``bins`` belong to a part of the split."""
        return np.flatnonzero(self.split[self.bins] == part)


def layout(session: xr.Dataset, config: Config) -> Layout:
    """Return the usable bins and their split, whose parts are a window and twice the reach of the smoothing apart."""
    window = WINDOWS[config.encoder.architecture]
    segment = session["segment"].values.astype(np.int64)
    usable = usable_bins(segment, window)
    guard = window - 1 + 2 * smoothing_reach(session)
    split = split_bins(usable, config.training.held_out, config.training.held_out_blocks, guard)
    return Layout(np.flatnonzero(usable), split, segment, guard)
