"""The smallest type that holds activity exactly: counts stay whole numbers until rows of them are looked at."""

from __future__ import annotations

import numpy as np
import xarray as xr

NARROW = (np.dtype(np.uint8), np.dtype(np.int16))  # of those smaller than float32; of uint16 torch 2.4 gathers no rows
WIDE = np.dtype(np.float32)


def of_counts(most: int) -> np.dtype:
    """Return the type that counts of at most ``most`` are stored in."""
    return next((narrow for narrow in NARROW if most <= np.iinfo(narrow).max), np.min_scalar_type(most))


def recorded(session: xr.Dataset) -> np.dtype:
    """Return the type that the activity of ``session``, as it was recorded, is kept in.

    The type that it is stored in decides: no value is read for it.
    """
    stored = session["activity"].dtype
    return next((narrow for narrow in NARROW if np.can_cast(stored, narrow)), WIDE)


def seen(session: xr.Dataset) -> np.dtype:
    """Return the type that what the encoders see of ``session`` is kept in: that of raw counts, else float32."""
    return recorded(session) if raw(session) else WIDE


def raw(session: xr.Dataset) -> bool:
    """Return whether the encoders see the activity as it was recorded, but for bins that are not valid: those are 0."""
    how = session["activity"].attrs
    return not how["standardize"] and how["smoothing"] == 0
