"""Limits on what is read of an HDF5 file, and the check of declared sizes.

Anything beyond a limit is refused or skipped. Each limit is far above any recording in the archives.
"""

from __future__ import annotations

import h5py
import numpy as np

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code

MOST_OBJECTS = 500_000  # groups and datasets in a file and in the files that it leads to
MOST_DEPTH = 64  # groups inside one another
MOST_FILES = 1_000  # files that a file leads to, directly or through one another
MOST_ATTRIBUTES = 10_000  # of one object
MOST_ATTRIBUTE_BYTES = 2**20  # of one attribute
MOST_NAME = 256  # characters of the name of a group or a column
MOST_SHOWN = 60  # characters of such a name that messages show
MOST_TEXT = 100_000  # characters of one text; more are cut off
MOST_LABEL = 200  # characters of a unit's name, its region, or a class of a label; more are cut off
PLAUSIBLE = 2**28  # bytes; a dataset of less memory is read, whatever its size on disk
MOST_COMPRESSED = 1000  # ratio of memory to disk; gzip's own limit for one repeated value
MOST_CHUNK_BYTES = 2**31  # bytes of one chunk
MOST_MEMORY = 0.8  # share of the free memory that one read may take


def check_size(data: h5py.Dataset) -> None:
    """Raise a refusal if a dataset declares far more values than it stores."""
    declared = declared_bytes(data.shape or (), data)
    if declared > PLAUSIBLE and declared > MOST_COMPRESSED * stored_bytes(data):
        raise Refusal(
            Code.DAMAGED,
            f"{data.name}: declares {declared:.3g} bytes and holds {stored_bytes(data):.3g}",
            "download or copy it again, or name other data",
        )


def declared_bytes(shape: tuple[int, ...], data: h5py.Dataset) -> float:
    """Return how many bytes values of a dataset take in memory.

    Args:
        shape: Shape of the values.
        data: The dataset, for its type.
    """
    return float(np.prod(shape, dtype=np.float64)) * data.dtype.itemsize


def stored_bytes(data: h5py.Dataset) -> int:
    """Return how many bytes the values of a dataset take in the file."""
    return int(data.id.get_storage_size()) if isinstance(data, h5py.Dataset) else int(data.stored)
