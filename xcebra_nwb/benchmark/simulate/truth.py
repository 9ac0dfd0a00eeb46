"""The truth of a simulated recording: which units carry which label."""

from __future__ import annotations

from pathlib import Path

import h5py

from xcebra_nwb.core.hdf5.scan import check_self_contained

CARRIERS = {
    "position": ("place", "grid", "place and head_direction", "place and speed"),
    "head_direction": ("head_direction", "place and head_direction", "head_direction and speed"),
    "speed": ("speed", "place and speed", "head_direction and speed"),
}


def cell_types(path: Path) -> dict[str, str] | None:
    """Return the true type of every unit of a simulated file by unit id; None for a file that names none."""
    with h5py.File(path) as file:
        check_self_contained(file, str(path))
        if "units/cell_type" not in file:
            return None
        identifiers, types = file["units/id"][()], file["units/cell_type"].asstr()[()]
    return {str(identifier): str(kind) for identifier, kind in zip(identifiers, types, strict=True)}
