"""A session dataset from arrays in memory: simulated activity and labels, as extraction would give them."""

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
    """Return a session (:mod:`xcebra_nwb.core.session`) of arrays in memory.

    Args:
        activity: rates, or counts if ``units`` is count, (time, unit).
        labels: continuous labels by name, (time, axis).
        valid: whether each bin was observed, (time,); without it, all were. Every stretch of such bins is a segment.
        units: of the activity.
        smoothing: s, standard deviation of the Gaussian through which the encoder sees the activity.
        bin_width: s.

    >>> session_of(np.zeros((4, 2)), {"place": np.zeros((4, 1))})["place"].shape
    (4, 1)
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
            "unit": [str(unit) for unit in range(count)],
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
