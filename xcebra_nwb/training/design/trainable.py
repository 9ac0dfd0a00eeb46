"""Whether a session is long enough to train on: the windows of the encoder against its segments and the batch."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.training.design.split import layout
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN


def segment_lengths(session: xr.Dataset) -> np.ndarray:
    """Return the number of bins of every segment, (segment,)."""
    segment = session["segment"].values
    return np.bincount(segment[segment >= 0])


def check_trainable(session: xr.Dataset, config: Config) -> None:
    """Raise :class:`Refusal` when no window fits into a segment, or fewer windows than a batch are left to train on."""
    window, width = WINDOWS[config.encoder.architecture], float(session.attrs["bin_width"])
    longest = int(segment_lengths(session).max(initial=0))
    if longest < window:
        raise Refusal(
            Code.BROKEN_UP,
            f"no window of {window} bins fits: the longest segment has {longest} bins ({longest * width:g} s)",
            "lower time.bin_width, raise time.max_gap, or set encoder.architecture: mlp",
        )
    used, training = layout(session, config), config.training
    left, held_out = len(used.numbers(TRAIN)), len(used.numbers(HELD_OUT))
    if left < training.batch_size:
        raise Refusal(
            Code.TOO_SHORT,
            f"{left} bins to train on ({len(used.bins)} usable, {held_out} held out, guards of {used.guard} bins round "
            f"{training.held_out_blocks} held-out stretches), fewer than a batch of {training.batch_size}",
            "lower training.batch_size, training.held_out_blocks or neural.smoothing, or give a longer recording",
        )
