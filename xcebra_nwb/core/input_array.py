"""What the encoders see as an array, in memory or in a scratch file: all that is needed to read it, and no torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core import host_memory, value_types
from xcebra_nwb.core.scratch import Rows, filled
from xcebra_nwb.core.session import fill_encoder_input

SHARE = 0.5  # of the free memory that the recording may take: the rest is for what is made of it
SEEN = "what the encoders see"


def input_array(session: xr.Dataset, folder: Path, most: float | None = None) -> NDArray[np.number]:
    """Return what the encoders see, (time, unit), in memory or as a map of a file.

    Args:
        session: the session dataset; its activity is read block by block.
        folder: for a scratch file, unless the environment names one.
        most: bytes that it may take in memory; None: half of what is free.

    Raises:
        Failure: it fits neither memory nor disk.
    """
    return made_array(SEEN, session, value_types.seen(session), fill_encoder_input, folder, most)


def made_array(
    what: str,
    session: xr.Dataset,
    dtype: np.dtype,
    fill: Callable[[xr.Dataset, Rows], None],
    folder: Path,
    most: float | None = None,
) -> NDArray[np.number]:
    """Return what ``fill`` makes of the activity of a session, (time, unit); see :func:`input_array`."""
    shape = session.sizes["time"], session.sizes["unit"]
    most = SHARE * host_memory.free_bytes() if most is None else most
    return filled(what, shape, dtype, partial(fill, session), folder, most)
