"""A session dataset of arrays in memory: simulated activity and labels, as extraction would have left them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.session import ATTRIBUTES

BIN_WIDTH = 0.05  # s


def session_of(
    activity: NDArray,
    labels: Mapping[str, NDArray],
    valid: NDArray[np.bool_] | None = None,
    *,
    units: str = "Hz",
    smoothing: float = 0.0,
    bin_width: float = BIN_WIDTH,
) -> xr.Dataset:
    """Return the session (see :mod:`xcebra_nwb.core.session`) of ``activity`` (time, unit) and continuous ``labels``.

    Args:
        activity: rates, or counts if ``units`` is count.
        labels: by name, (time, axis).
        valid: (time,) which bins were observed; without it, all. Every stretch of them is a segment.
        units: of the activity.
        smoothing: s, of the Gaussian that the encoder sees the activity through.
        bin_width: s.
    """
    bins, count = activity.shape
    observed = np.ones(bins, dtype=bool) if valid is None else valid
    starts = observed & ~np.r_[False, observed[:-1]]
    kind = "spikes" if units == "count" else "rates"
    seen = {"units": units, "kind": kind, "smoothing": smoothing, "standardize": 1}
    session = xr.Dataset(
        {
            "activity": (("time", "unit"), activity.astype(np.float32), seen),
            "valid": ("time", observed),
            "segment": ("time", np.where(observed, np.cumsum(starts) - 1, -1)),
        },
        coords={
            "time": (np.arange(bins) + 0.5) * bin_width,
            "unit_id": ("unit", [str(unit) for unit in range(count)]),
            "row": ("unit", np.arange(count)),
            "region": ("unit", ["simulated"] * count),
            "n_spikes": ("unit", activity.sum(axis=0) if units == "count" else np.full(count, np.nan)),
        },
        attrs=dict.fromkeys(ATTRIBUTES, "simulated")
        | {"bin_width": bin_width, "software": "{}", "choices": "[]", "masks": "{}"},
    )
    for name, values in labels.items():
        described = {"role": "label", "kind": "continuous", "units": "1", "source": "simulated", "reference_frame": ""}
        session[name] = (("time", f"{name}_axis"), values, described)
    return session
