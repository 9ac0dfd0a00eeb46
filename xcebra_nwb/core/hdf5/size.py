"""How many bytes the values of a dataset take in memory, and whether so many can come out of what is stored."""

from __future__ import annotations

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_COMPRESSED, PLAUSIBLE
from xcebra_nwb.core.refusals import Code


def check_size(data: h5py.Dataset) -> None:
    """Raise :class:`Refusal` where a dataset declares far more than can be stored in what it holds."""
    declared = declared_bytes(data.shape or (), data)
    if declared > PLAUSIBLE and declared > MOST_COMPRESSED * stored_bytes(data):
        raise Refusal(
            Code.DAMAGED,
            f"{data.name}: declares {declared:.3g} bytes and holds {stored_bytes(data):.3g}",
            "download or copy it again, or name other data",
        )


def declared_bytes(shape: tuple[int, ...], data: h5py.Dataset) -> float:
    """Return how many bytes so many values of a dataset take in memory."""
    return float(np.prod(shape, dtype=np.float64)) * data.dtype.itemsize


def stored_bytes(data: h5py.Dataset) -> int:
    """Return how many bytes the values of a dataset take in the file."""
    return int(data.id.get_storage_size()) if isinstance(data, h5py.Dataset) else int(data.stored)
