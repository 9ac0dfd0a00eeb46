"""Say of which NWB type an object is, subtypes included."""

from __future__ import annotations

import h5py

from xcebra_nwb.nwb.reading.file import neurodata_type

SUBTYPES = {"SpatialSeries": {"PoseEstimationSeries"}}


def is_kind(item: h5py.Group, kind: str) -> bool:
    """Return whether an object has an NWB type, or one that is made from it."""
    return neurodata_type(item) in {kind, *SUBTYPES.get(kind, ())}
