"""Collect the maps of every time bin."""

from __future__ import annotations

import numpy as np

from xcebra_nwb.xcebra.maps import maps as attribution


def collected(members: list[int]) -> tuple[dict[str, list[np.ndarray]], attribution.OverTime]:
    """Return an ``OverTime``, and the chunks of maps that it receives, by method.

    The ``OverTime`` checks that no bin is left out or received twice.
    """
    chunks_of: dict[str, list[np.ndarray]] = {}

    def keep(method: str, first: int, maps: np.ndarray) -> None:
        chunks = chunks_of.setdefault(method, [])
        assert first == sum(chunk.shape[1] for chunk in chunks)
        chunks.append(maps)

    return chunks_of, attribution.OverTime(members, keep)
