"""Whether a session is long enough to train on: the windows of the encoder against its segments and the batch."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xcebra_nwb.config import Config
from xcebra_nwb.errors import Refusal

WINDOWS = {"mlp": 1, "conv10": 10}  # bins that the encoder sees at once


def segment_lengths(session: xr.Dataset) -> np.ndarray:
    """Return the number of bins of every segment, (segment,)."""
    segment = session["segment"].values
    return np.bincount(segment[segment >= 0])


def check_trainable(session: xr.Dataset, config: Config) -> None:
    """Raise :class:`Refusal` when no window fits into a segment, or fewer windows than a batch are left to train on."""
    window, width = WINDOWS[config.encoder.architecture], float(session.attrs["bin_width"])
    lengths = segment_lengths(session)
    longest = int(lengths.max(initial=0))
    if longest < window:
        raise Refusal(
            f"no window of {window} bins fits: the longest segment has {longest} bins ({longest * width:g} s)",
            "lower time.bin_width, raise time.max_gap, or set encoder.architecture: mlp",
        )
    windows = int(np.maximum(lengths - window + 1, 0).sum())
    training = config.training
    left = int(windows * (1 - training.held_out))
    if left < training.batch_size:
        raise Refusal(
            f"{left} bins to train on ({windows} usable, {training.held_out:.0%} held out), fewer than a batch "
            f"of {training.batch_size}",
            "lower training.batch_size or time.bin_width, or give a longer recording",
        )
