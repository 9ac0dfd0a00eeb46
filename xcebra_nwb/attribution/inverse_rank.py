"""The rank cut of the inverse Jacobians of a session, from the config and the labels that encoders trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.session import labels
from xcebra_nwb.xcebra.maps.kept_directions import KeptDirections, LabelValues, directions_to_keep
from xcebra_nwb.xcebra.maps.model import Model


def inverse_cut(
    session: xr.Dataset,
    model: Model,
    bins: NDArray[np.int64],
    seen: Callable[[str, int], NDArray],
    rank_tolerance: float | Literal["auto"],
) -> float | KeptDirections:
    """Return the rank cut: ``rank_tolerance`` if it is a number, for auto the directions that the labels move.

    Args:
        session: the session dataset.
        model: the encoders of all members.
        bins: time bins at which maps are computed, shape (bin,).
        seen: returns a label, by name, at those bins as a member, by number, was trained on it.
        rank_tolerance: that of the config.
    """
    if rank_tolerance != "auto":
        return rank_tolerance
    found = labels(session)
    values = [
        LabelValues(found[block.name].attrs["kind"], [seen(block.name, member) for member in range(model.members)])
        for block in model.labels
    ]
    return directions_to_keep(model, bins, values)
