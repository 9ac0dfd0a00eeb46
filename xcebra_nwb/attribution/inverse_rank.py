"""Choose the rank cut of the inverse Jacobians, from the config and the labels that encoders trained on."""

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
    """Return the rank cut of the inverse Jacobians of a session.

    It is ``rank_tolerance`` if that is a number. For "auto" it is the set of latent directions that the labels move.

    Args:
        session: the session dataset.
        model: encoders of the members.
        bins: time bins at which maps are computed, shape (bin,).
        seen: ``seen(name, member)`` returns the label at those bins, as that member was trained on it.
        rank_tolerance: ``attribution.rank_tolerance`` of the config.
    """
    if rank_tolerance != "auto":
        return rank_tolerance
    by_name = labels(session)
    values = [
        LabelValues(by_name[block.name].attrs["kind"], [seen(block.name, member) for member in range(model.members)])
        for block in model.labels
    ]
    return directions_to_keep(model, bins, values)
