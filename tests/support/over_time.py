"""Collect the maps of every time bin, as the attribution hands them over."""

from __future__ import annotations

import numpy as np

from xcebra_nwb.xcebra.maps import maps as attribution


def collected(members: list[int]) -> tuple[dict[str, list[np.ndarray]], attribution.OverTime]:
    """What an OverTime is given, by method, and the OverTime, which checks that no bin is left out or given twice."""
    found: dict[str, list[np.ndarray]] = {}

    def keep(method: str, first: int, maps: np.ndarray) -> None:
        chunks = found.setdefault(method, [])
        assert first == sum(chunk.shape[1] for chunk in chunks)
        chunks.append(maps)

    return found, attribution.OverTime(members, keep)
